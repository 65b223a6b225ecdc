import { TollgateError } from "../../../base/errors.ts";
import { formatPicoUsd, type NanoUsd } from "../../../base/money.ts";
import { costOf, type Cost } from "../../../domain/pricing/cost.ts";
import type { Price, PriceBook } from "../../../domain/pricing/price.ts";
import type { Dialect } from "../../../domain/upstream/dialect.ts";
import { isBelievableCount, type UsageLine } from "../../../domain/usage/usage.ts";
import { usdNumber } from "../amounts.ts";
import type { CallType } from "../call-record.ts";
import type { Model } from "../completion-types.ts";
import { countMessages, type Counted, type TokenCounterParams, type TokenSources } from "./token-counter.ts";

/** Provider and the provider's own name of a model. */
export interface Target {
  readonly provider: string;
  readonly model: string;
}

/** A model's prices and sizes under LiteLLM's names; dollars per unit. */
export interface ModelInfo {
  readonly key: string;
  readonly litellm_provider: string;
  readonly max_tokens: number | null;
  readonly max_input_tokens: number | null;
  readonly max_output_tokens: number | null;
  readonly [price: `${string}_cost${string}` | `${string}_per_${string}`]: number;
}

/** Prices to register, under LiteLLM's names: dollars per unit, as numbers or decimal text. */
export type ModelPrices = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What the cost functions need of an instance. */
export interface CostSources extends TokenSources {
  readonly prices: PriceBook;
  readonly dialects: Readonly<Record<CallType, Dialect>>;
  now(): number;
  /** @throws TollgateError `unknown_model` */
  targetOf(model: string): Target;
  register(models: ModelPrices): void;
  listModels(): readonly Target[];
  litellmFieldsOf(price: Price): Readonly<Record<string, number>>;
}

export interface CostPerTokenParams {
  model: Model;
  /** Input tokens in all, cached ones included. */
  promptTokens?: number | undefined;
  /** Output tokens in all, reasoning included. */
  completionTokens?: number | undefined;
  /** Part of `promptTokens`. */
  cacheReadInputTokens?: number | undefined;
  /** Part of `promptTokens`; written for five minutes. */
  cacheCreationInputTokens?: number | undefined;
  /** Part of `completionTokens`. */
  reasoningTokens?: number | undefined;
}

/** A call that was not made here, by its texts. */
export interface TextCall {
  model: Model;
  prompt?: string | undefined;
  messages?: readonly unknown[] | undefined;
  completion?: string | undefined;
}

/** Whatever has a provider's `usage`; with `cost`, an answer of Tollgate's own. */
export interface AnswerWithUsage {
  readonly usage?: unknown;
  readonly model?: string | undefined;
}

const encoder = new TextEncoder();

/** What calls cost, from prices alone: nothing is sent, held or charged. Unknown is never $0. */
export class CostFunctions {
  private readonly sources: CostSources;

  constructor(sources: CostSources) {
    this.sources = sources;
  }

  /** @throws TollgateError `unpriced`, `unknown_model`, `invalid_request` for usage that cannot be believed */
  costOfAnswer(answer: AnswerWithUsage, named?: string): Cost {
    const reading = this.dialectOf(answer).plain.read(encoder.encode(JSON.stringify(answer)));
    if (reading.usage === undefined) throw new TollgateError("invalid_request", `The response has no usage that can be believed (${reading.problem ?? "missing"}), so its cost is not known.`, { param: "usage" });
    const model = named ?? reading.model;
    if (model === undefined) throw new TollgateError("invalid_request", "The response names no model: pass { model } beside it.", { param: "model" });
    const target = this.sources.targetOf(model);
    const at = this.sources.now();
    const answered = reading.model === undefined ? undefined : this.sources.prices.find(target.provider, reading.model, at);
    return this.priced(answered ?? this.priceOf(model), model, reading.usage);
  }

  /** @throws TollgateError `unpriced`, `unknown_model` */
  costOfUsage(model: string, usage: readonly UsageLine[]): Cost {
    return this.priced(this.priceOf(model), model, usage);
  }

  /** The price in force. @throws TollgateError `unpriced`, `unknown_model` */
  priceOf(model: string): Price {
    const target = this.sources.targetOf(model);
    const price = this.sources.prices.find(target.provider, target.model, this.sources.now());
    if (price === undefined) throw unpriced(model, "The model");
    return price;
  }

  maximumOutput(model: string): number | undefined {
    const { provider, model: name } = this.sources.targetOf(model);
    return this.sources.prices.info(provider, name)?.maximumOutput;
  }

  completionCost(given: AnswerWithUsage | TextCall, options: { readonly model?: string } = {}): number | Promise<number> {
    if (typeof given !== "object" || given === null) throw new TollgateError("invalid_request", "completionCost takes a provider's response, or { model, prompt, completion }.");
    const known = nanoOfOurs(given);
    if (known !== undefined) return usdNumber(known);
    if ("usage" in given) return usdNumber(this.costOfAnswer(given, options.model).nanoUsd);
    if ("prompt" in given || "completion" in given || "messages" in given) return this.costOfTexts(given as TextCall).then((cost) => usdNumber(cost.nanoUsd));
    return usdNumber(this.costOfAnswer(given as AnswerWithUsage, options.model).nanoUsd);
  }

