import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TollgateError } from "../../base/errors.ts";
import { errorBody, statusOf } from "./status.ts";

/** How long a client may take, in milliseconds. */
export interface ClientPatience {
  /** For the head of a request. */
  readonly headMs: number;
  /** For a request to arrive whole, body included. */
  readonly requestMs: number;
  /** Without a byte in either direction while a request is open; longer than the longest request. */
  readonly silenceMs: number;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const KEEP_ALIVE_MS = 65_000;

/** An HTTP/1.1 server that no client can hold up, and that says in JSON what is wrong with a request that is none. */
export function createHttpServer(handler: Handler, patience: ClientPatience): Server {
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: Math.min(patience.headMs, patience.requestMs), requestTimeout: patience.requestMs,
    connectionsCheckingInterval: Math.min(5_000, Math.ceil(patience.headMs / 4)),
  }, handler);
  // A client that neither reads nor goes away holds memory and a socket, once its request is given up.
  server.timeout = patience.silenceMs;
  // Whether to ask for the body is decided by who reads it.
  server.on("checkContinue", handler);
  server.on("clientError", answerClientError);
  return server;
}

/** Closes once the last answers are out, at the latest after `patienceMs`. */
export async function closeHttpServer(server: Server, patienceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const sweep = setInterval(() => server.closeIdleConnections(), 25);
  const late = setTimeout(() => server.closeAllConnections(), patienceMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(late);
}

/** Answers what never became a request, unless an answer is already under way on this connection. */
function answerClientError(error: Error & { code?: string }, stream: Duplex): void {
  const socket = stream as Socket & { _httpMessage?: { headersSent: boolean } | null };
  if (error.code === "ECONNRESET" || !socket.writable || socket._httpMessage?.headersSent === true) {
    socket.destroy();
    return;
  }
  const known = explained(error);
  const status = statusOf(known.code, 422);
  const body = JSON.stringify(errorBody(known, status));
  socket.write(`HTTP/1.1 ${status} ${REASONS[status] ?? "Bad Request"}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
  // What comes now is thrown away, so that the answer is not lost to a reset; the client has a second to hang up.
  socket.end();
  setTimeout(() => socket.destroy(), 1_000).unref();
}

const REASONS: Readonly<Record<number, string>> = { 400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large" };

function explained(error: Error & { code?: string }): TollgateError {
  switch (error.code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new TollgateError("request_timeout", "The request did not arrive in time. Send it without pauses.");
    case "HPE_HEADER_OVERFLOW":
      return new TollgateError("headers_too_large", "The headers of the request are larger than 16 KB. Send fewer or shorter ones.");
    default:
      return new TollgateError("malformed_http", "This is not an HTTP/1.1 request. Check the client, and whether it speaks TLS to a port without it.");
  }
}
