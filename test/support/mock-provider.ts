import http from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { chargeNanoUsd } from "../../src/base/money.ts";
import { type Behaviour, type Generation, MODEL_BEHAVIOURS, type RequestBody, apiOf, plainAnswer, streamEvents } from "./mock-answers.ts";
import { seededRandom, type Random } from "./seeded-random.ts";

export { type Behaviour, MODEL_BEHAVIOURS } from "./mock-answers.ts";

/** Pico-dollars per token. */
export interface MockPrices {
  readonly inputPico: bigint;
  readonly outputPico: bigint;
  /** Price of cached input; like other input if absent. */
  readonly cachedPico?: bigint;
}

/** A request as it arrived. */
export interface MockRequest {
  /** The id of its bill entry and of the answer. */
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  /** The raw text. */
  readonly text: string;
  readonly body: RequestBody;
}

/** What the provider says it is owed for one request. Tokens are the true ones, whatever the answer's usage claims. */
export interface BillEntry {
  readonly id: string;
  readonly model: string;
  /** `user` of the request, to find the request that a test sent. */
  readonly user: string | null;
  readonly stream: boolean;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** 0 if no answer was begun. */
  readonly status: number;
  /** Zero for answers with an error status; else for all tokens, even when the connection was closed. */
  readonly nanoUsd: bigint;
  /** The last byte of a complete answer was handed to the network. */
  readonly sentFully: boolean;
}

export interface MockProviderOptions {
  readonly host?: string;
  readonly port?: number;
  readonly seed?: number;
  /** Those of gpt-4o-mini unless said otherwise: $0.15 in, $0.075 cached, $0.60 out per million tokens. */
  readonly prices?: MockPrices;
  /** For requests that nothing else decides. */
  readonly standard?: Behaviour;
  /** By model name (what follows the last `/`); beside the names of `MODEL_BEHAVIOURS`. */
  readonly models?: Readonly<Record<string, Behaviour>>;
  /** Asked first; `undefined` leaves it to queue, model and standard. */
  readonly behaviour?: (request: MockRequest, random: Random) => Behaviour | undefined;
  /** Keep received requests (default). Benches and crash tests turn it off. */
  readonly log?: boolean;
}

export interface MockProvider {
  readonly url: string;
  readonly requests: readonly MockRequest[];
  /** Asked first about every later request, in place of the option `behaviour`; `index` counts all requests from 0. */
  behave(decide: (request: MockRequest, index: number) => Behaviour | undefined): void;
  /** The next requests behave so, one each, in order of arrival; before model and standard. */
  enqueue(...behaviours: readonly Behaviour[]): void;
  bill(): { readonly entries: readonly BillEntry[]; readonly totalNanoUsd: bigint };
  /** Requests that are not answered to their end yet. */
  open(): number;
  /** Closes idle keep-alive connections now, as providers do. */
  closeIdle(): void;
  close(): Promise<void>;
}

const PRICES: MockPrices = { inputPico: 150_000n, cachedPico: 75_000n, outputPico: 600_000n };

/**
 * A provider for tests that keeps its own bill and misbehaves on command. Serves embeddings, responses, and any other POST as a chat completion,
 * `GET /v1/models`, and its bill as JSON on `GET /_bill`.
 *
 * @example
 * const provider = await startMockProvider({ seed: 7 });
 * provider.enqueue({ status: 429 }, { fault: "close_mid_body" });
 */
