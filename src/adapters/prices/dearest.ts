import type { Price, PriceBook, Rate, Rates } from "../../domain/pricing/price.ts";
import type { Dimension } from "../../domain/usage/usage.ts";
import { listModels } from "./list-models.ts";

/** Prices change at midnight or by the hour; what is dearest is looked up anew as often. */
const HOLDS_MS = 3_600_000;

/**
 * A price book that knows what a model without a price may cost at most: each rate of its provider's dearest model, or
 * of the dearest anywhere where nothing of the provider is listed (GATE 2.3).
 */
export function estimatingBook(book: PriceBook): PriceBook {
  const known = new Map<string, { readonly price: Price | undefined; readonly until: number }>();
  return {
    version: book.version,
    find: (provider, model, at) => book.find(provider, model, at),
    info: (provider, model) => book.info(provider, model),
    dearest: (provider, at) => {
      let found = known.get(provider);
      if (found === undefined || at >= found.until) {
        found = { price: dearestOf(book, provider, at), until: at + HOLDS_MS };
        known.set(provider, found);
      }
      return found.price;
    },
  };
}

function dearestOf(book: PriceBook, provider: string, at: number): Price | undefined {
  const all = listModels();
  const own = all.filter((listed) => listed.provider === provider);
  const rates: Partial<Record<Dimension, Rate>> = {};
  for (const listed of own.length > 0 ? own : all) {
    const price = book.find(listed.provider, listed.model, at);
    if (price === undefined) continue;
    raise(rates, price.rates);
    for (const tier of price.tiers) raise(rates, tier.rates);
  }
  if (rates.input === undefined || rates.output === undefined) return undefined;
  return { version: `dearest@${own.length > 0 ? provider : "any"}/${book.version}`, provider, model: "", rates, tiers: [], guessed: true };
}

function raise(rates: Partial<Record<Dimension, Rate>>, by: Rates): void {
  for (const [name, rate] of Object.entries(by)) {
    const dimension = name as Dimension;
    const before = rates[dimension];
    if (before === undefined || rate.pico * before.per > before.pico * rate.per) rates[dimension] = rate;
  }
}
