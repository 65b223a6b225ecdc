import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd, parseNanoUsd } from "../../base/money.ts";
import { dateOfDay, dayNumber } from "../windows/civil-date.ts";
import { costOfRow } from "./amounts.ts";

/** Fewer finished days than these tell nothing of the next ones. */
const HISTORY_DAYS = 3;

/** What a budget still has, day by day. Dollars as exact decimal text; it may be less than nothing where the budget is soft. */
export interface BurnDown {
  readonly budget: string;
  /** Local dates, both included. */
  readonly from: string;
  readonly to: string;
  /** At the end of each day so far; the last one is today and not over. */
  readonly actual: readonly { readonly date: string; readonly remaining: string }[];
  /** At the end of each day to come: `likely` by what an ordinary day costs, `low` and `high` by dear and cheap ones. */
  readonly projection: readonly { readonly date: string; readonly low: string; readonly likely: string; readonly high: string }[];
  /** When nothing will be left, within the period; `null` members if not then. */
  readonly exhaustion: { readonly date: string | null; readonly earliest: string | null; readonly latest: string | null };
  /** Why there is no projection. */
  readonly withoutProjection?: "too_little_history" | "over" | undefined;
}

export interface BurnDownOptions {
  /** Dollars: decimal text, or a number. */
  readonly budget: string | number;
  /** The last day of the budget's period. */
  readonly to: string;
}

/**
 * A budget's burn-down from the days of its period so far.
 * @param days every day from the period's first to today, as `dailyCosts` gives them
 * @throws TollgateError `invalid_amount`, `invalid_request`
 */
export function burnDownOf(days: readonly { readonly date: string; readonly costExact?: string; readonly cost?: number }[], { budget, to }: BurnDownOptions): BurnDown {
  const amount = parseNanoUsd(String(budget));
  if (amount === undefined || amount <= 0n) throw new TollgateError("invalid_amount", "budget must be dollars above 0, such as \"100\".", { param: "budget" });
  const spent = days.map((day, index) => costOfRow(day, `days[${index}]`));
  const from = days[0]?.date ?? to;
  const today = days[days.length - 1]?.date ?? from;
  if (!/^\d{4}-\d\d-\d\d$/.test(to) || to < today) throw new TollgateError("invalid_request", "to must be the date of the budget's last day, not before the last day with costs.", { param: "to" });
  let left = amount;
  const actual = days.map((day, index) => ({ date: day.date, remaining: formatNanoUsd((left -= spent[index] as bigint)) }));
  const spentOut = actual.find((day) => day.remaining.startsWith("-") || day.remaining === "0")?.date ?? null;
  const none = { date: spentOut, earliest: spentOut, latest: spentOut };
  const finished = spent.slice(0, -1).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const coming = dayOf(to) - dayOf(today);
  if (coming === 0 || finished.length < HISTORY_DAYS) return { budget: formatNanoUsd(amount), from, to, actual, projection: [], exhaustion: none, withoutProjection: coming === 0 ? "over" : "too_little_history" };
  const quartile = (part: number): bigint => finished[Math.round((finished.length - 1) * part)] as bigint;
  const mean = finished.reduce((sum, cost) => sum + cost, 0n) / BigInt(finished.length);
  const [cheap, dear] = [quartile(0.25) < mean ? quartile(0.25) : mean, quartile(0.75) > mean ? quartile(0.75) : mean];
  const dates = Array.from({ length: coming }, (_, index) => dateAt(dayOf(today) + index + 1));
  const after = (perDay: bigint, index: number): bigint => left - perDay * BigInt(index + 1);
  const emptyOn = (perDay: bigint): string | null => spentOut ?? dates.find((_, index) => after(perDay, index) <= 0n) ?? null;
  return {
    budget: formatNanoUsd(amount), from, to, actual,
    projection: dates.map((date, index) => ({ date, low: formatNanoUsd(after(dear, index)), likely: formatNanoUsd(after(mean, index)), high: formatNanoUsd(after(cheap, index)) })),
    exhaustion: { date: emptyOn(mean), earliest: emptyOn(dear), latest: emptyOn(cheap) },
  };
}

const dayOf = (date: string): number => dayNumber({ year: Number(date.slice(0, 4)), month: Number(date.slice(5, 7)), day: Number(date.slice(8, 10)) });

function dateAt(day: number): string {
  const { year, month, day: ofMonth } = dateOfDay(day);
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(ofMonth).padStart(2, "0")}`;
}
