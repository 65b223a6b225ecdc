/*
 * The frame of server-sent events: an event ends with a blank line, a line ends with \n, \r\n or a lone \r. All texts
 * here are latin1, one character a byte, so that they can be cut at any byte.
 */

/** A line end and an empty line. A lone \r at the very end may still get its \n; see `EventCutter`. */
const BLANK_LINE = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)/g;
/** The longest blank line; what was searched without success needs no second look further back than this. */
export const BLANK_LINE_MAX = 4;

/** Finds the ends of events in a text. */
export class EventCutter {
  /** Where the event's content ends. */
  contentEnd = 0;
  /** Offset after the blank line. */
  end = 0;
  readonly #text: string;
  readonly #hasReturn: boolean;

  constructor(text: string) {
    this.#text = text;
    this.#hasReturn = text.includes("\r");
  }

  /** Looks for the first end at or after `from`. */
  find(from: number): boolean {
    if (this.#hasReturn) {
      BLANK_LINE.lastIndex = from;
      const match = BLANK_LINE.exec(this.#text);
      if (match === null) return false;
      // Lines that end with \r\n, cut before the last \n: the blank line is whole only with it, and it belongs to its event.
      if (match[0].endsWith("\n\r") && BLANK_LINE.lastIndex === this.#text.length) return false;
      this.contentEnd = match.index;
      this.end = match.index + match[0].length;
      return true;
    }
    const at = this.#text.indexOf("\n\n", from);
    if (at < 0) return false;
    this.contentEnd = at;
    this.end = at + 2;
    return true;
  }

  /** The text ends with the \r that closed the last event found: a \n that follows belongs to it. */
  mayContinue(): boolean {
    return this.end === this.#text.length && this.#text.endsWith("\r");
  }
}

/** The data of an event, its lines joined as the standard says; `undefined` if it has none. */
export function dataOf(event: string): string | undefined {
  let data: string | undefined;
  if (event.startsWith("data:") && !event.includes("\n") && !event.includes("\r")) data = dataLine(event);
  else {
    for (const line of event.split(/\r\n|\n|\r/)) {
      if (line.startsWith("data:")) data = data === undefined ? dataLine(line) : `${data}\n${dataLine(line)}`;
    }
  }
  // Cut as bytes, read as UTF-8.
  return data !== undefined && /[\x80-\xff]/.test(data) ? Buffer.from(data, "latin1").toString("utf8") : data;
}

function dataLine(line: string): string {
  return line.slice(line.startsWith(" ", 5) ? 6 : 5);
}
