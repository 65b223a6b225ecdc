/**
 * What a provider says it used, as disjoint lines: a token stands in exactly one of them, so a sum never counts twice.
 * Absent is not zero: a dimension that was not reported has no line.
 */
export type Dimension =
  | "input"
  | "cache_read"
  | "cache_write_5m"
  | "cache_write_1h"
  | "output"
  | "reasoning"
  | "audio_in"
  | "audio_cache_read"
  | "audio_out"
  | "image_in"
  | "image_out"
  | "request"
  | "web_search"
  | "second_in"
  | "second_out"
  | "character_in"
  | "page";

export interface UsageLine {
  readonly dimension: Dimension;
  /** A whole number of units (tokens, calls, …), checked before it gets here. */
  readonly quantity: number;
}

/** No model has windows beyond this; a larger count is a provider's mistake and never believed. */
export const TOKENS_BELIEVABLE_MAX = 10_000_000;

export function isBelievableCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= TOKENS_BELIEVABLE_MAX;
}

const INPUT: ReadonlySet<Dimension> = new Set(["input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_in", "audio_cache_read", "image_in"]);
const OUTPUT: ReadonlySet<Dimension> = new Set(["output", "reasoning", "audio_out", "image_out"]);

/** Tokens on the input side, cached ones included. */
export function inputTokens(lines: readonly UsageLine[]): number {
  let sum = 0;
  for (const line of lines) if (INPUT.has(line.dimension)) sum += line.quantity;
  return sum;
}

/** Tokens on the output side, reasoning included. */
export function outputTokens(lines: readonly UsageLine[]): number {
  let sum = 0;
  for (const line of lines) if (OUTPUT.has(line.dimension)) sum += line.quantity;
  return sum;
}
