import type { Reading, StreamReader } from "../../../domain/upstream/dialect.ts";
import { BLANK_LINE_MAX, EventCutter } from "./event-text.ts";

/** A larger event passes unread: no genuine one comes near, and the memory of a stream stays bounded. */
export const EVENT_BYTES_MAX = 4 * 1024 * 1024;
/** What is kept of bytes that come after the end. */
const AFTER_END_BYTES_MAX = 1024 * 1024;

type Forward = (bytes: Uint8Array) => void;

export type Verdict =
  /** The client may see it. */
  | "pass"
  /** Nothing but usage. */
  | "usage"
  /** The closing event. */
  | "close";

/** What a dialect learns from the events of a stream. All texts are latin1, one character a byte. */
export interface EventMeter {
  /** Counts a text of whole events ending in \n\n at once, if none of them needs a look. Otherwise changes nothing. */
  takePlain(text: string): boolean;
  /** @param event its text, without the blank line */
  take(event: string): Verdict;
  /** What stands at the end of a stream without a blank line: an event only if it is whole. */
  takeRest(rest: string): Verdict;
  /** An event too large to be looked at. */
  takeUnread(bytes: number): void;
  /** A copy, to see what an unfinished event would tell. */
  fork(): EventMeter;
  reading(): Reading;
}

/**
 * Passes a stream on while it listens. A chunk of whole, plain events goes on as it is, unparsed; only a piece of an
 * event is held back, until its rest shows what it is.
 */
export class EventStreamReader implements StreamReader {
  readonly #withholdUsage: boolean;
  readonly #meter: EventMeter;
  /** An unfinished event: the first `#carried` bytes of `#carry`. */
  #carry: Buffer = EMPTY;
  #carried = 0;
  /** Inside an event that grew too large: the last characters seen, since its end may be cut by chunks. */
  #unreadTail: string | undefined = undefined;
  /** The last event ended with a lone \r: a \n that follows shares its fate. */
  #lineFeedOf: "passed" | "withheld" | undefined = undefined;
  #kept: Uint8Array[] | undefined = undefined;
  #keptBytes = 0;

  constructor(meter: EventMeter, withholdUsage: boolean) {
    this.#meter = meter;
    this.#withholdUsage = withholdUsage;
  }

