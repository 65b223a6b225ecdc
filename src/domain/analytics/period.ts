import { TollgateError } from "../../base/errors.ts";
import type { WeekDay } from "../windows/window.ts";
import { localDateOf, startOfDayNumber } from "../windows/zone.ts";
import { dayNumber } from "../windows/civil-date.ts";
import { calendarSpan } from "./calendar.ts";

const HOUR_MS = 3_600_000;
const COUNT_MAX = 36_525;

/**
 * Which costs: exactly one way of saying it. `days`, `weeks`, `months` are whole ones of the calendar and end with the current
 * one, so `{ days: 1 }` is today and `{ days: 30 }` is today and the 29 days before. `rollingDays` (of 24 hours) and
 * `rollingHours` end now. `from` and `to` are dates (`"2026-11-01"`; the day of `to` is included) or instants (`to` excluded).
 */
export interface Period {
  readonly days?: number | undefined;
  readonly weeks?: number | undefined;
  readonly months?: number | undefined;
  readonly rollingDays?: number | undefined;
  readonly rollingHours?: number | undefined;
  readonly from?: string | number | Date | undefined;
  readonly to?: string | number | Date | undefined;
}

export interface Calendar {
  /** A checked IANA name. */
  readonly timeZone: string;
  readonly weekStart: WeekDay;
}

export interface PeriodSpan {
  readonly from: number;
  readonly to: number;
}

const COUNTED = ["days", "weeks", "months", "rollingDays", "rollingHours"] as const;
const UNIT = { days: "day", weeks: "week", months: "month" } as const;

/**
 * The instants `[from, to)` of a period; thirty calendar days where nothing is said.
 * @throws TollgateError `invalid_request` that names the member and shows what would be right
 */
export function periodSpan(period: Period, now: number, { timeZone, weekStart }: Calendar): PeriodSpan {
  const counted = COUNTED.filter((name) => period[name] !== undefined);
  const [name = "days", second] = counted;
  const bounded = period.from !== undefined || period.to !== undefined;
  if (second !== undefined || (bounded && counted.length > 0)) throw invalid(second ?? name, `${[...counted, ...(bounded ? ["from/to"] : [])].join(" and ")} say the period twice; keep one of them.`);
  if (bounded) return between(period, now, timeZone);
  const count = counted.length === 0 ? 30 : period[name];
  if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > COUNT_MAX) throw invalid(name, `${name} must be a whole number from 1 to ${COUNT_MAX}, such as { ${name}: 7 }.`);
  if (name === "rollingDays" || name === "rollingHours") return { from: now - count * (name === "rollingDays" ? 24 : 1) * HOUR_MS, to: now };
  const current = calendarSpan(UNIT[name], now, timeZone, weekStart);
  return { from: back(current.start, count - 1, name, { timeZone, weekStart }), to: current.end };
}

/** The period of the same length in its calendar's units that ends where this one begins. */
export function periodBefore(period: Period, span: PeriodSpan, calendar: Calendar): PeriodSpan {
  for (const name of ["days", "weeks", "months"] as const) {
    const count = period[name];
    if (count !== undefined) return { from: back(span.from, count, name, calendar), to: span.from };
  }
  const said = COUNTED.some((name) => period[name] !== undefined) || period.from !== undefined || period.to !== undefined;
  return said ? { from: span.from - (span.to - span.from), to: span.from } : { from: back(span.from, 30, "days", calendar), to: span.from };
}

function back(start: number, count: number, name: "days" | "weeks" | "months", { timeZone }: Calendar): number {
  const { year, month, day } = localDateOf(start, timeZone);
  if (name === "months") return startOfDayNumber(dayNumber({ year, month: month - count, day: 1 }), timeZone);
  return startOfDayNumber(dayNumber({ year, month, day }) - count * (name === "weeks" ? 7 : 1), timeZone);
}

function between(period: Period, now: number, timeZone: string): PeriodSpan {
  const from = period.from === undefined ? 0 : instantOf(period.from, "from", timeZone, 0);
  const to = period.to === undefined ? now : instantOf(period.to, "to", timeZone, 1);
  if (to < from) throw invalid("to", "to lies before from; exchange them.");
  return { from, to };
}

/** @param daysAfter a date stands for the start of the day so many days later */
function instantOf(value: string | number | Date, param: string, timeZone: string, daysAfter: number): number {
  const date = typeof value === "string" ? /^(\d{4})-(\d\d)-(\d\d)$/.exec(value) : null;
  if (date !== null) {
    const day = dayNumber({ year: Number(date[1]), month: Number(date[2]), day: Number(date[3]) });
    if (new Date(day * 24 * HOUR_MS).toISOString().slice(0, 10) === value) return startOfDayNumber(day + daysAfter, timeZone);
  } else {
    // A time without its distance from UTC would mean another instant on another machine.
    const exact = typeof value !== "string" || /T.*(Z|[+-]\d\d:?\d\d)$/i.test(value);
    const instant = exact ? new Date(value).getTime() : Number.NaN;
    if (Number.isFinite(instant)) return Math.min(Math.max(Math.trunc(instant), 0), 2 ** 48 - 1);
  }
  throw invalid(param, `${param} must be a date such as "2026-11-01", an instant such as "2026-11-01T09:00:00Z", milliseconds or a Date.`);
}

function invalid(param: string, message: string): TollgateError {
  return new TollgateError("invalid_request", message, { param });
}
