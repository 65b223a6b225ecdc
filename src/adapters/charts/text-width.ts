import { REGULAR_WIDTHS, SEMIBOLD_WIDTHS } from "./inter-font.ts";

/** Characters that the embedded faces lack, such as Chinese ones, are about as wide as they are high. */
const UNKNOWN_WIDTH = 1_000;
const SEMIBOLD_BY_REGULAR = 1.05;

const regular = readRuns(REGULAR_WIDTHS);
const semibold = readRuns(SEMIBOLD_WIDTHS);

function readRuns(text: string): ReadonlyMap<number, number> {
  const widths = new Map<number, number>();
  for (const run of text.split(";")) {
    const [start = "", list = ""] = run.split(":");
    for (const [index, width] of list.split(",").entries()) widths.set(Number.parseInt(start, 36) + index, Number.parseInt(width, 36));
  }
  return widths;
}

/** True where the embedded faces can draw a character. */
export function isCovered(character: string): boolean {
  return regular.has(character.codePointAt(0) ?? 0);
}

/** Pixels of a line of text. */
export function textWidth(text: string, size: number, bold = false): number {
  let sum = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const plain = regular.get(code) ?? UNKNOWN_WIDTH;
    sum += bold ? (semibold.get(code) ?? plain * SEMIBOLD_BY_REGULAR) : plain;
  }
  return (sum * size) / 1_000;
}

/** Text no wider than so many pixels; what names have at both ends is kept, the middle gives way. */
export function fitted(text: string, size: number, most: number, bold = false): string {
  const shown = drawable(text);
  if (textWidth(shown, size, bold) <= most) return shown;
  const characters = [...shown];
  for (let kept = characters.length - 1; kept > 1; kept -= 1) {
    const end = Math.floor(kept / 3);
    const shorter = `${characters.slice(0, kept - end).join("")}…${end === 0 ? "" : characters.slice(-end).join("")}`;
    if (textWidth(shorter, size, bold) <= most) return shorter;
  }
  return "…";
}

/** Text that an XML document may hold, on one line and in its own direction. */
export function drawable(text: string): string {
  return text.toWellFormed().replaceAll(/[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069\uFFFE\uFFFF]/g, "\uFFFD");
}
