import { dateOfDay, DAY_MS } from "../windows/civil-date.ts";
import { spanAt } from "../windows/span.ts";
import type { Duration, WeekDay, WindowSpan } from "../windows/window.ts";
import { localDayOf, offsetMs } from "../windows/zone.ts";
import type { TimeUnit } from "./dimension.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** A span of a calendar with the text that names it. */
export interface NamedSpan extends WindowSpan {
  readonly name: string;
}

const DURATIONS: Readonly<Record<Exclude<TimeUnit, "hour">, Duration>> = { day: { count: 1, unit: "d" }, week: { count: 1, unit: "w" }, month: { count: 1, unit: "mo" } };

/** The calendar's span that holds an instant. @example calendarSpan("month", Date.now(), "Asia/Kathmandu", 0) */
export function calendarSpan(unit: TimeUnit, epochMs: number, zone: string, weekStart: WeekDay): WindowSpan {
  if (unit === "hour") return hourSpan(epochMs, zone);
  return spanAt({ kind: "aligned", duration: DURATIONS[unit], zone, weekStart }, epochMs);
}

/**
 * The spans of a calendar that a period touches, in order, cut to the period: together they are exactly the period.
 * @example calendarSpans("day", from, to, "America/New_York", 0).map((day) => day.name) // ["2026-11-01", "2026-11-02", …]
 */
export function calendarSpans(unit: TimeUnit, from: number, to: number, zone: string, weekStart: WeekDay): NamedSpan[] {
  const spans: NamedSpan[] = [];
  for (let at = from; at < to; ) {
    if (unit === "hour" && spans.length > 0) {
      const before = spans.length;
      steadyHours(spans, at, to, zone);
      at = spans[spans.length - 1]?.end ?? at;
      if (spans.length > before) continue;
    }
    const span = calendarSpan(unit, at, zone, weekStart);
    spans.push({ start: Math.max(span.start, from), end: Math.min(span.end, to), name: nameOf(unit, span.start, zone) });
    at = span.end;
  }
  return spans;
}

/** The whole hours of the day after `at`, the beginning of an hour, if no clock changes in it: asking for each hour's offset costs more than its sums. */
function steadyHours(spans: NamedSpan[], at: number, to: number, zone: string): void {
  const offset = offsetMs(at, zone);
  for (const part of [6, 12, 18, 24]) if (offsetMs(at + part * HOUR_MS, zone) !== offset) return;
  // After a change within an hour the next one is not on the hour.
  if ((at + offset) % HOUR_MS !== 0) return;
  for (let hour = 0; hour < 24 && at + (hour + 1) * HOUR_MS <= to; hour += 1) {
    const start = at + hour * HOUR_MS;
    spans.push({ start, end: start + HOUR_MS, name: hourName(start, offset) });
  }
}

/** From one full hour on the wall to the next, cut where the clocks change: such hours are shorter, none is longer. */
function hourSpan(epochMs: number, zone: string): WindowSpan {
  const offset = offsetMs(epochMs, zone);
  let start = Math.floor((epochMs + offset) / HOUR_MS) * HOUR_MS - offset;
  let end = start + HOUR_MS;
  if (offsetMs(start, zone) !== offset) start = changeBetween(start, epochMs, zone);
  if (offsetMs(end - 1, zone) !== offset) end = changeBetween(epochMs, end - 1, zone);
  return { start, end };
}

/** The first instant in `(before, at]` with the offset of `at`. */
function changeBetween(before: number, at: number, zone: string): number {
  const after = offsetMs(at, zone);
  let low = before;
  let high = at;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(middle, zone) === after) high = middle;
    else low = middle;
  }
  return high;
}

function nameOf(unit: TimeUnit, start: number, zone: string): string {
  if (unit === "hour") return hourName(start, offsetMs(start, zone));
  const name = dateText(localDayOf(start, zone));
  return unit === "month" ? name.slice(0, 7) : name;
}

/** `2026-11-24` of a day number. */
export function dateText(day: number): string {
  const { year, month, day: date } = dateOfDay(day);
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(date)}`;
}

/** The wall clock with its distance from UTC, so that an hour that comes twice has two names. */
function hourName(start: number, offset: number): string {
  const wall = start + offset;
  const minutes = Math.floor((wall - Math.floor(wall / DAY_MS) * DAY_MS) / MINUTE_MS);
  const distance = Math.round(Math.abs(offset) / MINUTE_MS);
  return `${dateText(Math.floor(wall / DAY_MS))}T${two(Math.floor(minutes / 60))}:${two(minutes % 60)}${offset < 0 ? "-" : "+"}${two(Math.floor(distance / 60))}:${two(distance % 60)}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
