import { TollgateError } from "../../base/errors.ts";
import type { Duration } from "./window.ts";

const DURATION = /^([1-9]\d{0,15})(mo|[smhdw])$/;

const ALIASES: ReadonlyMap<string, Duration> = new Map([
  ["daily", { count: 1, unit: "d" }],
  ["weekly", { count: 1, unit: "w" }],
  ["monthly", { count: 1, unit: "mo" }],
  ["yearly", { count: 12, unit: "mo" }],
]);

/** A hundred years in each unit: beyond it a duration is a typing mistake, and calendars are guesses. */
const LARGEST: Readonly<Record<Duration["unit"], number>> = {
  s: 36_525 * 86_400,
  m: 36_525 * 1_440,
  h: 36_525 * 24,
  d: 36_525,
  w: 5_217,
  mo: 1_200,
};

const UNIT_MS: Readonly<Record<Exclude<Duration["unit"], "mo">, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Reads a `budget_duration`: a whole number and a unit (`s m h d w mo`), or `daily`, `weekly`, `monthly`, `yearly`.
 *
 * @param options `param` names the field at fault in the error
 * @throws TollgateError `invalid_duration` for anything else: zero, signs, fractions, spaces, more than 100 years
 * @example parseDuration("30d", { param: "budget_duration" }) // { count: 30, unit: "d" }
 */
export function parseDuration(text: string, options: { readonly param?: string } = {}): Duration {
  const duration = ALIASES.get(text) ?? readDuration(text);
  if (duration !== undefined) return duration;
  throw invalid(text, options.param ?? "duration", '"30s", "5m", "1h", "24h", "7d", "30d", "12mo" or "monthly"');
}

/** The duration as a user writes it. @example formatDuration({ count: 30, unit: "d" }) // "30d" */
export function formatDuration(duration: Duration): string {
  return `${duration.count}${duration.unit}`;
}

/**
 * The instant at which something that lives for `text` from `epochMs` on ends, such as a key's `duration`.
 * Counted from that instant and not aligned: a day is 24 hours, a month keeps the UTC day and time of day, or takes
 * the month's last day where it is shorter.
 *
 * @returns epoch milliseconds
 * @throws TollgateError `invalid_duration`; `"-1"` (never) is the caller's to handle
 * @example addLifetime(Date.UTC(2026, 0, 31), "1mo") // 2026-02-28T00:00Z
 */
export function addLifetime(epochMs: number, text: string, options: { readonly param?: string } = {}): number {
  const duration = readDuration(text);
  if (duration === undefined) throw invalid(text, options.param ?? "duration", '"20m", "12h", "30d" or "6mo"');
  return duration.unit === "mo" ? addMonths(epochMs, duration.count) : epochMs + duration.count * UNIT_MS[duration.unit];
}

function readDuration(text: string): Duration | undefined {
  const match = DURATION.exec(text);
  if (match === null) return undefined;
  const count = Number(match[1]);
  const unit = match[2] as Duration["unit"];
  return count <= LARGEST[unit] ? { count, unit } : undefined;
}

function addMonths(epochMs: number, count: number): number {
  const from = new Date(epochMs);
  const year = from.getUTCFullYear();
  const month = from.getUTCMonth() + count;
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const day = Math.min(from.getUTCDate(), lastDay);
  return Date.UTC(year, month, day, from.getUTCHours(), from.getUTCMinutes(), from.getUTCSeconds(), from.getUTCMilliseconds());
}

function invalid(text: string, param: string, examples: string): TollgateError {
  // What was sent is quoted, cut and escaped, so that it cannot break a log line or fill one.
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  const years = /^\d+y$/.test(text) ? ' Write years as months: "12mo".' : "";
  return new TollgateError(
    "invalid_duration",
    `${param} ${shown} must be a whole number from 1 and a unit (s, m, h, d, w or mo), at most 100 years in all, such as ${examples}.${years}`,
    { param },
  );
}
