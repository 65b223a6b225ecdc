import { gridOf } from "./grid.ts";
import { formatDuration } from "./parse-duration.ts";
import type { WindowSpec } from "./window.ts";

const WEEK_DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;

/**
 * The identity of one window of a counter (GATE 1.2): windows that differ in a span, in `since` or in their start never
 * share a text. Spellings of one window (`24h` and `1d`, `60m` and `1h`) do share it, so that rewriting a
 * configuration loses no counts; what cannot matter (the zone of `1h`, the week start of `1mo`) is left out.
 *
 * @param start of the span, as `spanAt` gives it; sliding windows and slots have none and ignore it
 * @example windowText(monthly, Date.UTC(2026, 1, 1)) // "1month,America/New_York@1769922000000"
 */
export function windowText(spec: WindowSpec, start: number): string {
  if (spec.kind === "sliding") return `sliding${spec.spanMs}`;
  if (spec.kind === "now") return "now";
  const since = spec.since === undefined ? "" : `,since${spec.since}`;
  return `${spec.kind === "lifetime" ? "lifetime" : gridText(spec)}${since}@${start}`;
}

function gridText(spec: Extract<WindowSpec, { kind: "aligned" }>): string {
  const grid = gridOf(spec);
  if (grid.unit === "second") return `${grid.count}second`;
  const week = grid.unit === "week" ? `,from${grid.weekStart}` : "";
  return `${grid.count}${grid.unit},${grid.zone}${week}`;
}

/** The window for people. @example describeWindow(spec) // "30d (America/New_York)", "lifetime", "last 60 s" */
export function describeWindow(spec: WindowSpec): string {
  if (spec.kind === "now") return "in flight";
  if (spec.kind === "sliding") return `last ${spec.spanMs / 1_000} s`;
  const since = spec.since === undefined ? [] : [`since ${new Date(spec.since).toISOString()}`];
  const notes = spec.kind === "lifetime" ? since : [...placeNotes(spec), ...since];
  const name = spec.kind === "lifetime" ? "lifetime" : formatDuration(spec.duration);
  return notes.length === 0 ? name : `${name} (${notes.join(", ")})`;
}

function placeNotes(spec: Extract<WindowSpec, { kind: "aligned" }>): string[] {
  const grid = gridOf(spec);
  if (grid.unit === "second") return [];
  return grid.unit === "week" && grid.weekStart !== 0 ? [grid.zone, `from ${WEEK_DAYS[grid.weekStart]}`] : [grid.zone];
}
