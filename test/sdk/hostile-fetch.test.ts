import http from "node:http";
import net from "node:net";
import type { AddressInfo } from "node:net";
import v8 from "node:v8";
import vm from "node:vm";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTollgate } from "../../src/app/sdk.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";
import type { Tollgate } from "../../src/surfaces/sdk/tollgate.ts";
import { trackedCost } from "../../src/surfaces/sdk/track/track-fetch.ts";

// Every case ends the same way: one entry for each request that was sent, and nothing held.

const BODY = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 100 });
const STREAM = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 100, stream: true });
const USAGE = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };
const COST = 210_000n;
const ANSWER = JSON.stringify({ id: "c1", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Hello" } }], usage: USAGE });
const chunk = (more: object): string => JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", ...more });
const TEXT = chunk({ choices: [{ index: 0, delta: { content: "Hello" }, finish_reason: null }] });
const LAST = chunk({ choices: [], usage: USAGE });

type Serve = (request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => void;
let serve: Serve;
let seen: { method: string; headers: http.IncomingHttpHeaders; body: Buffer }[];
let server: http.Server;
let url: string;
let entries: Entry[];
let tollgate: Tollgate;

const plain: Serve = (_, response) => void response.writeHead(200, { "content-type": "application/json" }).end(ANSWER);
const events = (...bytes: string[]): Serve => (_, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const one of bytes) response.write(one);
  response.end();
};

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("error", () => {});
    request.on("data", (piece: Buffer) => pieces.push(piece)).on("end", () => {
      const body = Buffer.concat(pieces);
      seen.push({ method: request.method ?? "", headers: request.headers, body });
      serve(request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/chat/completions`;
});
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  seen = [];
  entries = [];
  serve = plain;
  tollgate = createTollgate({ maxBudget: 100, onEntry: (entry) => entries.push(entry) });
});
afterEach(() => tollgate.close());

const tracked = (fetch: typeof globalThis.fetch = globalThis.fetch): typeof globalThis.fetch => tollgate.track(fetch);
const post = (more: RequestInit = {}): RequestInit => ({ method: "POST", headers: { "content-type": "application/json" }, body: BODY, ...more });
const costs = (): bigint[] => entries.map((entry) => BigInt(entry.cost));

async function held(): Promise<bigint> {
  const plane = await tollgate.plane();
  return new Promise((resolve, reject) => plane.engine.books.standing(GLOBAL_SCOPE, undefined, LIFETIME, (error, standing) => (error === undefined ? resolve(standing.held) : reject(error))));
}

/** So many attempts are in the books, and nothing is held. */
async function settled(attempts: number): Promise<void> {
  await expect.poll(() => entries.length, { timeout: 5_000 }).toBe(attempts);
  expect(await held()).toBe(0n);
}

describe("requests", () => {
  test("strings, bytes, blobs, buffers and streams arrive as they were given, with the type that fetch would give them", async () => {
    const fetch = tracked();
    const bodies: (() => NonNullable<RequestInit["body"]>)[] = [() => BODY, () => new TextEncoder().encode(BODY), () => new TextEncoder().encode(BODY).buffer as ArrayBuffer, () => new Blob([BODY], { type: "application/json" }), () => new Blob([BODY]).stream()];
    for (const make of bodies) {
      const options = { method: "POST", duplex: "half" } as RequestInit;
      await (await globalThis.fetch(url, { ...options, body: make() })).text();
      await (await fetch(url, { ...options, body: make() })).text();
      const [bare, ours] = seen.splice(0);
      expect(ours?.body).toEqual(bare?.body);
      expect(ours?.headers["content-type"]).toBe(bare?.headers["content-type"]);
    }
    await settled(bodies.length);
  });

  test("a Request goes as it is; one whose body was used, or a body that breaks, rejects as fetch does, with nothing held", async () => {
    const fetch = tracked();
    const request = new Request(url, post({ headers: { "content-type": "application/json", "x-mine": "yes" } }));
    expect((await fetch(request)).status).toBe(200);
    expect(seen[0]?.headers).toMatchObject({ "x-mine": "yes", "content-type": "application/json" });
    await expect(fetch(request)).rejects.toThrow(TypeError);
    const breaks = new ReadableStream({ pull: () => { throw new Error("broken body"); } });
    await expect(fetch(url, post({ body: breaks, duplex: "half" } as RequestInit))).rejects.toThrow();
    await settled(1);
  });

  test("a body that never ends is given up with its signal", async () => {
    const stop = new AbortController();
    const endless = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
    const pending = tracked()(url, post({ body: endless, signal: stop.signal, duplex: "half" } as RequestInit));
    setTimeout(() => stop.abort(new Error("enough")), 20);
    await expect(pending).rejects.toThrow("enough");
    await settled(0);
  });

  test("forms, empty bodies and what is no JSON are answered 400 and never sent; HEAD, GET and OPTIONS pass", async () => {
    const fetch = tracked();
    const form = new FormData();
    form.set("model", "gpt-4o-mini");
    for (const body of [form, new URLSearchParams("a=b"), "", "{", "[]", "null", "\0"]) expect((await fetch(url, { method: "POST", body })).status, String(body)).toBe(400);
    expect((await fetch(url, { method: "POST" })).status).toBe(400);
    for (const method of ["HEAD", "GET", "OPTIONS"]) expect((await fetch(url, { method })).status).toBe(200);
    expect((await fetch(url, post({ keepalive: true }))).status).toBe(200);
    await settled(1);
  });
});

describe("signals", () => {
  test("aborted before it is sent, of the options or of a Request: rejects with the reason, nothing is sent and nothing charged", async () => {
    const fetch = tracked();
    const gone = AbortSignal.abort(new Error("before"));
    await expect(fetch(url, post({ signal: gone }))).rejects.toThrow("before");
    await expect(fetch(new Request(url, post({ signal: gone })))).rejects.toThrow();
    await expect(fetch(url, post({ signal: AbortSignal.any([gone, new AbortController().signal]) }))).rejects.toThrow("before");
    const soon = new AbortController();
    const pending = fetch(url, post({ signal: soon.signal }));
    soon.abort(new Error("at once"));
    await expect(pending).rejects.toThrow("at once");
    await tollgate.flush();
    expect(seen.length).toBe(0);
    expect(costs().every((cost) => cost === 0n)).toBe(true);
    expect(await held()).toBe(0n);
  });

  test("aborted while it waits for the answer: rejects with the reason, and the hold is charged", async () => {
    serve = () => {};
    const stop = new AbortController();
    const pending = tracked()(url, post({ signal: AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]) }));
    await expect.poll(() => seen.length).toBe(1);
    stop.abort(new Error("while"));
    await expect(pending).rejects.toThrow("while");
    await settled(1);
    expect(entries[0]).toMatchObject({ status: "client_gone", cost: entries[0]?.held });
  });

  test("aborted while the stream is read: the reader rejects with the reason, as of any fetch, and what was seen is charged", async () => {
    serve = (_, response) => void response.writeHead(200, { "content-type": "text/event-stream" }).write(`data: ${TEXT}\n\n`);
    const stop = new AbortController();
    const response = await tracked()(url, post({ body: STREAM, signal: stop.signal }));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const pending = reader.read();
    stop.abort(new Error("midway"));
    await expect(pending).rejects.toThrow("midway");
    await settled(1);
    expect(entries[0]).toMatchObject({ status: "client_gone" });
    expect(costs()[0]).toBeGreaterThan(0n);
  });

  test("aborted after the end: nothing more happens", async () => {
    const stop = new AbortController();
    const response = await tracked()(url, post({ signal: stop.signal }));
    stop.abort();
    expect(await response.text()).toBe(ANSWER);
    await settled(1);
    expect(costs()).toEqual([COST]);
  });
});

describe("answers", () => {
  test("a body is read as of any fetch: twice is an error, a clone has its own, tee and iteration work; url and type survive a clone", async () => {
    const fetch = tracked();
    const response = await fetch(url, post());
    const clone = response.clone();
    expect([clone.url, clone.status]).toEqual([url, 200]);
    expect([await response.text(), await clone.text()]).toEqual([ANSWER, ANSWER]);
    await expect(response.text()).rejects.toThrow(TypeError);
    serve = events(`data: ${TEXT}\n\n`, `data: ${LAST}\n\n`, "data: [DONE]\n\n");
    const [one, two] = ((await fetch(url, post({ body: STREAM }))).body as ReadableStream<Uint8Array>).tee();
    expect(await new Response(one).text()).toBe(await new Response(two).text());
    await settled(2);
    expect(costs()).toEqual([COST, COST]);
  });

  test("a stream that is cancelled unread, or left by break, is charged for what was seen", async () => {
    serve = (_, response) => void response.writeHead(200, { "content-type": "text/event-stream" }).write(`data: ${TEXT}\n\n`);
    const fetch = tracked();
    await (await fetch(url, post({ body: STREAM }))).body?.cancel();
    for await (const _ of (await fetch(url, post({ body: STREAM }))).body as ReadableStream<Uint8Array>) break;
    await settled(2);
    expect(entries.map((entry) => entry.status)).toEqual(["client_gone", "client_gone"]);
  });

  test("a response that nobody reads and nobody keeps gives its money back once it is collected", async () => {
    v8.setFlagsFromString("--expose-gc");
    const gc = vm.runInNewContext("gc") as () => void;
    serve = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (let at = 0; at < 2_000; at += 1) response.write(`data: ${TEXT}\n\n`);
    };
    const fetch = tracked();
    await (async () => void (await fetch(url, post({ body: STREAM }))))();
    await expect.poll(() => {
      gc();
      return entries.length;
    }, { timeout: 5_000 }).toBe(1);
    await settled(1);
    // One that somebody waits for is not collected.
    let text = "";
    serve = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(`data: ${TEXT}\n\n`);
      setTimeout(() => response.end(`data: ${LAST}\n\ndata: [DONE]\n\n`), 200);
    };
    const reading = (async () => {
      for await (const bytes of (await fetch(url, post({ body: STREAM }))).body as ReadableStream<Uint8Array>) text += new TextDecoder().decode(bytes);
    })();
    const timer = setInterval(gc, 20);
    await reading;
    clearInterval(timer);
    expect(text).toContain("[DONE]");
    await settled(2);
  });

  test("a fetch that throws at once, or rejects with anything at all, rejects with just that; nothing stays held", async () => {
    const nothing = Object.create(null) as object;
    const hostile = { get cause(): never { throw new Error("trap"); }, get message(): never { throw new Error("trap"); } };
    const reasons: unknown[] = [new Error("x"), "text", 0, undefined, null, nothing, hostile, Symbol("s"), new DOMException("gone", "AbortError")];
    for (const reason of reasons) {
      await expect(tracked(() => Promise.reject(reason as Error))(url, post()).then(() => "no", (caught: unknown) => [caught])).resolves.toEqual([reason]);
    }
    await expect(tracked((() => { throw new RangeError("sync"); }) as never)(url, post())).rejects.toThrow("sync");
    await settled(reasons.length + 1);
  });

  test("a fetch that answers with no Response, a used one or one of status 0 rejects; nothing stays held", async () => {
    const used = new Response("x");
    await used.text();
    for (const answer of [undefined, {}, { status: 200, headers: new Headers(), body: {} }, used, Response.error()]) {
      await expect(tracked(async () => answer as Response)(url, post())).rejects.toThrow();
    }
    await settled(5);
  });

  test("an error page with status 200, an empty body and 204 are handed on and charged at the hold, marked", async () => {
    const fetch = tracked();
    serve = (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>maintenance</html>");
    expect(await (await fetch(url, post())).text()).toBe("<html>maintenance</html>");
    serve = (_, response) => void response.writeHead(200).end();
    expect(await (await fetch(url, post({ body: STREAM }))).text()).toBe("");
    serve = (_, response) => void response.writeHead(204).end();
    const empty = await fetch(url, post());
    expect([empty.status, empty.body]).toEqual([204, null]);
    await settled(3);
    expect(entries.every((entry) => entry.estimated !== null && entry.cost === entry.held)).toBe(true);
  });

  test("a compressed answer and a compressed stream cost what they cost plain", async () => {
    const fetch = tracked();
    serve = (_, response) => void response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(gzipSync(ANSWER));
    expect(await (await fetch(url, post())).text()).toBe(ANSWER);
    const text = `data: ${TEXT}\n\ndata: ${LAST}\n\ndata: [DONE]\n\n`;
    serve = (_, response) => void response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" }).end(gzipSync(text));
    expect(await (await fetch(url, post({ body: STREAM }))).text()).toBe(`data: ${TEXT}\n\ndata: [DONE]\n\n`);
    await settled(2);
    expect(costs()).toEqual([COST, COST]);
  });

  test("redirects are followed as the program asked: 307 with the body, by hand untouched, and as an error", async () => {
    const fetch = tracked();
    serve = (request, response, body) => {
      if (request.url?.endsWith("?again") === true) plain(request, response, body);
      else response.writeHead(307, { location: `${url}?again` }).end();
    };
    const followed = await fetch(url, post());
    expect([followed.status, followed.redirected, followed.url]).toEqual([200, true, `${url}?again`]);
    expect(JSON.parse(seen[1]?.body.toString() ?? "")).toEqual(JSON.parse(BODY));
    const byHand = await fetch(url, post({ redirect: "manual" }));
    expect([byHand.status, byHand.headers.get("location")]).toEqual([307, `${url}?again`]);
    await expect(fetch(url, post({ redirect: "error" }))).rejects.toThrow(TypeError);
    await settled(3);
    expect(costs().slice(0, 2)).toEqual([COST, 0n]);
  });

  test("a length that promises more than comes breaks off as of any fetch, and the hold is charged", async () => {
    const liar = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n${ANSWER}`));
    });
    await new Promise<void>((resolve) => liar.listen(0, "127.0.0.1", resolve));
    const there = `http://127.0.0.1:${(liar.address() as AddressInfo).port}/v1/chat/completions`;
    await expect(tracked()(there, post()).then((response) => response.text())).rejects.toThrow(TypeError);
    await settled(1);
    expect(entries[0]).toMatchObject({ status: "cut_short", cost: entries[0]?.held });
    await new Promise((resolve) => liar.close(resolve));
  });
});

