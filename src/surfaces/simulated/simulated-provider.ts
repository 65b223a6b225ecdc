import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { eventsOf, inventAnswer, plainBody, readSimulatedRequest } from "./simulated-answer.ts";

export interface SimulatedProviderOptions {
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port?: number;
  /** 2 answers twice as fast; `Infinity` without waiting. */
  readonly speed?: number;
  /** Makes answers repeat from run to run. */
  readonly seed?: number;
}

export interface SimulatedProvider {
  /** The origin, without `/v1`. */
  readonly url: string;
  close(): Promise<void>;
}

const BODY_LIMIT_BYTES = 16 * 1024 * 1024;
const MODELS = ["gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5"];

/**
 * A provider that calls no model: a real HTTP server in OpenAI's shape, for trying Tollgate without a key. Everything
 * it says is labelled: header `x-tollgate-simulated`, `system_fingerprint`, and the first word of each text.
 *
 * @example
 * const provider = await startSimulatedProvider({ speed: 10 });
 * await fetch(`${provider.url}/v1/chat/completions`, { method: "POST", body });
 */
export async function startSimulatedProvider(options: SimulatedProviderOptions = {}): Promise<SimulatedProvider> {
  const { host = "127.0.0.1", port = 0, speed = 1, seed } = options;
  const random = seed === undefined ? Math.random : seededRandom(seed);
  const waitMs = (least: number, most: number): Promise<void> | undefined => {
    const durationMs = (least + random() * (most - least)) / speed;
    return durationMs >= 1 ? pause(durationMs) : undefined;
  };

  async function complete(body: Uint8Array, response: ServerResponse): Promise<void> {
    const request = readSimulatedRequest(body);
    if (typeof request === "string") {
      sendError(response, 400, "invalid_request_error", request);
      return;
    }
    const answer = inventAnswer(request, body.length, Date.now(), random);
    await waitMs(30, 90);
    if (!request.stream) {
      send(response, 200, plainBody(request, answer));
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    for (const event of eventsOf(request, answer)) {
      if (response.destroyed) return;
      if (!response.write(`data: ${event}\n\n`)) await drained(response);
      await waitMs(2, 12);
    }
    response.end();
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("x-tollgate-simulated", "true");
    const path = request.url?.split("?", 1)[0] ?? "";
    if (request.method === "GET" && path.endsWith("/models")) {
      send(response, 200, JSON.stringify({ object: "list", data: MODELS.map((id) => ({ id, object: "model", created: 0, owned_by: "simulated" })) }));
      return;
    }
    if (request.method !== "POST" || !path.endsWith("/chat/completions")) {
      sendError(response, 404, "invalid_request_error", "The simulated provider serves POST /v1/chat/completions and GET /v1/models.");
      return;
    }
    const body = await readBody(request);
    if (body === undefined) sendError(response, 413, "invalid_request_error", `The body is larger than ${BODY_LIMIT_BYTES} bytes.`);
    else await complete(body, response);
  }

  const server = http.createServer((request, response) => {
    // Only a client that went away gets here; there is nobody left to tell.
    serve(request, response).catch(() => response.destroy());
  });
  server.listen(port, host);
  await once(server, "listening");
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // The rest is read and dropped, so that the client hears the answer.
    if (bytes <= BODY_LIMIT_BYTES) chunks.push(chunk);
  }
  return bytes > BODY_LIMIT_BYTES ? undefined : Buffer.concat(chunks);
}

/** Waits for a slow reader, or for its end. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}

function sendError(response: ServerResponse, status: number, type: string, message: string): void {
  send(response, status, JSON.stringify({ error: { message: `[simulated] ${message}`, type, param: null, code: null } }));
}

/** A linear congruential generator: enough for invented words, the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
