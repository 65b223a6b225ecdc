import type { Socket } from "node:net";

const INTERIM = "HTTP/1.1 1";
const STATUS_LINE = /^HTTP\/1\.1 (1\d\d)/;
const STATUS_LINE_BYTES = 12;
const HEAD_END = "\r\n\r\n";
/** A longer head is left to the parser, and is its error. */
const HEAD_BYTES_MAX = 16_384;

/**
 * Passes over a `100 Continue` that nobody asked for. HTTP has every client bear it (RFC 9110, 15.2); undici takes it
 * for a broken answer, and the request for lost. Everything else, other interim answers included, goes to undici as it came.
 */
export class InterimFilter {
  /** A request was written, and nothing but interim answers came since. */
  private expecting = false;
  private heard = false;
  /** The beginning of an interim head. */
  private unfinished: Buffer | undefined;
  /** What came together with an interim head that undici was given. */
  private waiting: Buffer | undefined;

  constructor(socket: Socket) {
    const read = socket.read;
    socket.read = (size?: number): unknown => {
      // The stream's own way to ask the system for more; what it returns is thrown away.
      if (size === 0) return read.call(socket, 0);
      let bytes: unknown = this.waiting;
      this.waiting = undefined;
      for (;;) {
        bytes ??= read.call(socket, size);
        if (!this.expecting || !Buffer.isBuffer(bytes)) return bytes;
        const passed = this.pass(bytes);
        if (passed !== undefined) return passed;
        bytes = undefined;
      }
    };
  }

  /** The next bytes begin an answer. */
  expect(): void {
    this.expecting = true;
    this.heard = false;
    this.unfinished = undefined;
    this.waiting = undefined;
  }

  /** Bytes came that undici does not know of: the provider has the request. */
  get continued(): boolean {
    return this.heard;
  }

  /** @returns what undici may see of the bytes now, if anything */
  private pass(chunk: Buffer): Buffer | undefined {
    let bytes = this.unfinished === undefined ? chunk : Buffer.concat([this.unfinished, chunk]);
    this.unfinished = undefined;
    while (bytes.length > 0) {
      const line = bytes.toString("latin1", 0, STATUS_LINE_BYTES);
      if (line.length < STATUS_LINE_BYTES && (INTERIM.startsWith(line) || line.startsWith(INTERIM))) {
        this.heard = true;
        this.unfinished = bytes;
        return undefined;
      }
      const status = STATUS_LINE.exec(line)?.[1];
      const end = status === undefined || status === "101" ? 0 : bytes.indexOf(HEAD_END) + HEAD_END.length;
      if (end === 0 || (end < HEAD_END.length && bytes.length > HEAD_BYTES_MAX)) {
        this.expecting = false;
        return bytes;
      }
      this.heard = true;
      if (end < HEAD_END.length) {
        this.unfinished = bytes;
        return undefined;
      }
      const after = bytes.subarray(end);
      if (status !== "100") {
        if (after.length > 0) this.waiting = after;
        return bytes.subarray(0, end);
      }
      bytes = after;
    }
    return undefined;
  }
}
