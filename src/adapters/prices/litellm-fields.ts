import { divideHalfEven, divideUp, formatDecimal, parseDecimal } from "../../base/money.ts";
import type { Rate, Rates, Tier } from "../../domain/pricing/price.ts";
import type { Dimension } from "../../domain/usage/usage.ts";

/** LiteLLM's price fields that a usage dimension measures: dollars per unit. */
const DIMENSION_OF: ReadonlyMap<string, Dimension> = new Map<string, Dimension>([
  ["input_cost_per_token", "input"],
  ["output_cost_per_token", "output"],
  ["output_cost_per_reasoning_token", "reasoning"],
  ["cache_read_input_token_cost", "cache_read"],
  ["cache_creation_input_token_cost", "cache_write_5m"],
  ["cache_creation_input_token_cost_above_1hr", "cache_write_1h"],
  ["input_cost_per_audio_token", "audio_in"],
  ["output_cost_per_audio_token", "audio_out"],
  ["cache_read_input_audio_token_cost", "audio_cache_read"],
  ["input_cost_per_image_token", "image_in"],
  ["output_cost_per_image_token", "image_out"],
  ["input_cost_per_request", "request"],
  ["input_cost_per_second", "second_in"],
  ["input_cost_per_audio_per_second", "second_in"],
  ["output_cost_per_second", "second_out"],
  ["input_cost_per_character", "character_in"],
  ["ocr_cost_per_page", "page"],
]);

/** Fields that LiteLLM knows in a variant for long inputs, `…_above_200k_tokens`. */
const TIERED: readonly string[] = [
  "input_cost_per_token",
  "output_cost_per_token",
  "output_cost_per_reasoning_token",
  "cache_read_input_token_cost",
  "cache_creation_input_token_cost",
  "cache_creation_input_token_cost_above_1hr",
];
const THRESHOLDS_K: readonly number[] = [32, 128, 200, 256, 272, 512];
const ABOVE = /^(.+)_above_(\d{1,4})k_tokens$/;

/** Every LiteLLM price field that becomes a rate. */
export const SUPPORTED_FIELDS: readonly string[] = [
  ...DIMENSION_OF.keys(),
  ...TIERED.flatMap((field) => THRESHOLDS_K.map((thousands) => `${field}_above_${thousands}k_tokens`)),
];

