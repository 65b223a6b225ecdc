// The floor: the least that a Node proxy of JSON can do. `node:http` in front, `undici.Pool` behind, the request parsed and
// written again, the answer parsed and forwarded; a stream is a bare pipe. No keys, no money, no books.
// Usage: node floor.ts PORT UPSTREAM_ORIGIN
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Pool } from "undici";

const [port, origin] = process.argv.slice(2);
if (port === undefined || origin === undefined) throw new Error("Usage: node floor.ts PORT UPSTREAM_ORIGIN");
const pool = new Pool(origin);
const headers = { "content-type": "application/json", authorization: "Bearer simulated" };

async function forwardPlain(path: string, body: string, response: ServerResponse): Promise<void> {
  const upstream = await pool.request({ path, method: "POST", headers, body });
  const text = await upstream.body.text();
  JSON.parse(text);
  response.writeHead(upstream.statusCode, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function forwardStream(path: string, body: string, response: ServerResponse): void {
  pool.dispatch({ path, method: "POST", headers, body }, {
    onRequestStart(controller) {
      response.on("close", () => {
        if (!response.writableFinished) controller.abort(new Error("client gone"));
      });
      response.on("drain", () => controller.resume());
    },
    onResponseStart(_controller, status) {
      response.writeHead(status, { "content-type": "text/event-stream" });
    },
    onResponseData(controller, chunk) {
      if (!response.write(chunk)) controller.pause();
    },
    onResponseEnd() {
      response.end();
    },
    onResponseError() {
      response.destroy();
    },
  });
}

function receive(request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", () => {
    const parsed = JSON.parse(Buffer.concat(pieces).toString()) as { stream?: boolean };
    const body = JSON.stringify(parsed);
    if (parsed.stream === true) forwardStream(request.url ?? "/", body, response);
    else forwardPlain(request.url ?? "/", body, response).catch(() => response.destroy());
  });
}

createServer((request, response) => {
  if (request.method === "GET") response.end("ready");
  else receive(request, response);
}).listen(Number(port), "127.0.0.1", 4_096);
process.on("SIGTERM", () => process.exit(0)); // an orderly end, so that a profiler can write its file
