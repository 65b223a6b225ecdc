import type { TollgateError } from "../../../base/errors.ts";
import type { Refusal } from "../../../domain/limits/books.ts";
import { refusalHeaders } from "../../gateway/answer-headers.ts";
import { refusalError } from "../../gateway/refusal.ts";
import { errorBody, statusOf } from "../../http/status.ts";
import type { AttemptClient } from "../attempt-client.ts";

const BUDGET_EXCEEDED_STATUS = 422;
/** Bytes that wait for a slow reader before its provider is slowed down. */
const WAITING_BYTES = 65_536;
const NO_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/**
 * A refusal as the gateway would answer it. An error thrown instead would be tried again by today's clients, and in the end hidden
 * as a connection error.
 */
export function refusalResponse(refusal: Refusal, url: string, callId: string): Response {
  return errorResponse(refusalError(refusal), url, callId, refusalHeaders(refusal));
}

export function errorResponse(error: TollgateError, url: string, callId: string, flat: readonly string[] = ["x-should-retry", "false"]): Response {
  const status = statusOf(error.code, BUDGET_EXCEEDED_STATUS);
  const headers = new Headers({ "content-type": "application/json", "x-litellm-call-id": callId });
  for (let index = 0; index + 1 < flat.length; index += 2) headers.set(flat[index] as string, flat[index + 1] as string);
  return withUrl(new Response(JSON.stringify(errorBody(error, status, callId)), { status, headers }), url);
}

/** The provider's answer with its own status, headers and address, around other bytes. */
export function answerLike(original: Response, body: Uint8Array | ReadableStream<Uint8Array>): Response {
  const { status, statusText } = original;
  // A copy: servers such as Hono's put a Response of their own in place of the global one, which keeps the very headers that it is given.
  const headers = new Headers(original.headers);
  // A withheld event makes the body shorter than was said.
  if (!(body instanceof Uint8Array)) headers.delete("content-length");
  const response = new Response(NO_BODY.has(status) ? null : (body as Uint8Array<ArrayBuffer>), { status, statusText, headers });
  Object.defineProperty(response, "redirected", { value: original.redirected });
  Object.defineProperty(response, "type", { value: original.type });
  return withUrl(response, original.url);
}

function withUrl(response: Response, url: string): Response {
  Object.defineProperty(response, "url", { value: url });
  return response;
}

/** What the engine passes on, for one reader: a slow one slows its provider, one that leaves ends the call. */
export function bodyOf(client: AttemptClient, listen: { bytes(chunk: Uint8Array): void; over(error: TollgateError | undefined): void }): ReadableStream<Uint8Array> {
  let done = false;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      client.attach({
        bytes(chunk) {
          if (done) return;
          listen.bytes(chunk);
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 1) <= 0) client.handle?.pause();
        },
        over(error) {
          if (done) return;
          done = true;
          if (error === undefined) controller.close();
          else controller.error(error);
          listen.over(error);
        },
      });
    },
    pull() {
      client.handle?.resume();
    },
    cancel() {
      if (done) return;
      done = true;
      client.leave(true);
      listen.over(undefined);
    },
  }, { highWaterMark: WAITING_BYTES, size: (chunk) => chunk?.byteLength ?? 0 });
}
