import type { IncomingMessage, ServerResponse } from "node:http";
import { TollgateError } from "../../base/errors.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { CallAnswer } from "./call-answer.ts";
import type { DataPlane } from "./data-plane.ts";
import { readBody } from "./read-body.ts";

/** Any route that calls a model: identify, read, hand to the engine. */
export function modelCall(plane: DataPlane, dialect: Dialect, request: IncomingMessage, response: ServerResponse): void {
  const answer = new CallAnswer(plane, request, response);
  try {
    refuseEarly(plane, request);
    answer.identity = plane.identify(request, plane.clock.now());
  } catch (error) {
    answer.fail(error);
    request.resume();
    return;
  }
  readBody(request, response, plane.bodyLimitBytes, (problem, body) => {
    // Nothing is sent for a client that left while it was still speaking.
    if (answer.gone) return;
    try {
      if (problem !== undefined) throw problem;
      refuseStopping(plane);
      begin(plane, dialect, answer, request, body);
    } catch (error) {
      answer.fail(error);
    }
  });
}

/** What can be refused before the body is read. */
function refuseEarly(plane: DataPlane, request: IncomingMessage): void {
  refuseStopping(plane);
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "" && encoding.toLowerCase() !== "identity") {
    throw new TollgateError("unsupported_encoding", "Send the body uncompressed, without Content-Encoding.");
  }
}

function refuseStopping(plane: DataPlane): void {
  if (plane.stopping()) throw new TollgateError("shutting_down", "The gateway is stopping. Try again in a moment.");
}

function begin(plane: DataPlane, dialect: Dialect, answer: CallAnswer, incoming: IncomingMessage, body: Buffer): void {
  const identity = answer.identity as Identity;
  // The time of admission, not of arrival: a body may take long, and windows and prices go by this.
  const at = plane.clock.now();
  const request = dialect.read(body);
  const deployments = plane.catalogue.deployments(request.model);
  if (deployments.length === 0) {
    throw new TollgateError("unknown_model", `The model ${JSON.stringify(request.model)} is not known. Use a name from GET /v1/models, or provider/model with that provider's key configured.`, { param: "model" });
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
    requestId: answer.requestId, at, route: dialect.route, dialect, request, body, charges, deployments,
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
