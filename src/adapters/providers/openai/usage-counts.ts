import type { Reading } from "../../../domain/upstream/dialect.ts";
import { isBelievableCount, TOKENS_BELIEVABLE_MAX, type Dimension, type UsageLine } from "../../../domain/usage/usage.ts";

export type UsageProblem = NonNullable<Reading["problem"]>;

/** Reasoning tokens that stand outside `completion_tokens`: 0 in most providers. */
export function reasoningOutside(total: unknown, sum: number, reasoning: number, model: string | undefined): number | UsageProblem {
  if (total === undefined || total === null || total === sum) return 0;
  if (typeof total !== "number" || total < 0 || total > 3 * TOKENS_BELIEVABLE_MAX) return disbelief(total);
  if (!Number.isInteger(total)) return "fractional";
  if (reasoning > 0) return total === sum + reasoning ? reasoning : "inconsistent";
  return total > sum && model !== undefined && /\bgemini-/.test(model) ? total - sum : "inconsistent";
}

/** Why a number is not believed. */
export function disbelief(value: unknown): UsageProblem {
  if (typeof value !== "number" || value > TOKENS_BELIEVABLE_MAX) return "absurd";
  return value < 0 ? "negative" : "fractional";
}

export function isPositive(value: unknown): boolean {
  return typeof value === "number" && value > 0;
}

/** Reads optional counts and remembers the first that cannot be believed. */
export class Counts {
  problem: UsageProblem | undefined = undefined;

  /** The first spelling that the provider uses, or 0. */
  first(value: unknown, second?: unknown, third?: unknown, fourth?: unknown): number {
    const found = value ?? second ?? third ?? fourth;
    if (found === undefined || found === null) return 0;
    if (isBelievableCount(found)) return found;
    this.problem ??= disbelief(found);
    return 0;
  }
}

export function addLine(lines: UsageLine[], dimension: Dimension, quantity: number): void {
  if (quantity > 0) lines.push({ dimension, quantity });
}
