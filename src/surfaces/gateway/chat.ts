import type { IncomingMessage, ServerResponse } from "node:http";
import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import type { OpenAttempt, Refusal } from "../../domain/limits/books.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";
import type { Client, Settled, UpstreamHeaders } from "../../engine/call.ts";
import type { CallHandle } from "../../engine/engine.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { errorBody, statusOf } from "../http/status.ts";
import type { DataPlane } from "./data-plane.ts";
import { readBody } from "./read-body.ts";
import { refusalError, retrySeconds } from "./refusal.ts";

/** A POST to a route that calls a model: identify, read, hand to the engine. */
export function callModel(plane: DataPlane, dialect: Dialect, request: IncomingMessage, response: ServerResponse): void {
  const at = plane.clock.now();
  const requestId = plane.ids.next(at);
  const answer = new ChatAnswer(plane, response, requestId);
  if (plane.stopping()) {
    answer.fail(new TollgateError("shutting_down", "The gateway is stopping. Try again in a moment."));
    return;
  }
  if (request.headers["content-encoding"] !== undefined && request.headers["content-encoding"] !== "identity") {
    request.resume();
    answer.fail(new TollgateError("unsupported_encoding", "Send the body uncompressed, without Content-Encoding."));
    return;
  }
  let identity: Identity;
  try {
    identity = plane.identify(request, at);
  } catch (error) {
    request.resume();
    answer.fail(error);
    return;
  }
  readBody(request, plane.bodyLimitBytes, (problem, body) => {
    if (problem !== undefined) {
      answer.fail(problem);
      return;
    }
    try {
      begin(plane, dialect, answer, identity, request, requestId, at, body);
    } catch (error) {
      answer.fail(error);
    }
  });
}

function begin(plane: DataPlane, dialect: Dialect, answer: ChatAnswer, identity: Identity, incoming: IncomingMessage, requestId: string, at: number, body: Buffer): void {
  const request = dialect.read(body);
  const deployments = plane.catalogue.deployments(request.model);
  if (deployments.length === 0) {
    throw new TollgateError("unknown_model", `The model "${request.model}" is not known. Use a name from GET /v1/models, or provider/model with that provider's key configured.`, { param: "model" });
  }
  identity.checkModel(request.model);
  const customer = customerOf(identity, incoming, request.user);
  const charges: ChargeSet[] = [identity.charges];
  const byModel = identity.modelLimits(request.model);
  if (byModel !== undefined) charges.push(byModel);
  if (customer !== null) {
    const paid = plane.customer(customer, identity.keyId, at);
    if (paid !== undefined) charges.push(paid);
  }
  answer.handle = plane.engine.start({
    requestId, at, route: dialect.route, dialect, request, body, charges, deployments,
    keyId: identity.keyId, teamId: identity.teamId, userId: identity.userId, customer,
    tags: identity.tags.length === 0 ? request.tags : [...identity.tags, ...request.tags],
  }, answer);
}

/** Who the request is for: pinned by the key, else the header, else `user` in the body (GATE 10.1). */
function customerOf(identity: Identity, incoming: IncomingMessage, user: string | undefined): string | null {
  if (identity.pinnedCustomer !== undefined) return identity.pinnedCustomer;
  const header = incoming.headers["x-litellm-customer-id"] ?? incoming.headers["x-litellm-end-user-id"];
  const named = typeof header === "string" && header !== "" ? header : user;
  if (named === undefined || named === "") return null;
  if (Buffer.byteLength(named) > 256) throw new TollgateError("invalid_request", "A customer id may have 256 bytes at most.", { param: "user" });
  return named;
}

