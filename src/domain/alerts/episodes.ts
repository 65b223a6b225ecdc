import { bandOf, type Band, type DayValue } from "./band.ts";
import type { AnomalyRules } from "./rules.ts";

/** A rise that lasts is one event, also over a weekend without it. */
const GAP_DAYS_MAX = 3;
export const EPISODE_DAYS_MAX = 28;

export interface Episode {
  /** The latest day that is above its band. */
  readonly day: DayValue;
  readonly band: Band;
  /** The first day of the rise. */
  readonly since: string;
}

/**
 * The rise that today or yesterday belongs to.
 * @param days consecutive calendar days, oldest first; the last one is today, and may not be over: what it has cost so far
 *   is compared with a whole day, so that it can only be found later than it could, never wrongly
 */
export function episodeOf(days: readonly DayValue[], rules: AnomalyRules): Episode | undefined {
  for (const last of [days.length - 1, days.length - 2]) {
    const found = risen(days, last, rules);
    if (found !== undefined) return { ...found, since: sinceWhen(days, last, rules) };
  }
  return undefined;
}

function risen(days: readonly DayValue[], at: number, rules: AnomalyRules): { day: DayValue; band: Band } | undefined {
  const day = days[at];
  // Most days of most scopes are below the least rise: no medians for them.
  if (day === undefined || day.cost <= rules.minimumRiseNanoUsd) return undefined;
  const band = bandOf(days.slice(0, at), day.weekDay, rules);
  return band !== undefined && day.cost > band.upper ? { day, band } : undefined;
}

function sinceWhen(days: readonly DayValue[], last: number, rules: AnomalyRules): string {
  let first = last;
  for (let at = last - 1; at >= Math.max(0, last - EPISODE_DAYS_MAX) && first - at <= GAP_DAYS_MAX; at -= 1) {
    if (risen(days, at, rules) !== undefined) first = at;
  }
  return (days[first] as DayValue).date;
}
