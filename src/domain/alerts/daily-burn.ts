import type { NanoUsd } from "../../base/money.ts";
import { DAYS_LEAST, type DayValue } from "./band.ts";

/** What a day costs on a quiet, a usual and a busy one of its weekday. */
export interface DayBurn {
  readonly low: NanoUsd;
  readonly expected: NanoUsd;
  readonly high: NanoUsd;
}

export interface BurnRate {
  /** By weekday, 0 is Sunday. */
  readonly byWeekDay: readonly DayBurn[];
  /** The mean of a week's days. */
  readonly perDay: DayBurn;
  readonly historyDays: number;
}

const HISTORY_DAYS_MAX = 28;
const SAME_WEEKDAYS_LEAST = 3;

/**
 * How fast money goes, from the last four weeks: the mean of each weekday, between the 20th and the 80th percentile.
 * @param before consecutive whole days, oldest first; the first with costs is not counted, it seldom is a whole one
 * @returns `undefined` under seven whole days
 */
export function burnRateOf(before: readonly DayValue[]): BurnRate | undefined {
  const first = before.findIndex((day) => day.cost > 0n);
  if (first === -1) return undefined;
  const days = before.slice(Math.max(first + 1, before.length - HISTORY_DAYS_MAX));
  if (days.length < DAYS_LEAST) return undefined;
  const byWeekDay = [0, 1, 2, 3, 4, 5, 6].map((weekDay) => {
    const same = days.filter((day) => day.weekDay === weekDay);
    return burnOf((same.length >= SAME_WEEKDAYS_LEAST ? same : days).map((day) => day.cost));
  });
  const mean = (part: keyof DayBurn): NanoUsd => byWeekDay.reduce((sum, day) => sum + day[part], 0n) / 7n;
  return { byWeekDay, perDay: { low: mean("low"), expected: mean("expected"), high: mean("high") }, historyDays: days.length };
}

function burnOf(costs: readonly NanoUsd[]): DayBurn {
  const sorted = costs.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  // Outwards to the next day that was: four days alone say little of how quiet or busy one can be.
  const last = sorted.length - 1;
  const quiet = sorted[Math.floor(0.2 * last)] as NanoUsd;
  const busy = sorted[Math.ceil(0.8 * last)] as NanoUsd;
  const expected = costs.reduce((sum, cost) => sum + cost, 0n) / BigInt(costs.length);
  const smaller = (a: NanoUsd, b: NanoUsd): NanoUsd => (a < b ? a : b);
  const larger = (a: NanoUsd, b: NanoUsd): NanoUsd => (a > b ? a : b);
  return { low: smaller(quiet, expected), expected, high: larger(busy, expected) };
}
