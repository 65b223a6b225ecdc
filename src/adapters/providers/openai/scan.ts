/*
 * Finds the members of a JSON object in a text, with their offsets, without decoding values. The text is the body read
 * as latin1, so that an offset in the text is an offset in the bytes; UTF-8 never uses the bytes of `"`, `\` or
 * brackets inside a longer character. The scanner is lenient inside values: `JSON.parse` is the judge of validity.
 */

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Members of arrays' objects (messages, tools) and of arrays' objects in those (content parts) lie above this depth. */
export const COUNTED_DEPTH = 4;

/** The first offset at or after `at` that is not JSON white space. */
export function skipSpace(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== SPACE && code !== LINE_FEED && code !== RETURN && code !== TAB) return at;
    at++;
  }
}

/** The offset after the string that opens at `at`, or -1 if it never closes. */
export function skipString(text: string, at: number): number {
  let close = text.indexOf('"', at + 1);
  while (close >= 0) {
    let before = close - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((close - before) % 2 === 1) return close + 1;
    close = text.indexOf('"', close + 1);
  }
  return -1;
}

/**
 * Walks the members of one object. After `next()` returned true the offsets describe a member; after it returned
 * false, `end` is the offset after the object, or -1 if the text is no object or breaks off.
 * @example for (const scan = new MemberScan(text, 0, 64); scan.next(); ) use(text.slice(scan.valueStart, scan.valueEnd));
 */
export class MemberScan {
  /** First character of the name, after its quote. */
  nameStart = 0;
  /** The name's closing quote. */
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Members inside the value, at most `COUNTED_DEPTH` levels down. */
  innerMembers = 0;
  end = -1;
  /** A value is nested deeper than allowed. */
  tooDeep = false;
  /** Members seen so far. */
  count = 0;
  /** Offset after the opening brace. */
  readonly open: number;
  readonly #text: string;
  readonly #maximumDepth: number;
  #at: number;
  /** The first backslash at or after some name that was looked at. */
  #backslash = -1;

  /** @param maximumDepth levels of nesting, this object included */
  constructor(text: string, at: number, maximumDepth: number) {
    this.#text = text;
    this.#maximumDepth = maximumDepth;
    const start = skipSpace(text, at);
    this.open = text.charCodeAt(start) === OPEN_OBJECT ? start + 1 : -1;
    this.#at = this.open;
    // Not an object: the value is walked all the same, so that its depth is known before anything parses it.
    if (this.open < 0) this.#skipValue(start, 0);
  }

  next(): boolean {
    const text = this.#text;
    if (this.#at < 0) return false;
    let at = skipSpace(text, this.#at);
    const code = text.charCodeAt(at);
    if (code === CLOSE_OBJECT) return this.#stop(at + 1);
    if (this.count > 0) {
      if (code !== COMMA) return this.#stop(-1);
      at = skipSpace(text, at + 1);
    }
    if (text.charCodeAt(at) !== QUOTE) return this.#stop(-1);
    const nameAfter = skipString(text, at);
    if (nameAfter < 0) return this.#stop(-1);
    const colon = skipSpace(text, nameAfter);
    if (text.charCodeAt(colon) !== COLON) return this.#stop(-1);
    const valueStart = skipSpace(text, colon + 1);
    const valueEnd = this.#skipValue(valueStart, 1);
    if (valueEnd < 0) return this.#stop(-1);
    this.nameStart = at + 1;
    this.nameEnd = nameAfter - 1;
    this.valueStart = valueStart;
    this.valueEnd = valueEnd;
    this.count++;
    this.#at = valueEnd;
    return true;
  }

  /** Whether the current member's name is `name`, however it is spelled. */
  named(name: string): boolean {
    const { nameStart } = this;
    const text = this.#text;
    const length = this.nameEnd - nameStart;
    if (length === name.length) return text.charCodeAt(nameStart) === name.charCodeAt(0) && text.startsWith(name, nameStart);
    return length > name.length && this.#nameEscaped() && this.name() === name;
  }

  /** The current member's name, decoded; `undefined` if it is no valid JSON string. */
  name(): string | undefined {
    const raw = this.#text.slice(this.nameStart, this.nameEnd);
    if (!raw.includes("\\")) return raw;
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch {
      return undefined;
    }
  }

  /** Where the next backslash stands is looked up once, not once per name. */
  #nameEscaped(): boolean {
    if (this.#backslash < this.nameStart) {
      const at = this.#text.indexOf("\\", this.nameStart);
      this.#backslash = at < 0 ? Infinity : at;
    }
    return this.#backslash < this.nameEnd;
  }

  #stop(end: number): false {
    this.end = end;
    this.#at = -1;
    return false;
  }

  /** The offset after the value that starts at `at`, or -1. */
  #skipValue(at: number, depthAbove: number): number {
    const text = this.#text;
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      this.innerMembers = 0;
      return skipString(text, at);
    }
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) return this.#skipNested(at, this.#maximumDepth - depthAbove);
    this.innerMembers = 0;
    return skipScalar(text, at);
  }

  #skipNested(at: number, depthLeft: number): number {
    const text = this.#text;
    const length = text.length;
    let depth = 0;
    let members = 0;
    while (at < length) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        at = skipString(text, at);
        if (at < 0) return -1;
        continue;
      }
      at++;
      if (code === COLON) {
        if (depth <= COUNTED_DEPTH) members++;
      } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
        if (++depth > depthLeft) {
          this.tooDeep = true;
          return -1;
        }
      } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
        if (--depth === 0) {
          this.innerMembers = members;
          return at;
        }
      }
    }
    return -1;
  }
}

function skipScalar(text: string, at: number): number {
  const start = at;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === CLOSE_OBJECT || code <= SPACE) break;
  }
  return at === start ? -1 : at;
}
