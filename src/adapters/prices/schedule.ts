import type { ScheduledPrice } from "./model-row.ts";

const DAY_MS = 86_400_000;

/** Which price of a schedule is in force, and from when until when the answer stays the same. */
export interface InForce {
  /** Its place in the schedule, or -1: none is in force yet. */
  readonly index: number;
  readonly from: number;
  /** Excluded. */
  readonly until: number;
}

/** Finds the price in force at `at` (epoch milliseconds): the last one in the schedule whose conditions hold. */
export function inForce(schedule: readonly ScheduledPrice[], at: number): InForce {
  let from = -Infinity;
  let until = Infinity;
  let index = -1;
  const midnight = Math.floor(at / DAY_MS) * DAY_MS;
  for (let i = schedule.length - 1; i >= 0; i -= 1) {
    const price = schedule[i];
    if (price === undefined) continue;
    // The answer can only change where some condition changes; the nearest such instants bound its validity.
    if (price.from !== undefined) {
      if (price.from > at) until = Math.min(until, price.from);
      else from = Math.max(from, price.from);
    }
    if (price.hours !== undefined) {
      for (const time of price.hours) {
        for (const instant of [midnight - DAY_MS + time, midnight + time, midnight + DAY_MS + time]) {
          if (instant > at) until = Math.min(until, instant);
          else from = Math.max(from, instant);
        }
      }
    }
    if (index < 0 && (price.from ?? -Infinity) <= at && (price.hours === undefined || within(at - midnight, price.hours))) index = i;
  }
  return { index, from, until };
}

function within(timeOfDay: number, [start, end]: readonly [number, number]): boolean {
  return start <= end ? timeOfDay >= start && timeOfDay < end : timeOfDay >= start || timeOfDay < end;
}
