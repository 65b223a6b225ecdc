import { listModels } from "../../adapters/prices/list-models.ts";
import { litellmFieldsOf } from "../../adapters/prices/litellm-fields.ts";
import { createPriceBook } from "../../adapters/prices/price-book.ts";
import { register, RegisteredPrices, type Registry } from "../../adapters/prices/registered-prices.ts";
import { openaiChat } from "../../adapters/providers/openai/chat/dialect.ts";
import { openaiEmbeddings } from "../../adapters/providers/openai/embeddings/dialect.ts";
import { openaiResponses } from "../../adapters/providers/openai/responses/dialect.ts";
import { providerEntry, splitModel } from "../../adapters/providers/registry.ts";
import { countTokens, encodingOf } from "../../adapters/tokens/encodings.ts";
import { TollgateError } from "../../base/errors.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";
import { CostFunctions, type Target } from "../../surfaces/sdk/costs/cost-functions.ts";
import { askProvider } from "./count-tokens.ts";

export const DIALECTS = { completion: openaiChat, embedding: openaiEmbeddings, responses: openaiResponses } as const;

const KEY = Symbol.for("tollgate.models@1");

/** Models that `registerModel` of the package gave to the whole process. */
export function processRegistry(): Registry {
  const holder = globalThis as unknown as Record<symbol, Registry | undefined>;
  return (holder[KEY] ??= new Map());
}

/** The prices and cost functions of one instance: its own models, then the process's, then its book. */
export function openCosts(book: PriceBook = createPriceBook(), own: Registry = new Map(), now: () => number = Date.now): { readonly prices: PriceBook; readonly costs: CostFunctions } {
  const shared = processRegistry();
  const registries = own === shared ? [own] : [own, shared];
  const prices = new RegisteredPrices(book, registries);
  const isRegistered = (name: string): Target | undefined => registries.flatMap((registry) => [...registry.values()]).find(({ model }) => model === name);
  const costs = new CostFunctions({
    prices, dialects: DIALECTS, now, litellmFieldsOf,
    targetOf: (model) => targetOf(model) ?? isRegistered(model) ?? unknown(model),
    register: (models) => register(own, models, (name, provider) => registeredTarget(name, provider)),
    listModels: () => [...listModels(), ...registries.flatMap((registry) => [...registry.values()])],
    encodingOf: ({ provider, model }) => (provider === "openai" || provider === "azure" ? encodingOf(model) : undefined),
    countText: countTokens,
    askProvider: (target, messages, options) => askProvider(target, messages, options, process.env),
  });
  return { prices, costs };
}

function targetOf(model: unknown): Target | undefined {
  const split = typeof model === "string" ? splitModel(model) : undefined;
  return split === undefined ? undefined : { provider: split.provider.name, model: split.model };
}

/** A name without a provider is called at an address of the program's own, which speaks OpenAI's language. */
function registeredTarget(name: string, provider: string | undefined): Target {
  if (name === "") throw new TollgateError("invalid_request", "A model to register needs a name.", { param: "model" });
  if (provider === undefined) return targetOf(name) ?? { provider: "openai", model: name };
  const entry = providerEntry(provider);
  const ours = entry?.name ?? provider;
  const split = targetOf(name);
  return { provider: ours, model: split !== undefined && split.provider === ours ? split.model : name.startsWith(`${provider}/`) ? name.slice(provider.length + 1) : name };
}

function unknown(model: unknown): never {
  throw new TollgateError("unpriced", `The model ${JSON.stringify(String(model).slice(0, 128))} has no price: it names no known provider and is not registered. Write provider/model, such as "openai/gpt-4o-mini", or give its prices to registerModel.`, { param: "model" });
}
