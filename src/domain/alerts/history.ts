import { calendarSpans } from "../analytics/calendar.ts";
import type { Dimension } from "../analytics/dimension.ts";
import type { Calendar } from "../analytics/period.ts";
import type { CostSource } from "../analytics/source.ts";
import { dayNumber } from "../windows/civil-date.ts";
import { localDayOf, startOfDayNumber } from "../windows/zone.ts";
import { DAYS_COMPARED_MAX, type DayValue } from "./band.ts";
import { EPISODE_DAYS_MAX } from "./episodes.ts";

export const HISTORY_DAYS = DAYS_COMPARED_MAX + EPISODE_DAYS_MAX + 2;
/** Days that late settlements may still change are read anew each time. */
const SETTLED_AFTER_DAYS = 3;

export interface DaySpan {
  readonly date: string;
  readonly weekDay: number;
  readonly from: number;
  readonly to: number;
}

/** The last days of the calendar, oldest first, with today whole. */
export function daySpans(now: number, { timeZone, weekStart }: Calendar, count: number): DaySpan[] {
  const today = localDayOf(now, timeZone);
  const from = startOfDayNumber(today - count + 1, timeZone);
  return calendarSpans("day", from, startOfDayNumber(today + 1, timeZone), timeZone, weekStart)
    .map(({ name, start, end }) => ({ date: name, weekDay: weekDayOf(name), from: start, to: end }));
}

/** 0 is Sunday. @example weekDayOf("2026-11-24") // 2 */
export function weekDayOf(date: string): number {
  const [year = 0, month = 1, day = 1] = date.split("-").map(Number);
  // 1 January 1970 was a Thursday.
  return (((dayNumber({ year, month, day }) + 4) % 7) + 7) % 7;
}

/** Costs by day and label. What lies some days back is asked for once in a monitor's life. */
export class DailyHistory {
  private readonly known = new Map<string, ReadonlyMap<string | null, bigint>>();
  private readonly source: CostSource;

  constructor(source: CostSource) {
    this.source = source;
  }

  /** One series for each label that had costs today or yesterday, a value for each day. */
  async series(by: "none" | Dimension, days: readonly DaySpan[]): Promise<Map<string | null, DayValue[]>> {
    const columns: ReadonlyMap<string | null, bigint>[] = [];
    for (const [index, day] of days.entries()) columns.push(await this.column(by, day, days.length - index > SETTLED_AFTER_DAYS));
    this.forget(by, days);
    const labels = new Set(columns.slice(-2).flatMap((column) => [...column.keys()]));
    return new Map([...labels].map((label) => [label, days.map(({ date, weekDay }, index) => ({ date, weekDay, cost: columns[index]?.get(label) ?? 0n }))]));
  }

  private async column(by: "none" | Dimension, { from, to }: DaySpan, settled: boolean): Promise<ReadonlyMap<string | null, bigint>> {
    const name = `${by} ${from} ${to}`;
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const column = new Map((await this.source.sums({ by, from, to })).map((group) => [group.group, group.costNanoUsd]));
    if (settled) this.known.set(name, column);
    return column;
  }

  private forget(by: string, days: readonly DaySpan[]): void {
    const kept = new Set(days.map(({ from, to }) => `${by} ${from} ${to}`));
    for (const name of this.known.keys()) if (name.startsWith(`${by} `) && !kept.has(name)) this.known.delete(name);
  }
}
