import { TollgateError } from "../../base/errors.ts";
import type { ModelInfo, Price, PriceBook } from "../../domain/pricing/price.ts";
import { readCustomPrice, UNSUPPORTED_PRICE_FIELDS } from "./custom-price.ts";
import type { ListedModel } from "./list-models.ts";
import { rateField } from "./litellm-fields.ts";

/** Models that a program registered, by provider and name. */
export type Registry = Map<string, RegisteredModel>;

export interface RegisteredModel extends ListedModel {
  readonly price: Price | undefined;
  readonly info: ModelInfo | undefined;
}

/** Members of LiteLLM's map that are no prices; taken and not needed, but for the sizes. */
const DESCRIPTIONS = /^(litellm_provider|mode|max_tokens|max_input_tokens|max_output_tokens|supports_\w+|supported_\w+|source|metadata|deprecation_date|output_vector_size|rpm|tpm|tool_use_system_prompt_tokens|max_\w+_per_\w+|comment)$/;

/** Prices that a program registers, over a book: the newest wins, and every later look-up sees it. */
export class RegisteredPrices implements PriceBook {
  private readonly base: PriceBook;
  private readonly registries: readonly Registry[];

  /** @param registries asked in this order, before the book */
  constructor(base: PriceBook, registries: readonly Registry[]) {
    this.base = base;
    this.registries = registries;
  }

  get version(): string {
    return this.base.version;
  }

  find(provider: string, model: string, at: number): Price | undefined {
    for (const registry of this.registries) {
      const price = registry.size === 0 ? undefined : registry.get(keyOf(provider, model))?.price;
      if (price !== undefined) return price;
    }
    return this.base.find(provider, model, at);
  }

  info(provider: string, model: string): ModelInfo | undefined {
    for (const registry of this.registries) {
      const info = registry.size === 0 ? undefined : registry.get(keyOf(provider, model))?.info;
      if (info !== undefined) return info;
    }
    return this.base.info(provider, model);
  }
}

/**
 * Reads LiteLLM's `register_model` map: model to `{ input_cost_per_token, output_cost_per_token, max_output_tokens, … }`, dollars
 * per unit. Everything is checked before anything changes.
 * @param targetOf provider and model behind a name
 * @throws TollgateError `invalid_request`, `invalid_amount`, `unknown_field`, `unsupported_field`, naming model and field
 */
export function register(registry: Registry, models: unknown, targetOf: (name: string, provider: string | undefined) => ListedModel): void {
  if (typeof models !== "object" || models === null || Array.isArray(models)) throw new TollgateError("invalid_request", 'registerModel takes an object of models, such as { "openai/my-model": { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 } }.');
  const read = Object.entries(models).map(([name, fields]) => readModel(name, fields, targetOf));
  for (const model of read) registry.set(keyOf(model.provider, model.model), model);
}

function readModel(name: string, fields: unknown, targetOf: (name: string, provider: string | undefined) => ListedModel): RegisteredModel {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) throw new TollgateError("invalid_request", `The prices of ${JSON.stringify(name)} must be an object of fields.`, { param: name });
  const texts: Record<string, string> = {};
  for (const [field, value] of Object.entries(fields)) {
    const param = `${name}.${field}`;
    if (UNSUPPORTED_PRICE_FIELDS.includes(field)) {
      throw new TollgateError("unsupported_field", `${param} is a price that has no function yet, and leaving it out would charge too little. Remove it if it does not apply.`, { param });
    }
    if (rateField(field) === undefined) {
      if (DESCRIPTIONS.test(field)) continue;
      throw new TollgateError("unknown_field", `${param} is no field of a model. Prices are dollars per unit, such as input_cost_per_token.`, { param });
    }
    texts[field] = amountText(value, param);
  }
  const { litellm_provider: provider, max_output_tokens: output, max_input_tokens: input, max_tokens: most } = fields as Readonly<Record<string, unknown>>;
  const target = targetOf(name, typeof provider === "string" ? provider : undefined);
  const maximumOutput = tokens(output, `${name}.max_output_tokens`) ?? tokens(most, `${name}.max_tokens`);
  const contextWindow = tokens(input, `${name}.max_input_tokens`);
  const info = maximumOutput === undefined && contextWindow === undefined ? undefined : { maximumOutput, contextWindow };
  const price = readCustomPrice(texts, { id: name, ...target });
  return { ...target, price: price === undefined ? undefined : { ...price, version: `registered/${name}` }, info };
}

function amountText(value: unknown, param: string): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text.trim().startsWith("-") || !/^\s*\d*\.?\d+(e[+-]?\d+)?\s*$/i.test(text)) {
    throw new TollgateError("invalid_amount", `${param} is ${String(value).slice(0, 40)}; it must be dollars per unit from 0 up, such as 1.5e-7.`, { param });
  }
  return text;
}

function tokens(value: unknown, param: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) <= 0) throw new TollgateError("invalid_request", `${param} must be a whole number of tokens from 1 up.`, { param });
  return value as number;
}

function keyOf(provider: string, model: string): string {
  return `${provider}\n${model.toLowerCase()}`;
}
