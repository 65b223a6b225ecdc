import { assert } from "../../base/assert.ts";
import { blockOfDay, firstDayOfBlock, gridOf, type Grid } from "./grid.ts";
import type { WindowSpan, WindowSpec } from "./window.ts";
import { localDayOf, startOfDayNumber } from "./zone.ts";

/**
 * The span of a window at an instant (GATE 6.2). The spans of one spec partition time: each starts where the one
 * before ended, so an admission belongs to exactly one. `since` cuts the span that it falls into in two.
 *
 * Costs some microseconds in a zone other than UTC: keep the span, and ask again once the clock reaches `end`.
 *
 * @param epochMs whole milliseconds since the Unix epoch
 * @returns the span with `start <= epochMs < end`; sliding windows and slots have one counter for ever, `[0, Infinity)`
 * @example spanAt({ kind: "aligned", duration: { count: 30, unit: "d" }, zone: "UTC", weekStart: 0 }, Date.UTC(2026, 1, 14))
 * // { start: 2026-02-01T00:00Z, end: 2026-03-01T00:00Z }
 */
export function spanAt(spec: WindowSpec, epochMs: number): WindowSpan {
  // A counter under the name NaN would never fill up.
  assert(Number.isSafeInteger(epochMs), `an instant is whole milliseconds, not ${epochMs}`);
  if (spec.kind === "sliding" || spec.kind === "now") return FOREVER;
  const span = spec.kind === "lifetime" ? FOREVER : gridSpanAt(gridOf(spec), epochMs);
  const { since } = spec;
  if (since === undefined || since <= span.start || since >= span.end) return span;
  return epochMs < since ? { start: span.start, end: since } : { start: since, end: span.end };
}

const FOREVER: WindowSpan = { start: 0, end: Infinity };

function gridSpanAt(grid: Grid, epochMs: number): WindowSpan {
  if (grid.unit === "second") {
    const lengthMs = grid.count * 1_000;
    const start = Math.floor(epochMs / lengthMs) * lengthMs;
    return { start, end: start + lengthMs };
  }
  let block = blockOfDay(grid, localDayOf(epochMs, grid.zone));
  let end = startOfBlock(grid, block + 1);
  // Clocks that fall back over midnight show the old date again: the new window has begun all the same. A day that a
  // zone leaves out gives an empty block, which is passed over.
  while (end <= epochMs) {
    block += 1;
    end = startOfBlock(grid, block + 1);
  }
  return { start: startOfBlock(grid, block), end };
}

function startOfBlock(grid: Exclude<Grid, { unit: "second" }>, block: number): number {
  return startOfDayNumber(firstDayOfBlock(grid, block), grid.zone);
}
