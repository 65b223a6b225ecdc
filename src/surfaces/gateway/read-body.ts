import type { IncomingMessage } from "node:http";
import { TollgateError } from "../../base/errors.ts";

/** Reads a body of bounded size, then calls back once: with the bytes, or with the error. */
export function readBody(request: IncomingMessage, maxBytes: number, then: (error: TollgateError | undefined, body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let done = false;
  const finish = (error: TollgateError | undefined): void => {
    if (done) return;
    done = true;
    then(error, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
  };
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes) {
    request.resume();
    finish(tooLarge(maxBytes));
    return;
  }
  request.on("data", (chunk: Buffer) => {
    if (done) return;
    size += chunk.length;
    if (size > maxBytes) {
      chunks.length = 0;
      size = 0;
      finish(tooLarge(maxBytes));
      return;
    }
    chunks.push(chunk);
  });
  request.on("end", () => finish(undefined));
}

function tooLarge(maxBytes: number): TollgateError {
  return new TollgateError("body_too_large", `The body is larger than ${maxBytes} bytes. Send less, or raise tollgate.body_limit_bytes.`);
}