  push(chunk: Uint8Array, forward: Forward): boolean {
    let bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#kept !== undefined) return this.#keep(bytes);
    if (this.#lineFeedOf !== undefined && bytes.length > 0) bytes = this.#takeLineFeed(bytes, forward);
    if (this.#unreadTail !== undefined) bytes = this.#passUnread(bytes, this.#unreadTail, forward);
    if (bytes.length === 0) return false;
    if (this.#carried === 0) {
      const text = bytes.toString("latin1");
      if (this.#meter.takePlain(text)) {
        forward(bytes);
        return false;
      }
      return this.#walk(bytes, text, 0, forward);
    }
    const searched = Math.max(0, this.#carried - BLANK_LINE_MAX);
    const work = this.#append(bytes);
    // Only the new part is searched: a large event that comes in small pieces must not be read again for each.
    if (!new EventCutter(work.toString("latin1", searched)).find(0)) return this.#hold(work, forward);
    return this.#walk(work, work.toString("latin1"), searched, forward);
  }

  release(): Uint8Array | undefined {
    const kept = this.#kept;
    if (kept !== undefined) {
      this.#kept = [];
      return kept.length === 0 ? undefined : Buffer.concat(kept);
    }
    if (this.#carried === 0) return undefined;
    const rest = this.#carry.subarray(0, this.#carried);
    this.#carried = 0;
    const verdict = this.#meter.takeRest(rest.toString("latin1"));
    return verdict === "usage" && this.#withholdUsage ? undefined : rest;
  }

  reading(): Reading {
    if (this.#carried === 0) return this.#meter.reading();
    // A stream may end without the last blank line; what stands there counts, whether or not more comes.
    const meter = this.#meter.fork();
    meter.takeRest(this.#carry.toString("latin1", 0, this.#carried));
    return meter.reading();
  }

  /** Goes through the events of `work`; `text` is the same as latin1, its first `searched` characters hold no end. */
  #walk(work: Buffer, text: string, searched: number, forward: Forward): boolean {
    const cutter = new EventCutter(text);
    let start = 0;
    let unsent = 0;
    let withheld = false;
    while (cutter.find(Math.max(start, searched))) {
      const { contentEnd, end } = cutter;
      const verdict = this.#take(text, start, contentEnd);
      withheld = verdict === "usage" && this.#withholdUsage;
      if (verdict === "close" || withheld) {
        if (start > unsent) forward(work.subarray(unsent, start));
        unsent = end;
      }
      if (verdict === "close") {
        this.#carried = 0;
        this.#kept = [];
        return this.#keep(work.subarray(start));
      }
      start = end;
    }
    if (start > unsent) forward(work.subarray(unsent, start));
    if (start > 0 && cutter.mayContinue()) this.#lineFeedOf = withheld ? "withheld" : "passed";
    return this.#hold(work.subarray(start), forward);
  }

  #take(text: string, start: number, end: number): "pass" | "usage" | "close" {
    if (end - start <= EVENT_BYTES_MAX) return this.#meter.take(text.slice(start, end));
    this.#meter.takeUnread(end - start);
    return "pass";
  }

  /** Carries an unfinished event over to the next chunk, or gives it up as too large. */
  #hold(rest: Buffer, forward: Forward): false {
    if (rest.length > EVENT_BYTES_MAX + BLANK_LINE_MAX) {
      this.#carried = 0;
      this.#carry = EMPTY;
      this.#meter.takeUnread(rest.length);
      this.#unreadTail = rest.toString("latin1", rest.length - BLANK_LINE_MAX);
      forward(rest);
      return false;
    }
    // Copied unless it is the carry itself: what was forwarded must never be written again.
    if (rest.length === 0) this.#carry = EMPTY;
    else if (rest.buffer !== this.#carry.buffer || rest.byteOffset !== this.#carry.byteOffset) this.#carry = Buffer.from(rest);
    this.#carried = rest.length;
    return false;
  }

  /** @returns the carry with the bytes behind it; room doubles, so that many small pieces cost no more than one */
  #append(bytes: Buffer): Buffer {
    const length = this.#carried + bytes.length;
    if (this.#carry.length < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(1024, length * 2));
      this.#carry.copy(larger, 0, 0, this.#carried);
      this.#carry = larger;
    }
    bytes.copy(this.#carry, this.#carried);
    this.#carried = length;
    return this.#carry.subarray(0, length);
  }

  #takeLineFeed(bytes: Buffer, forward: Forward): Buffer {
    const fate = this.#lineFeedOf;
    this.#lineFeedOf = undefined;
    if (bytes[0] !== 0x0a) return bytes;
    if (fate === "passed") forward(bytes.subarray(0, 1));
    return bytes.subarray(1);
  }

  /** Passes on the rest of an event that is too large. @returns what comes after it */
  #passUnread(bytes: Buffer, tail: string, forward: Forward): Buffer {
    const text = tail + bytes.toString("latin1");
    const cutter = new EventCutter(text);
    if (!cutter.find(0)) {
      if (bytes.length === 0) return bytes;
      this.#meter.takeUnread(bytes.length);
      this.#unreadTail = text.slice(-BLANK_LINE_MAX);
      forward(bytes);
      return EMPTY;
    }
    this.#unreadTail = undefined;
    if (cutter.mayContinue()) this.#lineFeedOf = "passed";
    const end = cutter.end - tail.length;
    // Part of the blank line may have been counted with the tail.
    this.#meter.takeUnread(cutter.contentEnd - tail.length);
    if (end > 0) forward(bytes.subarray(0, end));
    return bytes.subarray(end);
  }

  #keep(bytes: Uint8Array): true {
    if (this.#keptBytes + bytes.length <= AFTER_END_BYTES_MAX && bytes.length > 0) {
      this.#kept?.push(Buffer.from(bytes));
      this.#keptBytes += bytes.length;
    }
    return true;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
