import type { MemberScan } from "./scan.ts";

/** Offsets of a member's value in the body; a start of 0 means that there is none, since a brace stands at 0. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export const ABSENT: Span = { start: 0, end: 0 };

export function spanOf(scan: MemberScan): Span {
  return { start: scan.valueStart, end: scan.valueEnd };
}

/** What takes the place of a piece of the body. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  /** Latin1: one character a byte. */
  readonly text: string;
}

/** The provider's own name of the model in place of the client's. */
export function spliceModel(span: Span, model: string): Splice {
  return { ...span, text: bytesAsText(JSON.stringify(model)) };
}

/** The body with the splices in it; they must not overlap. */
export function applySplices(text: string, splices: Splice[]): Buffer {
  if (splices.length > 1) splices.sort((left, right) => left.start - right.start);
  let edited = "";
  let at = 0;
  for (const splice of splices) {
    edited += text.slice(at, splice.start) + splice.text;
    at = splice.end;
  }
  return Buffer.from(edited + text.slice(at), "latin1");
}

/** UTF-8 bytes as one character each, to stand beside the latin1 body. */
function bytesAsText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : Buffer.from(text).toString("latin1");
}
