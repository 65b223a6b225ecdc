import { TollgateError } from "../../../base/errors.ts";
import { mergePayers, type Payer } from "../context.ts";

export type Fetch = typeof globalThis.fetch;
export type FetchInput = Parameters<Fetch>[0];
export type FetchInit = NonNullable<Parameters<Fetch>[1]>;

const OURS = "x-tollgate-";

/** A request as `fetch` was given it, read once. */
export interface Outgoing {
  readonly url: URL;
  readonly headers: Headers;
  readonly signal: AbortSignal | undefined;
  /** Who pays, as its `x-tollgate-*` headers say; they are taken out. */
  readonly payer: Payer;
  /** Sends other bytes in place of the body. */
  send(fetch: Fetch, body: Uint8Array, signal: AbortSignal): Promise<Response>;
  /** Sends it as it was given, body and all, without the headers that are ours. */
  pass(fetch: Fetch, input: FetchInput, init: FetchInit | undefined): Promise<Response>;
  /** Asks the same server for something else, with the same credentials. */
  ask(fetch: Fetch, path: string, signal: AbortSignal): Promise<Response>;
}

export function methodOf(input: FetchInput, init: FetchInit | undefined): string {
  return (init?.method ?? (isRequest(input) ? input.method : "GET")).toUpperCase();
}

/** `undefined` for what is no absolute http(s) URL: the wrapped `fetch` says what it thinks of it. */
export function urlOf(input: FetchInput): URL | undefined {
  const text = typeof input === "string" ? input : isRequest(input) ? input.url : input.href;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "http:" || url?.protocol === "https:" ? url : undefined;
}

/** @throws TollgateError `invalid_request` for a header that cannot be read */
export function outgoing(input: FetchInput, init: FetchInit | undefined, url: URL): Outgoing {
  const headers = new Headers(init?.headers ?? (isRequest(input) ? input.headers : undefined));
  const payer = payerOf(headers);
  const names = [...headers.keys()];
  const others = names.some((name) => name.startsWith(OURS)) ? new Headers([...headers].filter(([name]) => !name.startsWith(OURS))) : undefined;
  for (const name of names) if (name.startsWith(OURS) || name === "content-length") headers.delete(name);
  const type = headers.has("content-type") ? undefined : typeOf(init?.body);
  if (type !== undefined) headers.set("content-type", type);
  return {
    url, headers, payer, signal: signalOf(input, init),
    send(fetch, body, signal) {
      const { duplex: _, ...rest } = (init ?? {}) as FetchInit & { duplex?: unknown };
      const ofRequest = isRequest(input) ? { redirect: input.redirect, keepalive: input.keepalive, credentials: input.credentials } : {};
      return fetch(url.href, { ...ofRequest, ...rest, method: "POST", headers, body: headers.has("content-type") ? asText(body) : (body as Uint8Array<ArrayBuffer>), signal });
    },
    pass(fetch, given, options) {
      return others === undefined ? fetch(given, options) : fetch(given, { ...options, headers: others });
    },
    ask(fetch, path, signal) {
      const { duplex: _, body: __, ...rest } = (init ?? {}) as FetchInit & { duplex?: unknown };
      const asking = new Headers(headers);
      for (const name of [...asking.keys()]) if (name.startsWith("content-")) asking.delete(name);
      return fetch(`${url.origin}${path}`, { ...rest, method: "GET", headers: asking, redirect: "error", signal });
    },
  };
}

export function signalOf(input: FetchInput, init: FetchInit | undefined): AbortSignal | undefined {
  return init?.signal === null ? undefined : (init?.signal ?? (isRequest(input) ? input.signal : undefined));
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The same bytes as a text where they are one: the `fetch` of Node 22 cannot send bytes a second time, to where a redirect points. */
function asText(body: Uint8Array): string | Uint8Array<ArrayBuffer> {
  try {
    return utf8.decode(body);
  } catch {
    return body as Uint8Array<ArrayBuffer>;
  }
}

/** What `fetch` says of a body whose type nobody says; it would say nothing of the bytes that are sent instead. */
function typeOf(body: FetchInit["body"]): string | undefined {
  if (typeof body === "string") return "text/plain;charset=UTF-8";
  return body instanceof Blob && body.type !== "" ? body.type : undefined;
}

/** The body's bytes; consumes it, as sending would have. @throws the signal's reason, also while a body comes slowly */
export function bytesOf(input: FetchInput, init: FetchInit | undefined, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = readBytes(input, init);
  if (signal === undefined) return bytes;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    bytes.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

async function readBytes(input: FetchInput, init: FetchInit | undefined): Promise<Uint8Array> {
  const body = init?.body ?? undefined;
  if (body === undefined) return isRequest(input) ? new Uint8Array(await input.arrayBuffer()) : new Uint8Array();
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  return new Uint8Array(await new Response(body).arrayBuffer());
}

function isRequest(input: FetchInput): input is Request {
  return typeof input === "object" && "url" in input && "headers" in input;
}

function payerOf(headers: Headers): Payer {
  const tags = headers.get("x-tollgate-tags")?.split(",").map((tag) => tag.trim()).filter((tag) => tag !== "");
  const metadata = headers.get("x-tollgate-metadata");
  const user = headers.get("x-tollgate-user");
  return mergePayers(undefined, { ...(user === null ? {} : { user }), ...(tags === undefined ? {} : { tags }), ...(metadata === null ? {} : { metadata: objectOf(metadata) }) });
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new TollgateError("invalid_request", "The header x-tollgate-metadata must be a JSON object.", { param: "metadata" });
}
