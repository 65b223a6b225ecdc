import http from "node:http";
import type { AddressInfo } from "node:net";
import { readChat, type ChatRequest, type Complaint } from "./read-chat.ts";
import { compose, type Answer } from "./compose.ts";
import { embeddingsOf } from "./embed.ts";
import { readEmbeddings } from "./read-embeddings.ts";
import { readResponse } from "./read-response.ts";
import { plainResponseOf, responseEventsOf } from "./response-wire.ts";
import { faultOf } from "./faults.ts";
import { eventsOf, plainOf } from "./wire.ts";

export interface SimulatedProviderOptions {
  /** 127.0.0.1 unless said otherwise. */
  readonly host?: string;
  /** A free one unless said otherwise. */
  readonly port?: number;
  /** The same seed answers the same request alike. */
  readonly seed?: number;
  /** How many times faster than life; `Infinity` never waits. */
  readonly speed?: number;
  /** The share of requests that fail (503, or an answer that breaks off), 0 to 1; none unless said otherwise. */
  readonly faultShare?: number;
}

export interface SimulatedProvider {
  readonly url: string;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 10 * 1024 * 1024;
const MODELS = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "text-embedding-3-small"];

/**
 * A real HTTP server that speaks the OpenAI API (chat completions, responses, embeddings) without a model behind it, so that the gateway can be tried
 * without a key. It says that it is simulated in a header of every answer, and in every text.
 *
 * @example
 * const provider = await startSimulatedProvider({ seed: 1 });
 * await fetch(`${provider.url}/v1/chat/completions`, { method: "POST", body: '{"model":"any","messages":[{"role":"user","content":"Hi"}]}' });
 */
export async function startSimulatedProvider(options: SimulatedProviderOptions = {}): Promise<SimulatedProvider> {
  const { host = "127.0.0.1", port = 0, seed = 1, speed = 1, faultShare = 0 } = options;
  const simulation = new Simulation(seed, speed, faultShare);
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => simulation.serve(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, 1_024, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** How an API asks for text and gets it. */
interface GenerationApi {
  read(text: string): { readonly chat: ChatRequest } | { readonly complaint: Complaint };
  plain(chat: ChatRequest, answer: Answer): unknown;
  events(chat: ChatRequest, answer: Answer): readonly string[];
}

const CHAT: GenerationApi = { read: readChat, plain: plainOf, events: eventsOf };
const RESPONSES: GenerationApi = { read: readResponse, plain: plainResponseOf, events: responseEventsOf };
const EMBEDDING_MS = 15;

class Simulation {
  private readonly seed: number;
  private readonly speed: number;
  private readonly faultShare: number;
  /** Beginnings of long prompts that were seen; a provider would have them in its cache. */
  private readonly beginnings = new Set<string>();

  private readonly routes: ReadonlyMap<string, (text: string, response: http.ServerResponse) => void> = new Map([
    ["/chat/completions", (text, response) => this.speak(CHAT, text, response)],
    ["/responses", (text, response) => this.speak(RESPONSES, text, response)],
    ["/embeddings", (text, response) => this.embed(text, response)],
  ]);

  constructor(seed: number, speed: number, faultShare: number) {
    this.seed = seed;
    this.speed = speed;
    this.faultShare = faultShare;
  }

  serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    response.setHeader("x-tollgate-simulated", "true");
    const path = (request.url ?? "/").replace(/\?.*$/s, "").replace(/^\/v1(?=\/)/, "");
    if (path === "/health" || path === "/") return sendJson(response, 200, { status: "ok", simulated: true });
    if (path === "/models") return sendJson(response, 200, { object: "list", data: MODELS.map((id) => ({ id, object: "model", created: 0, owned_by: "simulated" })) });
    const answerTo = this.routes.get(path);
    if (answerTo === undefined) return sendError(response, 404, { message: `The simulated provider has no route ${path.slice(0, 200)}.`, param: null });
    if (request.method !== "POST") return sendError(response, 405, { message: "This route is asked with POST.", param: null });
    const pieces: Buffer[] = [];
    let size = 0;
    request.on("data", (piece: Buffer) => {
      size += piece.length;
      if (size <= BODY_BYTES_MAX) pieces.push(piece);
    });
    request.on("end", () => {
      if (size > BODY_BYTES_MAX) sendError(response, 413, { message: "The body is larger than 10 MB.", param: null });
      else answerTo(Buffer.concat(pieces).toString("utf8"), response);
    });
  }

  private speak(api: GenerationApi, text: string, response: http.ServerResponse): void {
    const read = api.read(text);
    if ("complaint" in read) {
      sendError(response, 400, read.complaint);
      return;
    }
    const answer = compose(read.chat, text, this.seed, this.beginnings);
    const fault = faultOf(text, this.seed, this.faultShare);
    if (fault === "overloaded") this.after(answer.firstMs, response, () => sendError(response, 503, { message: "The model is overloaded; try again later.", param: null }, "server_error"));
    else if (read.chat.stream) this.stream(api.events(read.chat, answer), answer, response, fault === "broken");
    else this.after(answer.wholeMs, response, () => (fault === "broken" ? breakOff(response) : sendJson(response, 200, api.plain(read.chat, answer))));
  }

  private embed(text: string, response: http.ServerResponse): void {
    const read = readEmbeddings(text);
    if ("complaint" in read) sendError(response, 400, read.complaint);
    else this.after(EMBEDDING_MS, response, () => sendJson(response, 200, embeddingsOf(read.embeddings, this.seed)));
  }

  private stream(events: readonly string[], answer: Answer, response: http.ServerResponse, breaks: boolean): void {
    const last = breaks ? Math.ceil(events.length / 2) : events.length;
    let next = 0;
    const step = (): void => {
      if (next === 0) response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
      if (next === last) {
        if (breaks) response.destroy();
        else response.end();
        return;
      }
      const flushed = response.write(events[next] as string);
      next += 1;
      if (flushed) this.after(answer.betweenMs, response, step);
      else response.once("drain", step);
    };
    this.after(answer.firstMs, response, step);
  }

  private after(delayMs: number, response: http.ServerResponse, then: () => void): void {
    const scaledMs = delayMs / this.speed;
    const run = (): void => {
      if (!response.destroyed) then();
    };
    if (scaledMs < 1) setImmediate(run);
    else setTimeout(run, scaledMs);
  }
}

function sendJson(response: http.ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) }).end(text);
}

/** A head that promises a body, and then nothing. */
function breakOff(response: http.ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": 1_000 });
  response.write('{"id":', () => response.destroy());
}

function sendError(response: http.ServerResponse, status: number, complaint: Complaint, type = "invalid_request_error"): void {
  sendJson(response, status, { error: { message: `[simulated] ${complaint.message}`, type, param: complaint.param, code: null } });
}
