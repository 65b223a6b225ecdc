// Just enough HTTP/1.1 to find where one message ends and the next begins. Shared by the load generator and the simulated
// upstream, which must cost as little as possible because they share the machine with what is measured.

export interface MessageEvents {
  /** Start line and headers, as text. */
  head(text: string): void;
  /** A piece of the body, without chunk framing. */
  body(piece: Buffer): void;
  end(): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");

/** Reads messages that follow each other on one connection. */
export class MessageReader {
  private readonly events: MessageEvents;
  private state: "head" | "fixed" | "size" | "data" | "data-end" | "trailer" = "head";
  private kept: Buffer | undefined;
  private remaining = 0;
  private line = "";

  constructor(events: MessageEvents) {
    this.events = events;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.state === "head") {
        const whole: Buffer = this.kept === undefined ? (at === 0 ? chunk : chunk.subarray(at)) : Buffer.concat([this.kept, chunk.subarray(at)]);
        const end = whole.indexOf(HEAD_END);
        if (end < 0) {
          this.kept = whole;
          return;
        }
        this.kept = undefined;
        chunk = whole;
        at = end + 4;
        this.readHead(whole.toString("latin1", 0, end));
      } else if (this.state === "fixed" || this.state === "data") {
        at = this.readBody(chunk, at);
      } else {
        at = this.readLine(chunk, at);
      }
    }
  }

  private readHead(text: string): void {
    this.events.head(text);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text);
    if (length !== null) this.remaining = Number(length[1]);
    else this.remaining = 0;
    if (length === null && /\r\ntransfer-encoding: *chunked/i.test(text)) this.state = "size";
    else if (this.remaining === 0) this.finish();
    else this.state = "fixed";
  }

  private readBody(chunk: Buffer, at: number): number {
    const take = Math.min(this.remaining, chunk.length - at);
    this.events.body(chunk.subarray(at, at + take));
    this.remaining -= take;
    if (this.remaining === 0) {
      if (this.state === "fixed") this.finish();
      else this.state = "data-end";
    }
    return at + take;
  }

  /** A line of chunk framing: a size, the empty line after data, or a trailer. */
  private readLine(chunk: Buffer, at: number): number {
    const newline = chunk.indexOf(10, at);
    if (newline < 0) {
      this.line += chunk.toString("latin1", at, chunk.length);
      return chunk.length;
    }
    const line = (this.line + chunk.toString("latin1", at, newline)).trim();
    this.line = "";
    if (this.state === "size") {
      this.remaining = Number.parseInt(line, 16);
      this.state = this.remaining === 0 ? "trailer" : "data";
    } else if (this.state === "data-end") {
      this.state = "size";
    } else if (line === "") {
      this.finish();
    }
    return newline + 1;
  }

  private finish(): void {
    this.state = "head";
    this.events.end();
  }
}
