import { listModels } from "../../adapters/prices/list-models.ts";
import { providerEntry, splitModel } from "../../adapters/providers/registry.ts";
import { TollgateError } from "../../base/errors.ts";
import { costOfTokens, type Candidate } from "../../domain/optimizer/candidate.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";

/**
 * What the price book knows of a model.
 * @throws TollgateError `unknown_model` for a name without a known provider
 */
export function candidateOf(name: string, prices: PriceBook, at: number, abilities: ReadonlyMap<string, readonly string[]>): Candidate {
  const target = typeof name === "string" ? splitModel(name) : undefined;
  if (target === undefined) throw new TollgateError("unknown_model", `The model ${JSON.stringify(String(name).slice(0, 128))} names no known provider. Write provider/model, such as "openai/gpt-4o-mini".`, { param: "model" });
  const { provider, model } = target;
  const info = prices.info(provider.name, model);
  return {
    name, provider: provider.name, price: prices.find(provider.name, model, at), maximumOutput: info?.maximumOutput, contextWindow: info?.contextWindow,
    abilities: abilities.get(name) ?? [],
  };
}

/**
 * Every model of the price lists that this package can call and that has a price for text in and out. What the lists give away
 * for nothing is left out: such offers are throttled, or pay with the prompts; who wants one names it.
 */
export function listedCandidates(prices: PriceBook, at: number, abilities: ReadonlyMap<string, readonly string[]>): Candidate[] {
  return listModels().filter(({ provider }) => providerEntry(provider) !== undefined).map(({ provider, model }) => candidateOf(`${provider}/${model}`, prices, at, abilities))
    .filter(({ price }) => (costOfTokens(price, 1_000, 1_000) ?? 0n) > 0n);
}
