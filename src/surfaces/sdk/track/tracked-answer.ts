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

/** Responses that are made by hand have no address, and neither have their clones. */
function withUrl(response: Response, url: string): Response {
  Object.defineProperty(response, "url", { value: url });
  Object.defineProperty(response, "clone", { value: () => withUrl(Response.prototype.clone.call(response), url) });
  return response;
}

/** How a `fetch` of Node says that an answer broke off. */
export function brokenOff(cause: TollgateError): TypeError {
  return new TypeError("terminated", { cause });
}

/** Nobody can read a stream that was collected: its call ends as if its reader had left. */
const unreadable = new FinalizationRegistry<AttemptClient>((client) => client.leave(true));

export interface Body {
  readonly stream: ReadableStream<Uint8Array>;
  /** Ends it for its reader; the call's own end is the caller's to see to. */
  fail(reason: unknown): void;
}

/** What the engine passes on, for one reader: a slow one slows its provider, one that leaves ends the call. */
export function bodyOf(client: AttemptClient, listen: { bytes(chunk: Uint8Array): void; over(error: TollgateError | undefined): void }): Body {
  let done = false;
  // Held here only while the stream takes more: a full one that its program has dropped can be collected.
  let filling: ReadableStreamDefaultController<Uint8Array> | undefined;
  let known: WeakRef<ReadableStreamDefaultController<Uint8Array>> | undefined;
  const end = (error: unknown, broken: boolean): boolean => {
    if (done) return false;
    done = true;
    const controller = filling ?? known?.deref();
    if (broken) controller?.error(error);
    else controller?.close();
    filling = undefined;
    return true;
  };
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      filling = controller;
      known = new WeakRef(controller);
      client.attach({
        bytes(chunk) {
          const taker = filling ?? known?.deref();
          if (done || taker === undefined) return;
          listen.bytes(chunk);
          taker.enqueue(chunk);
          if ((taker.desiredSize ?? 1) > 0) return;
          client.handle?.pause();
          filling = undefined;
        },
        over(error) {
          if (end(error === undefined ? undefined : brokenOff(error), error !== undefined)) listen.over(error);
        },
      });
    },
    pull(controller) {
      filling = controller;
      client.handle?.resume();
    },
    cancel() {
      if (done) return;
      done = true;
      filling = undefined;
      client.leave(true);
      listen.over(undefined);
    },
  }, { highWaterMark: WAITING_BYTES, size: (chunk) => chunk?.byteLength ?? 0 });
  unreadable.register(stream, client);
  return { stream, fail: (reason) => void (end(reason, true) && listen.over(undefined)) };
}
