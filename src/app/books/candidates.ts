import { splitModel } from "../../adapters/providers/registry.ts";
import { TollgateError } from "../../base/errors.ts";
import type { Candidate } from "../../domain/optimizer/candidate.ts";
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