export async function startMockProvider(options: MockProviderOptions = {}): Promise<MockProvider> {
  const seed = options.seed ?? 1;
  const prices = options.prices ?? PRICES;
  const requests: MockRequest[] = [];
  const entries: Mutable<BillEntry>[] = [];
  const queue: Behaviour[] = [];
  let open = 0;
  let decide: ((request: MockRequest, index: number) => Behaviour | undefined) | undefined;

  function bill(): { entries: readonly BillEntry[]; totalNanoUsd: bigint } {
    let totalNanoUsd = 0n;
    for (const entry of entries) totalNanoUsd += entry.nanoUsd;
    return { entries: entries.slice(), totalNanoUsd };
  }

  function behaviourOf(request: MockRequest, index: number, random: Random): Behaviour {
    const name = String(request.body.model ?? "").split("/").at(-1) ?? "";
    const decided = decide === undefined ? options.behaviour?.(request, random) : decide(request, index);
    return decided ?? queue.shift() ?? options.models?.[name] ?? MODEL_BEHAVIOURS[name] ?? options.standard ?? {};
  }

  function serve(incoming: http.IncomingMessage, response: http.ServerResponse, text: string): void {
    if (incoming.method === "GET") {
      serveGet(incoming.url ?? "/", response, bill);
      return;
    }
    const index = entries.length;
    const random = seededRandom(seed * 1_000_003 + index);
    const request: MockRequest = { id: `chatcmpl-mock-${index}`, method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, text, body: parse(text) };
    if (options.log !== false) requests.push(request);
    const behaviour = behaviourOf(request, index, random);
    const generation = generate(request, behaviour, random);
    const status = behaviour.status ?? 200;
    const entry: Mutable<BillEntry> = {
      id: request.id,
      model: String(request.body.model ?? ""),
      user: typeof request.body.user === "string" ? request.body.user : null,
      stream: request.body.stream === true,
      promptTokens: generation.promptTokens,
      cachedTokens: generation.cachedTokens,
      completionTokens: generation.completionTokens,
      status: 0,
      nanoUsd: status >= 300 ? 0n : owed(generation, prices),
      sentFully: false,
    };
    entries.push(entry);
    open += 1;
    response.once("finish", () => {
      entry.sentFully = isWhole(behaviour);
    });
    response.once("close", () => {
      open -= 1;
    });
    const begin = (): void => {
      if (!response.destroyed) answer(request, response, behaviour, generation, random, entry);
    };
    if (behaviour.headDelayMs === undefined) begin();
    else setTimeout(begin, behaviour.headDelayMs);
  }

  const server = http.createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (incoming, response) => {
    const pieces: Buffer[] = [];
    incoming.on("data", (piece: Buffer) => pieces.push(piece));
    incoming.on("end", () => serve(incoming, response, Buffer.concat(pieces).toString("utf8")));
    incoming.on("error", () => {});
    response.on("error", () => {});
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, host, 4_096, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    requests,
    behave: (next) => {
      decide = next;
    },
    enqueue: (...behaviours) => void queue.push(...behaviours),
    bill,
    open: () => open,
    closeIdle: () => server.closeIdleConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Tokens of a request: a quarter of its bytes in, a random part of the output cap out. */
function generate(request: MockRequest, behaviour: Behaviour, random: Random): Generation {
  const { body } = request;
  const api = apiOf(request.path);
  const caps = (api === "responses" ? [body.max_output_tokens] : [body.max_tokens, body.max_completion_tokens]).filter((cap) => typeof cap === "number");
  const cap = Math.max(1, Math.min(...caps, behaviour.outputMaximum ?? (caps.length === 0 ? 200 : Number.MAX_SAFE_INTEGER)));
  const choices = api === "chat" && typeof body.n === "number" && body.n > 0 ? body.n : 1;
  const wanted = behaviour.completionTokens ?? "random";
  const perChoice = wanted === "cap" ? cap : wanted === "random" ? 1 + Math.floor(random() * cap) : wanted;
  const promptTokens = behaviour.promptTokens ?? Math.max(1, Math.floor(request.text.length / 4));
  return { promptTokens, cachedTokens: Math.min(promptTokens, behaviour.cachedTokens ?? 0), completionTokens: api === "embeddings" ? 0 : perChoice * choices, choices };
}

function owed(generation: Generation, prices: MockPrices): bigint {
  const { promptTokens, cachedTokens, completionTokens } = generation;
  const input = BigInt(promptTokens - cachedTokens) * prices.inputPico + BigInt(cachedTokens) * (prices.cachedPico ?? prices.inputPico);
  return chargeNanoUsd(input + BigInt(completionTokens) * prices.outputPico);
}

function isWhole(behaviour: Behaviour): boolean {
  return behaviour.fault === undefined;
}

function answer(request: MockRequest, response: http.ServerResponse, behaviour: Behaviour, generation: Generation, random: Random, entry: Mutable<BillEntry>): void {
  const { fault } = behaviour;
  if (fault === "never_answer") return;
  if (fault === "close_before_head") {
    response.socket?.destroy();
    return;
  }
  if (behaviour.identityOnly === true && request.headers["accept-encoding"] !== "identity") {
    entry.nanoUsd = 0n;
    behaviour = { ...behaviour, status: 406, body: '{"error":{"message":"Only identity is offered.","type":"invalid_request_error","param":null,"code":null}}' };
  }
  const status = behaviour.status ?? 200;
  entry.status = status;
  const api = apiOf(request.path);
  const streams = status === 200 && api !== "embeddings" && (behaviour.stream ?? request.body.stream === true);
  const headers: Record<string, string | string[]> = {
    "content-type": streams ? "text/event-stream; charset=utf-8" : "application/json",
    "x-request-id": request.id,
    ...behaviour.headers,
  };
  if (streams && behaviour.encoding === undefined) {
    response.writeHead(status, headers);
    const events = streamEvents(api, request.id, request.body, behaviour, generation);
    sendPieces(response, behaviour.chop === true || behaviour.trickle === true ? cut(Buffer.from(events.join("")), behaviour, random) : events, behaviour);
    return;
  }
  let bytes = Buffer.from(streams ? streamEvents(api, request.id, request.body, behaviour, generation).join("") : plainAnswer(api, request.id, request.body, behaviour, generation));
  if (behaviour.encoding === "gzip") {
    bytes = gzipSync(bytes);
    headers["content-encoding"] = "gzip";
  }
  if (behaviour.chunked !== true) headers["content-length"] = String(bytes.length);
  response.writeHead(status, headers);
  if (fault === undefined && behaviour.chop !== true && behaviour.trickle !== true) response.end(bytes);
  else sendPieces(response, fault === undefined ? cut(bytes, behaviour, random) : [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)], behaviour);
}

/** Cuts bytes anywhere, within characters and lines too. */
function cut(bytes: Buffer, behaviour: Behaviour, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  const most = behaviour.trickle === true ? 3 : 96;
  for (let from = 0; from < bytes.length; ) {
    const to = from + 1 + Math.floor(random() * most);
    pieces.push(bytes.subarray(from, to));
    from = to;
  }
  return pieces;
}

/** Writes pieces at the asked pace, heeding back-pressure; stops half-way where the behaviour says so. */
function sendPieces(response: http.ServerResponse, pieces: readonly (string | Buffer)[], behaviour: Behaviour): void {
  const { fault, chunkDelayMs } = behaviour;
  const paced = chunkDelayMs !== undefined || behaviour.chop === true || behaviour.trickle === true || fault === "close_mid_body";
  const stopAt = fault === "close_mid_body" || fault === "hang_mid_body" ? Math.max(1, pieces.length >> 1) : pieces.length;
  let next = 0;
  const step = (): void => {
    if (response.destroyed) return;
    while (next < stopAt) {
      const flushed = response.write(pieces[next] as string | Buffer);
      next += 1;
      if (!flushed) {
        response.once("drain", step);
        return;
      }
      if (paced) {
        if (chunkDelayMs !== undefined) setTimeout(step, chunkDelayMs);
        else if (behaviour.trickle === true) setTimeout(step, 1);
        else setImmediate(step);
        return;
      }
    }
    if (fault === "hang_mid_body") return;
    if (fault === "close_mid_body") response.socket?.destroySoon();
    else response.end();
  };
  step();
}

function serveGet(path: string, response: http.ServerResponse, bill: MockProvider["bill"]): void {
  response.setHeader("content-type", "application/json");
  if (path === "/_bill") response.end(JSON.stringify(bill(), (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value)));
  else if (path.endsWith("/models")) response.end('{"object":"list","data":[{"id":"mock","object":"model","created":1,"owned_by":"mock"}]}');
  else response.writeHead(404).end('{"error":{"message":"No such route.","type":"invalid_request_error","param":null,"code":null}}');
}

function parse(text: string): RequestBody {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? (body as RequestBody) : {};
  } catch {
    return {};
  }
}
