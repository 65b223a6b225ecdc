import { formatNanoUsd, type NanoUsd } from "../../base/money.ts";
import type { Calendar } from "../analytics/period.ts";

import { localDayOf, startOfDayNumber } from "../windows/zone.ts";
import { dollarNumber, isoTime } from "./alert.ts";
import { DAYS_LEAST, type DayValue } from "./band.ts";
import { burnRateOf, type BurnRate, type DayBurn } from "./daily-burn.ts";

/** Three figures: if every day is a quiet, a usual, a busy one. Dollars, exact text beside the usual one. */
export interface Band3 {
  readonly low: number;
  readonly expected: number;
  readonly expectedExact: string;
  readonly high: number;
}

/** When the money is gone; `null`: not before the end of the window, or not within two years. */
export interface Exhaustion {
  readonly earliest: string | null;
  readonly expected: string | null;
  readonly latest: string | null;
}

export type Forecast = {
  /** False: fewer than seven whole days of history, and no figures. */
  readonly enough: true;
  readonly historyDays: number;
  readonly burnPerDay: Band3;
  /** Spent by the end of the window; `null` for a window without an end. */
  readonly atEnd: Band3 | null;
  /** `null` without an amount. */
  readonly exhaustion: Exhaustion | null;
} | { readonly enough: false; readonly historyDays: number; readonly reason: string };

export interface ForecastQuestion {
  readonly now: number;
  readonly calendar: Calendar;
  /** Whole days before today, oldest first. */
  readonly before: readonly DayValue[];
  readonly spent: NanoUsd;
  readonly amount: NanoUsd | null;
  /** End of the window, epoch milliseconds; `Infinity` where it has none. */
  readonly end: number;
}

const HORIZON_DAYS = 731;

export function forecastOf(question: ForecastQuestion): Forecast {
  const rate = burnRateOf(question.before);
  if (rate === undefined) {
    const first = question.before.findIndex((day) => day.cost > 0n);
    const historyDays = first === -1 ? 0 : question.before.length - first - 1;
    return { enough: false, historyDays, reason: `There are ${historyDays} whole days of history; a forecast needs ${DAYS_LEAST}.` };
  }
  const paths = { low: pathOf(question, rate, "low"), expected: pathOf(question, rate, "expected"), high: pathOf(question, rate, "high") };
  return {
    enough: true, historyDays: rate.historyDays, burnPerDay: band3(rate.perDay),
    atEnd: question.end === Infinity ? null : band3({ low: paths.low.total, expected: paths.expected.total, high: paths.high.total }),
    exhaustion: question.amount === null ? null : { earliest: paths.high.exhausted, expected: paths.expected.exhausted, latest: paths.low.exhausted },
  };
}

interface Path {
  readonly total: NanoUsd;
  readonly exhausted: string | null;
}

/** Walks day by day from now on. Today and the window's last day count with the part that is left of them. */
function pathOf({ now, calendar: { timeZone }, spent, amount, end }: ForecastQuestion, rate: BurnRate, part: keyof DayBurn): Path {
  if (amount !== null && spent >= amount) return { total: spent + 0n, exhausted: isoTime(now) };
  let total = spent;
  let exhausted: string | null = null;
  const today = localDayOf(now, timeZone);
  for (let day = today; day < today + HORIZON_DAYS; day += 1) {
    const start = startOfDayNumber(day, timeZone);
    const next = startOfDayNumber(day + 1, timeZone);
    const from = Math.max(now, start);
    const to = Math.min(next, end);
    if (from >= to) {
      if (start >= end) break;
      continue;
    }
    const cost = rate.byWeekDay[(((day + 4) % 7) + 7) % 7]?.[part] ?? 0n;
    const added = (cost * BigInt(to - from)) / BigInt(next - start);
    if (exhausted === null && amount !== null && total + added >= amount && added > 0n) {
      exhausted = isoTime(from + Number(((amount - total) * BigInt(to - from)) / added));
      if (end === Infinity) break;
    }
    total += added;
  }
  return { total, exhausted };
}

function band3({ low, expected, high }: DayBurn): Band3 {
  return { low: dollarNumber(low), expected: dollarNumber(expected), expectedExact: formatNanoUsd(expected), high: dollarNumber(high) };
}