/** LiteLLM price fields without a function here yet: other service tiers, and things that no usage dimension measures. */
export const UNSUPPORTED_FIELDS: readonly string[] = [
  ...["input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "input_cost_per_audio_token"].flatMap((field) => [`${field}_batches`, `${field}_flex`, `${field}_priority`]),
  ...["input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost"].flatMap((field) =>
    [200, 272].flatMap((thousands) => [`${field}_above_${thousands}k_tokens_batches`, `${field}_above_${thousands}k_tokens_priority`])),
  "cache_creation_input_audio_token_cost",
  "cache_read_input_image_token_cost",
  "input_cost_per_character_above_128k_tokens",
  "output_cost_per_character",
  "output_cost_per_character_above_128k_tokens",
  "input_cost_per_image",
  "input_cost_per_image_above_128k_tokens",
  "output_cost_per_image",
  "input_cost_per_pixel",
  "output_cost_per_pixel",
  "input_cost_per_video_token",
  "input_cost_per_video_per_second",
  "input_cost_per_video_per_second_above_128k_tokens",
  "input_cost_per_video_per_second_above_8s_interval",
  "input_cost_per_video_per_second_above_15s_interval",
  "output_cost_per_video_per_second",
  "input_cost_per_audio_per_second_above_128k_tokens",
  "input_cost_per_query",
  "input_cost_per_token_cache_hit",
  "input_dbu_cost_per_token",
  "output_dbu_cost_per_token",
  "output_db_cost_per_token",
  "annotation_cost_per_page",
  "citation_cost_per_token",
  "code_interpreter_cost_per_session",
  "computer_use_input_cost_per_1k_tokens",
  "computer_use_output_cost_per_1k_tokens",
  "file_search_cost_per_1k_calls",
  "file_search_cost_per_gb_per_day",
  "vector_store_cost_per_gb_per_day",
  "google_maps_grounding_cost_per_query",
  "search_context_cost_per_query",
  "tiered_pricing",
];

/** The dimension and threshold behind a field's name, or `undefined` if it is no field that becomes a rate. */
export function rateField(name: string): { readonly dimension: Dimension; readonly aboveInputTokens: number | undefined } | undefined {
  const own = DIMENSION_OF.get(name);
  if (own !== undefined) return { dimension: own, aboveInputTokens: undefined };
  const above = ABOVE.exec(name);
  const base = above?.[1];
  if (base === undefined || !TIERED.includes(base)) return undefined;
  const dimension = DIMENSION_OF.get(base);
  return dimension === undefined ? undefined : { dimension, aboveInputTokens: Number(above?.[2]) * 1_000 };
}

/** Digits beyond the pico-dollar that a rate keeps: a number of JSON has no more than these for any price there is. */
const FINER_DIGITS = 15;

/**
 * Dollars per unit as decimal text to an exact rate: `per` is the power of ten that leaves whole pico-dollars. Beyond the
 * 27th decimal it is rounded half to even; what is above zero stays above zero, so that a tiny price never becomes none.
 * @returns `undefined` if the text is no decimal number, or is negative
 * @example readRate("2.5e-13") // { rate: { pico: 25n, per: 100n }, rounded: false }
 */
export function readRate(text: string): { readonly rate: Rate; readonly rounded: boolean } | undefined {
  if (text.trim().startsWith("-")) return undefined;
  const exact = parseDecimal(text, 12 + FINER_DIGITS, "exact");
  if (exact !== undefined) return { rate: lowestTerms(exact), rounded: false };
  const finer = parseDecimal(text, 40 + FINER_DIGITS, "up");
  if (finer === undefined) return undefined;
  const rounded = divideHalfEven(finer, 10n ** 28n);
  return { rate: lowestTerms(rounded > 0n ? rounded : 1n), rounded: true };
}

function lowestTerms(finest: bigint): Rate {
  let pico = finest;
  let per = 10n ** BigInt(FINER_DIGITS);
  while (per > 1n && pico % 10n === 0n) {
    pico /= 10n;
    per /= 10n;
  }
  return { pico, per };
}

/** Collects rates field by field and makes rates and tiers of them. */
export class RateCollector {
  private readonly base: Partial<Record<Dimension, Rate>> = {};
  private readonly byThreshold = new Map<number, Partial<Record<Dimension, Rate>>>();

  add(dimension: Dimension, aboveInputTokens: number | undefined, rate: Rate): void {
    let rates = this.base;
    if (aboveInputTokens !== undefined) {
      rates = this.byThreshold.get(aboveInputTokens) ?? {};
      this.byThreshold.set(aboveInputTokens, rates);
    }
    // Two fields may mean one dimension (`…_per_second`, `…_per_audio_per_second`): the dearer one holds.
    const known = rates[dimension];
    if (known === undefined || rate.pico * known.per > known.pico * rate.per) rates[dimension] = rate;
  }

  get rates(): Rates {
    return this.base;
  }

  get tiers(): readonly Tier[] {
    const { cache_write_5m: short, cache_write_1h: long } = this.base;
    const tiers: Tier[] = [];
    for (const [aboveInputTokens, rates] of [...this.byThreshold].sort(([a], [b]) => a - b)) {
      // LiteLLM often lists the dearer five-minute write of a tier and forgets the hour's; the two keep their ratio.
      const tierShort = rates.cache_write_5m;
      if (rates.cache_write_1h === undefined && tierShort !== undefined && short !== undefined && long !== undefined && short.pico > 0n) {
        rates.cache_write_1h = { pico: divideUp(long.pico * tierShort.pico * short.per, short.pico * long.per * tierShort.per), per: 1n };
      }
      tiers.push({ aboveInputTokens, rates });
    }
    return tiers;
  }

  /** Nothing but zeros, or nothing at all. */
  get free(): boolean {
    const all = [this.base, ...this.byThreshold.values()].flatMap((rates) => Object.values(rates));
    return all.every((rate) => rate.pico === 0n);
  }

  get empty(): boolean {
    return Object.keys(this.base).length === 0 && this.byThreshold.size === 0;
  }
}

/** A price under LiteLLM's field names, dollars per unit; numbers for programs to look at. Rates above 200,000 tokens and the like have their own names. */
export function litellmFieldsOf(price: { readonly rates: Rates; readonly tiers: readonly Tier[] }): Record<string, number> {
  const fields: Record<string, number> = {};
  for (const [name, dimension] of DIMENSION_OF) {
    const rate = price.rates[dimension];
    if (rate !== undefined) fields[name] = usdPerUnit(rate);
    if (!TIERED.includes(name)) continue;
    for (const tier of price.tiers) {
      const above = tier.rates[dimension];
      if (above !== undefined) fields[`${name}_above_${Math.round(tier.aboveInputTokens / 1_000)}k_tokens`] = usdPerUnit(above);
    }
  }
  return fields;
}

function usdPerUnit({ pico, per }: Rate): number {
  const power = /^10*$/.test(per.toString()) ? per.toString().length - 1 : undefined;
  return power === undefined ? Number(formatDecimal(pico, 12)) / Number(per) : Number(formatDecimal(pico, 12 + power));
}
