import type { IncomingMessage, ServerResponse } from "node:http";
import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import type { OpenAttempt, Refusal } from "../../domain/limits/books.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import { HELD_HEADER } from "../../domain/upstream/said-cost.ts";
import type { Client, Settled, UpstreamHeaders } from "../../engine/call.ts";
import type { CallHandle } from "../../engine/engine.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { errorBody, statusOf } from "../http/status.ts";
import { admittedHeaders, costHeaders, keyHeaders, printableHeaders, refusalHeaders, upstreamHeaders } from "./answer-headers.ts";
import type { DataPlane } from "./data-plane.ts";
import { refusalError } from "./refusal.ts";

/** How one request of the data plane is answered over HTTP, whatever its route: once, and only while the client is there. */
export class CallAnswer implements Client {
  private readonly plane: DataPlane;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private id: string | undefined;
  private readonly trailers: boolean;
  /** Set once the key is known. */
  identity: Identity | undefined;
  handle: CallHandle | undefined;
  private left = false;

  constructor(plane: DataPlane, request: IncomingMessage, response: ServerResponse) {
    this.plane = plane;
    this.request = request;
    this.response = response;
    this.trailers = request.headers.te?.includes("trailers") === true;
    response.on("close", () => {
      if (!response.writableFinished) this.leave();
    });
    response.on("drain", () => this.handle?.resume());
    response.on("error", ignore);
    // A pipelined request whose turn has not come has no socket yet, and would not hear of its end.
    if (response.socket === null) request.socket.once("close", () => this.leave());
  }

  /** The client is gone: nobody reads what would be said. */
  get gone(): boolean {
    return this.left;
  }

  /** The id of this call; its time is that of the first use. */
  get requestId(): string {
    return (this.id ??= this.plane.ids.next(this.plane.clock.now()));
  }

  fail(error: unknown): void {
    const known = error instanceof TollgateError ? error : new TollgateError("internal", "A defect of Tollgate.");
    if (known.code === "internal") this.plane.onDefect(error, this.requestId);
    this.failed(known, undefined);
  }

  refused(refusal: Refusal): void {
    this.send(refusalError(refusal), refusalHeaders(refusal));
  }

  failed(error: TollgateError, settled: Settled | undefined): void {
    this.send(error, settled === undefined ? [] : [...admittedHeaders(settled.attempt, settled.deployment), ...costHeaders(settled)]);
  }

  answer(status: number, headers: UpstreamHeaders, body: Uint8Array, settled: Settled): void {
    if (this.left) return;
    const list = this.headers(headers, settled.attempt, settled.deployment);
    list.push(...costHeaders(settled), "content-length", String(body.length));
    this.writeHead(status, list);
    this.response.end(body);
  }

  head(status: number, headers: UpstreamHeaders, attempt: OpenAttempt, deployment: Deployment): void {
    if (this.left) return;
    const list = this.headers(headers, attempt, deployment);
    // Before the cost is known, what is held; also how a program knows that this is a Tollgate, which it may ask for the cost.
    list.push(HELD_HEADER, formatNanoUsd(attempt.hold.nanoUsd));
    if (this.trailers) list.push("trailer", "x-litellm-response-cost, x-tollgate-held, x-tollgate-estimated");
    this.writeHead(status, list);
    this.response.flushHeaders();
  }

  bytes(chunk: Uint8Array): void {
    if (this.left) return;
    if (!this.response.write(chunk)) this.handle?.pause();
  }

  end(rest: Uint8Array | undefined, settled: Settled): void {
    if (this.left) return;
    if (this.trailers) this.response.addTrailers(pairs(costHeaders(settled)));
    this.response.end(rest);
  }

  broken(error: TollgateError, settled: Settled): void {
    if (this.left) return;
    if (this.trailers) this.response.addTrailers(pairs(costHeaders(settled)));
    this.response.end(`data: ${JSON.stringify(errorBody(error, statusOf(error.code, this.plane.budgetExceededStatus), this.requestId))}\n\n`);
  }

  private leave(): void {
    if (this.left) return;
    this.left = true;
    this.handle?.leave();
  }

  private headers(upstream: UpstreamHeaders, attempt: OpenAttempt, deployment: Deployment): string[] {
    const list = upstreamHeaders(upstream);
    list.push("x-litellm-call-id", this.requestId);
    if (this.identity !== undefined) list.push(...keyHeaders(this.identity));
    list.push(...admittedHeaders(attempt, deployment));
    if (this.plane.stopping()) list.push("connection", "close");
    return list;
  }

  private send(error: TollgateError, headers: string[]): void {
    const status = statusOf(error.code, this.plane.budgetExceededStatus);
    this.plane.onError(error, this.requestId, status);
    if (this.left || this.response.headersSent) return;
    const body = JSON.stringify(errorBody(error, status, this.requestId));
    if (this.identity !== undefined) headers.push(...keyHeaders(this.identity));
    headers.push("content-type", "application/json", "content-length", String(Buffer.byteLength(body)), "x-litellm-call-id", this.requestId);
    // Of a body that is not read to its end nobody knows where the next request would begin.
    const unread = error.code === "body_too_large" || (this.request.headers.expect !== undefined && !this.request.complete);
    if (unread || this.plane.stopping()) headers.push("connection", "close");
    this.writeHead(status, headers);
    if (error.code === "body_too_large") this.endOnceRead(body);
    else this.response.end(body);
  }

  /**
   * A client that is still sending reads its answer only afterwards, and a connection closed meanwhile would take the
   * answer away: what comes is thrown away, until the time for a request to arrive is over.
   */
  private endOnceRead(body: string): void {
    const { request, response } = this;
    response.write(body);
    const end = (): void => void response.end();
    if (request.complete || request.destroyed) end();
    else request.once("end", end).once("close", end).resume();
  }

  private writeHead(status: number, headers: string[]): void {
    try {
      this.response.writeHead(status, headers);
    } catch {
      // A provider, or a model's name, brought what no header may carry.
      this.response.writeHead(status, printableHeaders(headers));
    }
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) list.push([flat[index] as string, flat[index + 1] as string]);
  return list;
}

function ignore(): void {}
