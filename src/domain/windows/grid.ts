import { assert, unreachable } from "../../base/assert.ts";
import { dateOfDay, firstDayOfMonth, monthNumber } from "./civil-date.ts";
import type { WeekDay, WindowSpec } from "./window.ts";

type AlignedSpec = Extract<WindowSpec, { kind: "aligned" }>;

/** What `budget_duration` really means: blocks of `count` units from a fixed origin. Equal grids have equal spans. */
export type Grid =
  /** From the Unix epoch, in every zone. */
  | { readonly unit: "second"; readonly count: number }
  /** Local days since 1970-01-01. */
  | { readonly unit: "day"; readonly count: number; readonly zone: string }
  /** Local weeks; week 0 holds Sunday 1970-01-04. */
  | { readonly unit: "week"; readonly count: number; readonly zone: string; readonly weekStart: WeekDay }
  /** Local months since January 1970. */
  | { readonly unit: "month"; readonly count: number; readonly zone: string };

/** Sunday 4 January 1970, in days since 1970-01-01. */
const FIRST_SUNDAY = 3;

/** GATE 6.2: `24h` is a day, `7d` a week, `30d` a month; every other duration is what it says. */
export function gridOf(spec: AlignedSpec): Grid {
  const { zone, weekStart } = spec;
  const { count, unit } = spec.duration;
  assert(Number.isSafeInteger(count) && count > 0, `a window lasts a positive whole number of units, not ${count}`);
  switch (unit) {
    case "s":
      return { unit: "second", count };
    case "m":
      return { unit: "second", count: count * 60 };
    case "h":
      return count === 24 ? { unit: "day", count: 1, zone } : { unit: "second", count: count * 3_600 };
    case "d":
      if (count === 7) return { unit: "week", count: 1, zone, weekStart };
      return count === 30 ? { unit: "month", count: 1, zone } : { unit: "day", count, zone };
    case "w":
      return { unit: "week", count, zone, weekStart };
    case "mo":
      return { unit: "month", count, zone };
    default:
      return unreachable(unit);
  }
}

type LocalGrid = Exclude<Grid, { unit: "second" }>;

/** The block that holds a local day (days since 1970-01-01). */
export function blockOfDay(grid: LocalGrid, day: number): number {
  switch (grid.unit) {
    case "day":
      return Math.floor(day / grid.count);
    case "week":
      return Math.floor((day - firstWeekDay(grid.weekStart)) / (7 * grid.count));
    case "month":
      return Math.floor(monthNumber(dateOfDay(day)) / grid.count);
    default:
      return unreachable(grid);
  }
}

/** The first local day of a block. */
export function firstDayOfBlock(grid: LocalGrid, block: number): number {
  switch (grid.unit) {
    case "day":
      return block * grid.count;
    case "week":
      return firstWeekDay(grid.weekStart) + block * 7 * grid.count;
    case "month":
      return firstDayOfMonth(block * grid.count);
    default:
      return unreachable(grid);
  }
}

/** The last such weekday at or before the first Sunday: -3 (Monday 29 December 1969) to 3. */
function firstWeekDay(weekStart: WeekDay): number {
  return weekStart === 0 ? FIRST_SUNDAY : FIRST_SUNDAY - 7 + weekStart;
}

