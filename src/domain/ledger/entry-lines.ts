import type { Entry } from "./entry.ts";

/** The JSON text of an entry, as it stands in the journal and goes to the ledger's writer: made once. */
export type EntryText = string;

/** Entries as JSON texts in UTF-8, a line feed after each. */
export interface EntryLines {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/**
 * Visits the entries one by one, so that a thousand of them are never all in memory as objects.
 * @param decoderOf makes a function that reads the UTF-8 of the bytes from `start` to `end`
 */
export function forEachEntry({ bytes }: EntryLines, decoderOf: (bytes: Uint8Array) => (start: number, end: number) => string, visit: (entry: Entry) => void): void {
  const decode = decoderOf(bytes);
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(10, start);
    if (end === -1) throw new RangeError("Broken invariant: the last entry has no line feed.");
    visit(JSON.parse(decode(start, end)) as Entry);
    start = end + 1;
  }
}
