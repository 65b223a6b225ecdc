import type { PicoUsd } from "../../base/money.ts";
import type { Dimension } from "../usage/usage.ts";

/** Pico-dollars for `per` units: multiply first, divide once. `per` is 1 for tokens whose price is whole pico-dollars, as published prices are. */
export interface Rate {
  readonly pico: PicoUsd;
  readonly per: bigint;
}

export type Rates = Readonly<Partial<Record<Dimension, Rate>>>;

/** Rates that replace the base rates for the whole request once its input exceeds `aboveInputTokens`. */
export interface Tier {
  readonly aboveInputTokens: number;
  readonly rates: Rates;
}

/** The price of one model at one provider at one time: immutable, and named by its version wherever it was used. */
export interface Price {
  /** Names the row and the book it came from, such as `"genai-prices@0.1.8/openai/gpt-4o-mini"`. */
  readonly version: string;
  readonly provider: string;
  readonly model: string;
  readonly rates: Rates;
  /** Ascending by threshold. */
  readonly tiers: readonly Tier[];
  /** Nobody lists this model: the rates are the dearest that it may have, and what they come to is an estimate. */
  readonly guessed?: boolean;
}

export interface ModelInfo {
  readonly maximumOutput: number | undefined;
  readonly contextWindow: number | undefined;
}

/** Where prices come from; implemented by `adapters/prices`. */
export interface PriceBook {
  readonly version: string;
  /** The price in force at `at` (epoch milliseconds), or `undefined`: unknown is never free. */
  find(provider: string, model: string, at: number): Price | undefined;
  info(provider: string, model: string): ModelInfo | undefined;
  /** What a model without a price is taken to cost, where the policy is to estimate it (GATE 2.3). */
  dearest?(provider: string, at: number): Price | undefined;
}