describe("streams", () => {
  const pieces = (text: string, size: number): string[] => Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size));
  const cases: Readonly<Record<string, string>> = {
    "line feeds": `data: ${TEXT}\n\ndata: ${LAST}\n\ndata: [DONE]\n\n`,
    "carriage returns and line feeds": `data: ${TEXT}\r\n\r\ndata: ${LAST}\r\n\r\ndata: [DONE]\r\n\r\n`,
    "a byte order mark": `\ufeffdata: ${TEXT}\n\ndata: ${LAST}\n\ndata: [DONE]\n\n`,
    "comments, ids and event names": `: hello\n\nid: 1\nevent: message\ndata: ${TEXT}\n\n:\n\n: ping\nretry: 10\ndata: ${LAST}\n\ndata: [DONE]\n\n`,
    "data over several lines": `data: ${TEXT.slice(0, 20)}\ndata: ${TEXT.slice(20)}\n\ndata: ${LAST.replace(',"usage"', ',\ndata: "usage"')}\n\ndata: [DONE]\n\n`,
    "no space after the colon": `data:${TEXT}\n\ndata:${LAST}\n\ndata:[DONE]\n\n`,
    "no blank line at the end": `data: ${TEXT}\n\ndata: ${LAST}\n\ndata: [DONE]`,
  };
  for (const [name, text] of Object.entries(cases)) {
    test(`${name}: whole, and a byte at a time, costs what the plain answer costs`, async () => {
      const fetch = tracked();
      for (const size of [10_000, 7, 1]) {
        serve = events(...pieces(text, size));
        await (await fetch(url, post({ body: STREAM }))).text();
      }
      await settled(3);
      expect(entries.map((entry) => [BigInt(entry.cost), entry.estimated])).toEqual(Array(3).fill([COST, null]));
    });
  }

  test("without [DONE], with an event that is no JSON, or without usage: bytes are handed on as they came and the hold is charged, or what was told if that is more, marked", async () => {
    const fetch = tracked();
    for (const text of [`data: ${TEXT}\n\ndata: ${LAST}\n\n`, `data: ${TEXT}\n\n`, `data: {oops\n\ndata: [DONE]\n\n`, "data: [DONE]\n\n", ""]) {
      serve = events(text);
      const read = await (await fetch(url, post({ body: STREAM }))).text();
      expect(text.replace(`data: ${LAST}\n\n`, "").startsWith(read.slice(0, 20))).toBe(true);
    }
    await settled(5);
    expect(entries.every((entry) => entry.estimated !== null && BigInt(entry.cost) >= BigInt(entry.held))).toBe(true);
  });

  test("asked for a stream and answered plain, and the other way: handed on and charged once, exactly", async () => {
    const fetch = tracked();
    expect(await (await fetch(url, post({ body: STREAM }))).text()).toBe(ANSWER);
    serve = events(`data: ${TEXT}\n\n`, `data: ${LAST}\n\n`, "data: [DONE]\n\n");
    await (await fetch(url, post())).text();
    await settled(2);
    expect(costs()).toEqual([COST, COST]);
  });
});

