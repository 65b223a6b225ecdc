/** A larger event is a provider's mistake; memory stays bounded. */
const EVENT_LENGTH_MAX = 16 * 1024 * 1024;

/** Cuts a stream of server-sent events, whatever its chunks, into the texts of their `data`. */
export class ServerEvents {
  private readonly decoder = new TextDecoder();
  private rest = "";
  private data: string[] = [];
  private length = 0;

  /** @returns the data of the events that ended with these bytes */
  push(bytes: Uint8Array): string[] {
    return this.lines(this.rest + this.decoder.decode(bytes, { stream: true }), false);
  }

  /** The stream is over; a last event may lack its blank line. */
  end(): string[] {
    const events = this.lines(this.rest + this.decoder.decode(), true);
    if (this.data.length > 0) events.push(this.data.join("\n"));
    this.data = [];
    return events;
  }

  private lines(text: string, last: boolean): string[] {
    const events: string[] = [];
    let from = 0;
    for (;;) {
      const end = lineEnd(text, from, last);
      if (end === undefined) break;
      this.line(text.slice(from, end.at), events);
      from = end.next;
    }
    this.rest = text.slice(from);
    if (last && this.rest !== "") {
      this.line(this.rest, events);
      this.rest = "";
    }
    if (this.rest.length + this.length > EVENT_LENGTH_MAX) throw new RangeError("An event of the provider's stream is too large.");
    return events;
  }

  private line(line: string, events: string[]): void {
    if (line === "") {
      if (this.data.length > 0) events.push(this.data.join("\n"));
      this.data = [];
      this.length = 0;
    } else if (line.startsWith("data:")) {
      const value = line.slice(line.startsWith("data: ") ? 6 : 5);
      this.data.push(value);
      this.length += value.length;
    }
  }
}

/** Lines end with \n, \r or \r\n; a \r at the end of a chunk waits for what follows. */
function lineEnd(text: string, from: number, last: boolean): { readonly at: number; readonly next: number } | undefined {
  const feed = text.indexOf("\n", from);
  const carriage = text.indexOf("\r", from);
  if (carriage === -1 || (feed !== -1 && feed < carriage)) return feed === -1 ? undefined : { at: feed, next: feed + 1 };
  if (carriage === text.length - 1 && !last) return undefined;
  return { at: carriage, next: text[carriage + 1] === "\n" ? carriage + 2 : carriage + 1 };
}
