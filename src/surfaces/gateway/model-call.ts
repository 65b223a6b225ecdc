import type { IncomingMessage, ServerResponse } from "node:http";
import { TollgateError } from "../../base/errors.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { CallAnswer } from "./call-answer.ts";
import { composeCall } from "./compose-call.ts";
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
  const header = incoming.headers["x-litellm-customer-id"] ?? incoming.headers["x-litellm-end-user-id"];
  const call = composeCall(plane, dialect, answer.identity as Identity, { requestId: answer.requestId, body, customer: typeof header === "string" ? header : undefined });
  answer.handle = plane.engine.start(call, answer);
}