/** What never passes from a provider to a client (GATE 9.3), and what describes the hop, not the answer. */
const WITHHELD = new Set(["set-cookie", "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "upgrade", "trailer", "proxy-authenticate", "date"]);

class ChatAnswer implements Client {
  private readonly plane: DataPlane;
  private readonly response: ServerResponse;
  private readonly requestId: string;
  handle: CallHandle | undefined;
  private gone = false;

  constructor(plane: DataPlane, response: ServerResponse, requestId: string) {
    this.plane = plane;
    this.response = response;
    this.requestId = requestId;
    response.on("close", () => {
      if (response.writableFinished) return;
      this.gone = true;
      this.handle?.leave();
    });
    response.on("drain", () => this.handle?.resume());
  }

  fail(error: unknown): void {
    const known = error instanceof TollgateError ? error : new TollgateError("internal", "A defect of Tollgate.");
    if (known.code === "internal") this.plane.onDefect(error, this.requestId);
    this.failed(known, undefined);
  }

  refused(refusal: Refusal): void {
    const error = refusalError(refusal);
    const headers = ["x-should-retry", refusal.outcome === "budget_exceeded" || refusal.outcome === "request_exceeds_tpm" ? "false" : "true"];
    if (refusal.outcome === "budget_held") headers.push("retry-after", "1");
    if (refusal.outcome === "rate_limited") {
      const scope = refusal.limit.scope.kind === "key" ? "api_key" : refusal.limit.scope.kind;
      const what = refusal.limit.measure === "requests" ? "requests" : refusal.limit.measure === "slots" ? "parallel" : "tokens";
      headers.push("retry-after", String(retrySeconds(refusal)), `x-ratelimit-${scope}-limit-${what}`, refusal.limit.cap.toString(), `x-ratelimit-${scope}-remaining-${what}`, "0");
    }
    this.send(error, headers);
  }

  failed(error: TollgateError, settled: Settled | undefined): void {
    this.send(error, settled === undefined ? [] : costHeaders(settled));
  }

  answer(status: number, headers: UpstreamHeaders, body: Uint8Array, settled: Settled): void {
    if (this.gone) return;
    const list = this.headers(headers, settled.attempt, settled.deployment);
    list.push(...costHeaders(settled), "content-length", String(body.length));
    this.response.writeHead(status, list);
    this.response.end(body);
  }

  head(status: number, headers: UpstreamHeaders, attempt: OpenAttempt, deployment: Deployment): void {
    if (this.gone) return;
    this.response.writeHead(status, this.headers(headers, attempt, deployment));
    this.response.flushHeaders();
  }

  bytes(chunk: Uint8Array): void {
    if (this.gone) return;
    if (!this.response.write(chunk)) this.handle?.pause();
  }

  end(rest: Uint8Array | undefined): void {
    if (this.gone) return;
    this.response.end(rest);
  }

  broken(error: TollgateError): void {
    if (this.gone) return;
    const { budgetExceededStatus } = this.plane;
    this.response.end(`data: ${JSON.stringify(errorBody(error, statusOf(error.code, budgetExceededStatus), this.requestId))}\n\n`);
  }

  private headers(upstream: UpstreamHeaders, attempt: OpenAttempt, deployment: Deployment): string[] {
    const list: string[] = [];
    for (const name in upstream) {
      const value = upstream[name];
      if (value === undefined || WITHHELD.has(name)) continue;
      if (typeof value === "string") list.push(name, value);
      else for (const one of value) list.push(name, one);
    }
    list.push("x-litellm-call-id", this.requestId, "x-litellm-model-id", deployment.id);
    if (attempt.sendCap !== undefined) list.push("x-tollgate-output-cap", String(attempt.sendCap));
    if (attempt.softCrossed.length > 0) list.push("x-tollgate-soft-budget", attempt.softCrossed.map((limit) => limit.scope.kind).join(","));
    if (deployment.simulated) list.push("x-tollgate-simulated", "true");
    return list;
  }

  private send(error: TollgateError, headers: string[]): void {
    if (this.gone || this.response.headersSent) return;
    const status = statusOf(error.code, this.plane.budgetExceededStatus);
    const body = JSON.stringify(errorBody(error, status, this.requestId));
    headers.push("content-type", "application/json", "content-length", String(Buffer.byteLength(body)), "x-litellm-call-id", this.requestId);
    // A body that was not read to its end cannot be followed by another request.
    if (error.code === "body_too_large") headers.push("connection", "close");
    this.response.writeHead(status, headers);
    this.response.end(body);
    this.plane.onError(error, this.requestId, status);
  }
}

function costHeaders(settled: Settled): string[] {
  const { charge, attempt } = settled;
  const headers = ["x-litellm-response-cost", formatNanoUsd(charge.cost), "x-tollgate-held", formatNanoUsd(attempt.hold.nanoUsd)];
  if (charge.estimated !== null) headers.push("x-tollgate-estimated", charge.estimated);
  if (charge.unpriced) headers.push("x-tollgate-unpriced", "true");
  return headers;
}
