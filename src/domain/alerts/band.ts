import type { NanoUsd } from "../../base/money.ts";
import type { AnomalyRules } from "./rules.ts";

/** One calendar day of one scope. */
export interface DayValue {
  /** The local date. */
  readonly date: string;
  /** 0 is Sunday. */
  readonly weekDay: number;
  readonly cost: NanoUsd;
}

/** What a day was expected to cost. */
export interface Band {
  readonly expected: NanoUsd;
  /** A day above this is no usual one. */
  readonly upper: NanoUsd;
  /** Which days it was compared with, and how: `weekday` with the same day of the weeks before, `all` with all days before. */
  readonly basis: "weekday" | "all";
  readonly compared: readonly DayValue[];
}

/** With fewer whole days than a week, nobody knows what a week looks like. */
export const DAYS_LEAST = 7;
export const DAYS_COMPARED_MAX = 42;
const SAME_WEEKDAYS_LEAST = 3;
/** Of single users, keys and models: with fewer days of use there is no usual one. */
const ACTIVE_DAYS_LEAST = 5;
/** Who works only now and then has no weekdays either. */
const OCCASIONS_LEAST = 8;

/** The median absolute deviation times this estimates the standard deviation of normal data; as parts of 10,000. */
const MAD_SCALE = 14_826n;

/**
 * The band of a day, from the days before it.
 *
 * The centre is the median of the same weekdays, or of all days while there are fewer than three of these. The top is
 * the highest of: `sensitivity` deviations of those days; as many of all days, each against the median of its other
 * weekdays and scaled to this one (few weekdays alone often agree by chance); half as much again as the centre; a quarter
 * more than the second dearest day compared; the smallest rise that counts (without weekdays: twice the centre, and half as much again). Where most days were without costs, the days with costs are the ones compared.
 *
 * @param before consecutive whole days, oldest first
 * @returns `undefined` in the first week, or while there are too few days with costs
 */
export function bandOf(before: readonly DayValue[], weekDay: number, rules: AnomalyRules): Band | undefined {
  const first = before.findIndex((day) => day.cost > 0n);
  if (first === -1) return undefined;
  // The first day with costs seldom is a whole one.
  const known = before.slice(Math.max(first, before.length - DAYS_COMPARED_MAX));
  const active = known.filter((day) => day.cost > 0n);
  if (known.length < DAYS_LEAST || active.length < ACTIVE_DAYS_LEAST) return undefined;
  const occasional = active.length * 2 <= known.length;
  if (occasional && active.length < OCCASIONS_LEAST) return undefined;
  const days = occasional ? active : known;
  const same = days.filter((day) => day.weekDay === weekDay);
  const byWeekday = !occasional && same.length >= SAME_WEEKDAYS_LEAST && median(same.map((day) => day.cost)) > 0n;
  const compared = byWeekday ? same : days;
  const costs = compared.map((day) => day.cost);
  const centre = median(costs);
  // While weekdays are few, a weekday that was dear before may be so again.
  const expected = byWeekday ? centre : largest([centre, ...same.map((day) => day.cost)]);
  const own = scaled(deviation(costs, centre), rules.sensitivity);
  const pooled = byWeekday ? scaled((pooledDeviation(days) * expected) / SHARE_UNIT, rules.sensitivity) : 0n;
  const width = largest([own, pooled, byWeekday ? expected / 2n : expected, rules.minimumRiseNanoUsd]);
  const upper = largest([expected + width, (secondLargest(costs) * (byWeekday ? 5n : 6n)) / 4n]);
  return { expected, upper, basis: byWeekday ? "weekday" : "all", compared };
}

/** The middle value; of two middle ones the mean, rounded down. Nothing has the median 0. */
export function median(values: readonly bigint[]): bigint {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const half = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return 0n;
  return sorted.length % 2 === 1 ? (sorted[half] as bigint) : ((sorted[half - 1] as bigint) + (sorted[half] as bigint)) / 2n;
}

const SHARE_UNIT = 1_000_000n;

/**
 * The median distance of days from the median of the other days of their weekday, as millionths of that median: a day that
 * took part in its own median would be too close to it.
 */
function pooledDeviation(days: readonly DayValue[]): bigint {
  const shares: bigint[] = [];
  for (const day of days) {
    const usual = median(days.filter((other) => other.weekDay === day.weekDay && other !== day).map((other) => other.cost));
    if (usual > 0n) shares.push((distance(day.cost, usual) * SHARE_UNIT) / usual);
  }
  // Medians of few days often are small by chance; the 90th percentile holds against one odd day in ten.
  const sorted = shares.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const high = sorted[Math.floor(0.9 * (sorted.length - 1))] ?? 0n;
  return largest([median(shares), (high * 10_000n) / (MAD_SCALE * NORMAL_90 / 1_000n)]);
}

/** The 90th percentile of distances of normal data, in thousandths of the standard deviation. */
const NORMAL_90 = 1_645n;

function secondLargest(values: readonly bigint[]): bigint {
  return values.toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0))[1] ?? 0n;
}

function deviation(costs: readonly bigint[], centre: bigint): bigint {
  return median(costs.map((cost) => distance(cost, centre)));
}

function scaled(mad: bigint, sensitivity: number): bigint {
  return (mad * MAD_SCALE * BigInt(Math.round(sensitivity * 100))) / 1_000_000n;
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a;
}

function largest(values: readonly bigint[]): bigint {
  return values.reduce((most, value) => (value > most ? value : most), 0n);
}