test("callbacks hear of streams that are left, broken or nonsense as failures with their cost, and never break the stream or the process", async () => {
  const told: [string, string, boolean][] = [];
  tollgate.successCallbacks = [(call) => void told.push(["ok", call.type, call.responseCost > 0])];
  tollgate.failureCallbacks = [(call, error) => void told.push([(error as Error).message.slice(0, 20), call.type, Number(call.responseCost) > 0])];
  const fetch = tracked();
  const there = url.replace("chat/completions", "responses");
  const body = JSON.stringify({ model: "gpt-4o-mini", input: "Hi", stream: true, max_output_tokens: 100 });
  serve = (_, response) => void response.writeHead(200, { "content-type": "text/event-stream" }).write(`data: {"type":"response.in_progress"}\n\n`);
  await (await fetch(there, post({ body }))).body?.cancel();
  serve = events(`data: {"type":"response.output_text.delta"}\n\ndata: 7\n\ndata: {"type":"response.completed","response":null}\n\n`);
  await (await fetch(there, post({ body }))).text();
  const large = "x".repeat(17 * 1024 * 1024);
  serve = events(`data: {"type":"response.image","b64":"${large}"}\n\n`);
  expect((await (await fetch(there, post({ body }))).text()).length).toBeGreaterThan(large.length);
  await settled(3);
  await tollgate.flush();
  expect(told.map(([what, ...rest]) => [what === "ok", ...rest])).toEqual([[false, "responses", true], [false, "responses", true], [false, "responses", true]]);
  expect(told[0]?.[0]).toBe("The stream was left ");
});

test("two instances on each other charge once, in the outer one; callbacks that call are metered by themselves", async () => {
  const inner: Entry[] = [];
  await using other = createTollgate({ onEntry: (entry) => inner.push(entry) });
  const fetch = tollgate.track(other.track(tollgate.track(globalThis.fetch)));
  let called = 0;
  tollgate.successCallbacks = [async () => {
    called += 1;
    if (called === 1) await fetch(url, post());
  }];
  const response = await fetch(url, post());
  expect((await trackedCost(response))?.total).toBe("0.00021");
  await expect.poll(() => entries.length).toBe(2);
  expect([inner.length, seen.length]).toEqual([0, 2]);
  await settled(2);
});
