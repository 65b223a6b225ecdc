import type { Dimension } from "../../domain/usage/usage.ts";
import type { Rate, Rates, Tier } from "../../domain/pricing/price.ts";

/** Pico-dollars per unit, or `[pico-dollars, units]` where one unit costs no whole number of them. */
export type RateCell = number | readonly [pico: number, per: number];
export type RateCells = Readonly<Partial<Record<Dimension, RateCell>>>;

/** One price of a model's schedule. */
export interface ScheduledPrice {
  /** In force from this instant on (epoch milliseconds); absent: since ever. */
  readonly from?: number;
  /** In force between these two times of the day (milliseconds since midnight UTC), the second excluded; may wrap. */
  readonly hours?: readonly [start: number, end: number];
  readonly rates: RateCells;
  readonly tiers?: readonly { readonly above: number; readonly rates: RateCells }[];
}

/** A model as the compiled book and the supplement know it. */
export interface ModelRow {
  readonly id: string;
  /** Every id that this row prices, lower case; `{yyyymmdd}` and `{yyyy-mm-dd}` stand for the date of a snapshot. */
  readonly ids: readonly string[];
  readonly window?: number;
  /** The last one in force wins. */
  readonly prices: readonly ScheduledPrice[];
}

export function toRates(cells: RateCells): Rates {
  const rates: Partial<Record<Dimension, Rate>> = {};
  for (const [dimension, cell] of Object.entries(cells) as [Dimension, RateCell][]) {
    rates[dimension] = typeof cell === "number" ? { pico: BigInt(cell), per: 1n } : { pico: BigInt(cell[0]), per: BigInt(cell[1]) };
  }
  return rates;
}

export function toTiers(price: ScheduledPrice): readonly Tier[] {
  return (price.tiers ?? [])
    .map((tier) => ({ aboveInputTokens: tier.above, rates: toRates(tier.rates) }))
    .sort((a, b) => a.aboveInputTokens - b.aboveInputTokens);
}

const SNAPSHOT_DATE = /[-@](20\d\d)(-?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])$/;

/**
 * The ids under which a model may be listed, nearest first: its own, that of its dated snapshots, and for a fine-tuned
 * model (`ft:base:organisation:name:id`) the one of `ft:base`. Never a shorter prefix: what is not listed is unknown.
 */
export function listedIds(model: string): readonly string[] {
  const id = model.toLowerCase();
  if (id.startsWith("ft:")) {
    const base = id.split(":", 2)[1];
    return base === undefined || base === "" ? [id] : [id, `ft:${base}`];
  }
  const date = SNAPSHOT_DATE.exec(id);
  if (date === null || !isCalendarDate(Number(date[1]), Number(date[3]), Number(date[4]))) return [id];
  return [id, `${id.slice(0, date.index + 1)}${date[2] === "" ? "{yyyymmdd}" : "{yyyy-mm-dd}"}`];
}

function isCalendarDate(year: number, month: number, day: number): boolean {
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}
