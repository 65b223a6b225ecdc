import { assert } from "../../base/assert.ts";
import { parseDecimal } from "../../base/money.ts";
import type { Dimension } from "../../domain/usage/usage.ts";
import type { ModelRow, RateCells, ScheduledPrice } from "./model-row.ts";

/** Dollars for a million units, as decimal text. */
type UsdPerMillion = Readonly<Partial<Record<Dimension, string>>>;

/** Where a row comes from and when somebody last looked. */
interface Sourced {
  readonly source: string;
  readonly checkedAt: string;
}

/** `supplement-rows.ts`: our own dated rows. Providers are named as in the compiled book. */
export interface Supplement {
  readonly version: string;
  /** Whole price schedules; they replace what the compiled book says of these ids. */
  readonly prices: readonly (Sourced & {
    readonly provider: string;
    readonly id: string;
    readonly ids: readonly string[];
    readonly prices: readonly {
      readonly from?: string;
      /** Two times of the day in UTC, `"16:30"`. */
      readonly hours?: readonly string[];
      readonly usdPerMillion: UsdPerMillion;
      readonly tiers?: readonly { readonly above: number; readonly usdPerMillion: UsdPerMillion }[];
    }[];
  })[];
  /** Further ids of models in the compiled book. */
  readonly aliases: readonly (Sourced & { readonly provider: string; readonly of: string; readonly ids: readonly string[] })[];
  /** Largest outputs and context windows, by id or by the id of the row. */
  readonly limits: readonly (Sourced & {
    readonly provider: string;
    readonly ids: readonly string[];
    readonly maximumOutput: number;
    readonly contextWindow?: number;
  })[];
}

/** The supplement's price rows in the form of the compiled book, by provider. */
export function supplementRows(supplement: Supplement): ReadonlyMap<string, readonly ModelRow[]> {
  const byProvider = new Map<string, ModelRow[]>();
  for (const { provider, id, ids, prices } of supplement.prices) {
    const rows = byProvider.get(provider) ?? [];
    rows.push({ id, ids, prices: prices.map((price) => scheduled(price, `${provider}/${id}`)) });
    byProvider.set(provider, rows);
  }
  return byProvider;
}

function scheduled(price: Supplement["prices"][number]["prices"][number], name: string): ScheduledPrice {
  const from = price.from === undefined ? undefined : Date.parse(price.from);
  assert(from === undefined || Number.isInteger(from), `supplement ${name}: "from" is a date`);
  return {
    ...(from === undefined ? {} : { from }),
    ...(price.hours === undefined ? {} : { hours: [timeOfDay(price.hours[0], name), timeOfDay(price.hours[1], name)] as const }),
    rates: cells(price.usdPerMillion, name),
    ...(price.tiers === undefined ? {} : { tiers: price.tiers.map((tier) => ({ above: tier.above, rates: cells(tier.usdPerMillion, name) })) }),
  };
}

function timeOfDay(text: string | undefined, name: string): number {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text ?? "");
  assert(match !== null, `supplement ${name}: "hours" are two times such as "16:30"`);
  return (Number(match[1]) * 60 + Number(match[2])) * 60_000;
}

/** Dollars per million units, times a million, are pico-dollars per unit. */
function cells(usdPerMillion: UsdPerMillion, name: string): RateCells {
  const rates: Partial<Record<Dimension, number>> = {};
  for (const [dimension, text] of Object.entries(usdPerMillion) as [Dimension, string][]) {
    const pico = parseDecimal(text, 6, "exact");
    assert(pico !== undefined && pico >= 0n && pico <= BigInt(Number.MAX_SAFE_INTEGER), `supplement ${name}: ${dimension} is dollars per million units with at most six decimals`);
    rates[dimension] = Number(pico);
  }
  return rates;
}
