import { TollgateError } from "../../base/errors.ts";
import { divideUp, PICO_PER_NANO, type NanoUsd } from "../../base/money.ts";
import { costOf, dearestTextRates } from "../pricing/cost.ts";
import type { Price } from "../pricing/price.ts";

/** A model that could be used, and what is known of it. */
export interface Candidate {
  /** As a program names it: `provider/model`. */
  readonly name: string;
  readonly provider: string;
  readonly price: Price | undefined;
  readonly maximumOutput: number | undefined;
  readonly contextWindow: number | undefined;
  /** What the program says that it can do, such as `"vision"`; the price book knows of no abilities. */
  readonly abilities: readonly string[];
}

/** The exact cost of a request with these tokens; `undefined` if the model or one of its sides has no price. */
export function costOfTokens(price: Price | undefined, inputTokens: number, outputTokens: number): NanoUsd | undefined {
  if (price === undefined) return undefined;
  const cost = costOf(price, [{ dimension: "input", quantity: inputTokens }, { dimension: "output", quantity: outputTokens }]);
  return "unpriced" in cost ? undefined : cost.nanoUsd;
}

/** What the gate would hold for it: every token at the dearest rate that could apply (GATE 2.1). */
export function holdOfTokens(price: Price | undefined, inputBound: number, outputCap: number): NanoUsd | undefined {
  const rates = price === undefined ? undefined : dearestTextRates(price, inputBound);
  if (rates === undefined) return undefined;
  return divideUp(rates.input * BigInt(inputBound) + rates.request + rates.output * BigInt(outputCap), PICO_PER_NANO);
}

/** The largest output cap whose hold fits; -1 if not even a cap of 0 does. */
export function affordableOutput(price: Price | undefined, inputBound: number, budget: NanoUsd): number {
  const rates = price === undefined ? undefined : dearestTextRates(price, inputBound);
  if (rates === undefined) return -1;
  const rest = budget * PICO_PER_NANO - rates.input * BigInt(inputBound) - rates.request;
  if (rest < 0n) return -1;
  const cap = rates.output === 0n ? BigInt(Number.MAX_SAFE_INTEGER) : rest / rates.output;
  return Number(cap < BigInt(Number.MAX_SAFE_INTEGER) ? cap : BigInt(Number.MAX_SAFE_INTEGER));
}

/** @throws TollgateError `invalid_request` */
export function checkTokens(value: unknown, param: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TollgateError("invalid_request", `${param} must be a whole number of tokens from 0 up.`, { param });
}

/** @throws TollgateError `invalid_request` */
export function checkShare(value: unknown, param: string): number {
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw new TollgateError("invalid_request", `${param} must be a number from 0 to 1, such as 0.8.`, { param });
}
