import type { Reading } from "../../../domain/upstream/dialect.ts";
import { isBelievableCount, TOKENS_BELIEVABLE_MAX, type Dimension, type UsageLine } from "../../../domain/usage/usage.ts";

export type UsageProblem = NonNullable<Reading["problem"]>;

/** Reasoning tokens that stand outside `completion_tokens`: 0 in most providers. */
function reasoningOutside(total: unknown, sum: number, reasoning: number, model: string | undefined): number | UsageProblem {
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

function isPositive(value: unknown): boolean {
  return typeof value === "number" && value > 0;
}

/**
 * What a dialect's usage counts beside input and output, read from whichever of the provider's spellings is there.
 * Remembers the first count that cannot be believed.
 */
export class Counts {
  problem: UsageProblem | undefined = undefined;
  cached = 0;
  written = 0;
  audioIn = 0;
  audioOut = 0;
  imageOut = 0;
  reasoning = 0;

  /** The first spelling that the provider uses, or 0. */
  first(value: unknown, second?: unknown, third?: unknown, fourth?: unknown): number {
    const found = value ?? second ?? third ?? fourth;
    if (found === undefined || found === null) return 0;
    if (isBelievableCount(found)) return found;
    this.problem ??= disbelief(found);
    return 0;
  }

  /**
   * Disjoint lines, where input includes what was cached, written and heard, and output what was thought, said and
   * drawn. Lines that would be zero are left out, except input and output.
   * @param model the model that the answer names
   */
  lines(input: unknown, output: unknown, total: unknown, model: string | undefined): UsageLine[] | UsageProblem {
    if (input === undefined || input === null || output === undefined || output === null) return "missing";
    if (!isBelievableCount(input)) return disbelief(input);
    if (!isBelievableCount(output)) return disbelief(output);
    if (input === 0 && output === 0 && !isPositive(total)) return "missing";
    if (this.problem !== undefined) return this.problem;
    const outside = reasoningOutside(total, input + output, this.reasoning, model);
    if (typeof outside === "string") return outside;
    const plain = input - this.cached - this.written - this.audioIn;
    const text = output - this.audioOut - this.imageOut - (outside > 0 ? 0 : this.reasoning);
    if (plain < 0 || text < 0) return "inconsistent";
    const lines: UsageLine[] = [{ dimension: "input", quantity: plain }, { dimension: "output", quantity: text }];
    addLine(lines, "cache_read", this.cached);
    addLine(lines, "cache_write_5m", this.written);
    addLine(lines, "audio_in", this.audioIn);
    addLine(lines, "reasoning", outside > 0 ? outside : this.reasoning);
    addLine(lines, "audio_out", this.audioOut);
    addLine(lines, "image_out", this.imageOut);
    return lines;
  }
}

export function addLine(lines: UsageLine[], dimension: Dimension, quantity: number): void {
  if (quantity > 0) lines.push({ dimension, quantity });
}
