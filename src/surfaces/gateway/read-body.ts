import type { IncomingMessage, ServerResponse } from "node:http";
import { TollgateError } from "../../base/errors.ts";

const NOTHING = Buffer.alloc(0);

/**
 * Reads a body of bounded size, then calls back once: with the bytes, or with the error. A client that leaves before
 * its end is never called back for.
 */
export function readBody(request: IncomingMessage, response: ServerResponse, maxBytes: number, then: (error: TollgateError | undefined, body: Buffer) => void): void {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
    then(tooLarge(maxBytes), NOTHING);
    return;
  }
  if (request.headers.expect !== undefined) response.writeContinue();
  let chunks: Buffer[] = [];
  let size = 0;
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    if (size <= maxBytes) {
      chunks.push(chunk);
      return;
    }
    chunks = [];
    request.off("data", take);
    request.off("end", end);
    then(tooLarge(maxBytes), NOTHING);
  };
  const end = (): void => then(undefined, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
  request.on("data", take);
  request.on("end", end);
}

function tooLarge(maxBytes: number): TollgateError {
  return new TollgateError("body_too_large", `The body is larger than ${maxBytes} bytes. Send less, or raise tollgate.body_limit_bytes.`);
}
