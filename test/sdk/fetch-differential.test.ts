import http from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTollgate } from "../../src/app/sdk.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";

// Whatever a server does, a tracked fetch shows its program what the bare one shows.

interface Script {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string;
  readonly gzip: boolean;
  /** Where pieces end. */
  readonly cuts: readonly number[];
  /** The connection breaks after this part of the bytes. */
  readonly breaksAt: number | undefined;
  readonly length: boolean;
}

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const CHUNK = JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, delta: { content: "für 料金 🪙" }, finish_reason: null }] });
const LAST = JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices: [], usage: USAGE });
const ANSWER = JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Hi 🪙" } }], usage: USAGE });

const part = fc.constantFrom(`data: ${CHUNK}\n\n`, `data: ${LAST}\n\n`, "data: [DONE]\n\n", `data: ${CHUNK}\r\n\r\n`, ": ping\n\n", "\n", "\r", "data", "data: {\n\n", "event: x\ndata: 1\n\n", "\ufeff", "id: 7\n", 'data: {"error":{"message":"no"}}\n\n', `data: ${CHUNK.slice(0, 30)}\ndata: ${CHUNK.slice(30)}\n\n`, "\0", "🪙");
const body = fc.oneof(
  fc.array(part, { maxLength: 8 }).map((parts) => parts.join("")),
  fc.constantFrom(ANSWER, "", "{}", "null", "[1]", "<html></html>", ANSWER.slice(0, 40), `${ANSWER} `, `${ANSWER}${ANSWER}`, ANSWER.replace(/"usage":.*/, '"usage":{"prompt_tokens":-1}}')),
);
const script: fc.Arbitrary<Script> = fc.record({
  status: fc.oneof({ weight: 6, arbitrary: fc.constant(200) }, { weight: 3, arbitrary: fc.constantFrom(201, 202, 204, 205, 206, 300, 304, 400, 401, 403, 404, 408, 409, 413, 429, 451, 500, 502, 503, 529, 599) }),
  type: fc.constantFrom("application/json", "text/event-stream", "text/event-stream; charset=utf-8", "TEXT/EVENT-STREAM", "text/html", "application/octet-stream", undefined),
  body,
  gzip: fc.boolean(),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
  breaksAt: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined, freq: 3 }),
  length: fc.boolean(),
});

let current: Script;
let server: http.Server;
let url: string;
beforeAll(async () => {
  server = http.createServer((request, response) => {
    request.on("data", () => {}).on("end", () => {
      const { status, type, gzip, cuts, breaksAt, length } = current;
      const empty = status === 204 || status === 205 || status === 304;
      const bytes = empty ? Buffer.alloc(0) : gzip ? gzipSync(current.body) : Buffer.from(current.body);
      response.writeHead(status, { "x-note": "yes", ...(type === undefined ? {} : { "content-type": type }), ...(gzip && !empty ? { "content-encoding": "gzip" } : {}), ...(length && !empty ? { "content-length": String(bytes.length) } : {}) });
      const stop = breaksAt === undefined || empty ? undefined : Math.floor(breaksAt * bytes.length);
      const ends = [...new Set([...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length])].filter((end) => stop === undefined || end < stop).sort((a, b) => a - b);
      if (stop !== undefined) ends.push(stop);
      let from = 0;
      const next = (): void => {
        const end = ends.shift();
        if (end === undefined) {
          if (stop === undefined) response.end();
          else response.socket?.destroySoon();
          return;
        }
        const piece = bytes.subarray(from, end);
        from = end;
        if (piece.length === 0) next();
        else response.write(piece, () => setImmediate(next));
      };
      response.flushHeaders();
      next();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`;
});
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

const REQUESTS = {
  "chat/completions": { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 50, stream_options: { include_usage: true }, stream: true },
  "embeddings": { model: "text-embedding-3-small", input: "Hi" },
  "responses": { model: "gpt-4o-mini", input: "Hi", max_output_tokens: 50, stream: true },
  "images/generations": { model: "gpt-image-1", prompt: "x" },
} as const;

/** All that a program sees: the head, and the bytes up to an end or an error of this kind. */
async function seenBy(fetch: typeof globalThis.fetch, route: keyof typeof REQUESTS): Promise<{ head: unknown[]; text: string; hasBody: boolean } | { broke: string }> {
  let text = "";
  let head: unknown[] = [];
  try {
    const response = await fetch(url + route, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(REQUESTS[route]) });
    head = [response.status, response.statusText, response.url, response.redirected, response.type, response.ok, response.headers.get("content-type"), response.headers.get("x-note")];
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    if (response.body !== null) for await (const bytes of response.body as ReadableStream<Uint8Array>) text += decoder.decode(bytes, { stream: true });
    return { head, text, hasBody: response.body !== null };
  } catch (error) {
    // How much came before a break is a matter of time; that it broke, and as what, is not.
    return { broke: (error as Error).constructor.name };
  }
}

const DONE = /data: ?\[DONE\]/;
const upToDone = (text: string): string => text.slice(0, text.search(DONE));

test("for any answer, whole or broken off, in any pieces: the same head, the same bytes, the same kind of error; one entry, nothing held", async () => {
  const entries: Entry[] = [];
  const tollgate = createTollgate({ onEntry: (entry) => entries.push(entry) });
  const tracked = tollgate.track(globalThis.fetch);
  const plane = await tollgate.plane();
  await fc.assert(fc.asyncProperty(script, fc.constantFrom(...(Object.keys(REQUESTS) as (keyof typeof REQUESTS)[])), async (given, route) => {
    current = given;
    const bare = await seenBy(globalThis.fetch, route);
    entries.length = 0;
    const ours = await seenBy(tracked, route);
    // A stream ends with [DONE], whatever becomes of the connection afterwards.
    const isStream = (route === "chat/completions" || route === "responses") && /event-stream/i.test(given.type ?? "");
    const isDone = isStream && "text" in ours && DONE.test(ours.text);
    if (isDone && "text" in bare) for (const one of [ours, bare]) one.text = upToDone(one.text);
    // An error page that broke off is an error page: what came of it is shown, with its status.
    if ("broke" in bare && isDone) expect(ours.head[0]).toBe(given.status);
    else if ("broke" in bare && given.status >= 300 && !("broke" in ours)) expect(ours.head[0]).toBe(given.status);
    else expect(ours).toEqual(bare);
    await expect.poll(() => entries.length, { interval: 1 }).toBe(1);
    const held = await new Promise((resolve) => plane.engine.books.standing(GLOBAL_SCOPE, undefined, LIFETIME, (error, standing) => resolve(error ?? standing.held)));
    expect(held).toBe(0n);
    expect(BigInt(entries[0]?.cost ?? -1)).toBeGreaterThanOrEqual(0n);
  }), { numRuns: 400, endOnFailure: true });
  await tollgate.close();
});