  async costOfTexts({ model, prompt, messages, completion = "" }: TextCall): Promise<Cost> {
    const input = messages === undefined ? await this.tokenCounter({ model, text: prompt ?? "" }) : await this.tokenCounter({ model, messages });
    const output = await this.tokenCounter({ model, text: completion });
    return this.costOfUsage(model, [{ dimension: "input", quantity: input.tokens }, { dimension: "output", quantity: output.tokens }]);
  }

  costPerToken(params: CostPerTokenParams): [promptCost: number, completionCost: number] {
    const prompt = count(params.promptTokens, "promptTokens");
    const completion = count(params.completionTokens, "completionTokens");
    const read = count(params.cacheReadInputTokens, "cacheReadInputTokens");
    const written = count(params.cacheCreationInputTokens, "cacheCreationInputTokens");
    const reasoning = count(params.reasoningTokens, "reasoningTokens");
    if (read + written > prompt) throw new TollgateError("invalid_request", "Cached tokens are part of promptTokens and cannot be more.", { param: "promptTokens" });
    if (reasoning > completion) throw new TollgateError("invalid_request", "reasoningTokens are part of completionTokens and cannot be more.", { param: "reasoningTokens" });
    const cost = this.costOfUsage(params.model, [
      { dimension: "input", quantity: prompt - read - written }, { dimension: "cache_read", quantity: read }, { dimension: "cache_write_5m", quantity: written },
      { dimension: "output", quantity: completion - reasoning }, { dimension: "reasoning", quantity: reasoning },
    ]);
    const side = (output: boolean): number => Number(formatPicoUsd(cost.lines.filter(({ dimension }) => (dimension === "output" || dimension === "reasoning") === output).reduce((sum, { pico }) => sum + pico, 0n)));
    return [side(false), side(true)];
  }

  async tokenCounter(params: TokenCounterParams): Promise<Counted> {
    return countMessages(params, this.sources.targetOf(params.model), this.sources);
  }

  registerModel(models: ModelPrices): void {
    this.sources.register(models);
  }

  getModelInfo(model: string): ModelInfo {
    const target = this.sources.targetOf(model);
    return this.infoOf(target, this.priceOf(model));
  }

  /** Every priced model by `provider/model`, registered ones too. */
  modelCost(): Record<string, ModelInfo> {
    const all = Object.create(null) as Record<string, ModelInfo>;
    const at = this.sources.now();
    for (const target of this.sources.listModels()) {
      const price = this.sources.prices.find(target.provider, target.model, at);
      if (price !== undefined) all[`${target.provider}/${target.model}`] = this.infoOf(target, price);
    }
    return all;
  }

  private infoOf({ provider, model }: Target, price: Price): ModelInfo {
    const info = this.sources.prices.info(provider, model);
    const output = info?.maximumOutput ?? null;
    return {
      key: `${provider}/${model}`, litellm_provider: provider, max_tokens: output, max_input_tokens: info?.contextWindow ?? null, max_output_tokens: output,
      ...this.sources.litellmFieldsOf(price),
    };
  }

  private priced(price: Price, model: string, usage: readonly UsageLine[]): Cost {
    const cost = costOf(price, usage);
    if ("unpriced" in cost) throw unpriced(model, `The ${cost.unpriced} of the model`);
    return cost;
  }

  /** Each API has its own words for usage. */
  private dialectOf(answer: AnswerWithUsage): Dialect {
    const usage = answer.usage;
    const has = (name: string): boolean => typeof usage === "object" && usage !== null && Object.hasOwn(usage, name);
    return this.sources.dialects[has("input_tokens") ? "responses" : has("completion_tokens") ? "completion" : "embedding"];
  }
}

/** What an answer of Tollgate's own says it cost. */
export function nanoOfOurs(answer: object): NanoUsd | undefined {
  const cost = (answer as { cost?: { callId?: unknown; total?: unknown; unpriced?: unknown } | null }).cost;
  if (typeof cost !== "object" || cost === null || typeof cost.callId !== "string" || typeof cost.total !== "string" || cost.unpriced === true) return undefined;
  const match = /^(\d{1,10})(?:\.(\d{1,9}))?$/.exec(cost.total);
  return match === null ? undefined : BigInt(match[1] as string) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

function unpriced(model: string, what: string): TollgateError {
  return new TollgateError("unpriced", `${what} ${JSON.stringify(model.slice(0, 128))} has no price. Give its prices to registerModel, or use a priced model.`, { param: "model" });
}

function count(value: number | undefined, param: string): number {
  if (value === undefined) return 0;
  if (!isBelievableCount(value)) throw new TollgateError("invalid_request", `${param} must be a whole number of tokens from 0 to 10000000.`, { param });
  return value;
}
