import { isBelievableCount, type UsageLine } from "../../../../domain/usage/usage.ts";
import { addLine, Counts, disbelief, type UsageProblem } from "../usage-counts.ts";
import type { WireUsage } from "./wire.ts";

/**
 * Turns the usage of embeddings into lines, or says why it cannot be believed (GATE 5.3).
 * @example readUsage({ prompt_tokens: 8, total_tokens: 8 }) // [input 8]
 */
export function readUsage(usage: WireUsage): readonly UsageLine[] | UsageProblem {
  const prompt = usage.prompt_tokens ?? usage.total_tokens;
  if (prompt === undefined || prompt === null) return "missing";
  if (!isBelievableCount(prompt)) return disbelief(prompt);
  const counts = new Counts();
  const output = counts.first(usage.completion_tokens);
  const total = counts.first(usage.total_tokens ?? prompt + output);
  if (counts.problem !== undefined) return counts.problem;
  // Every input has tokens: a zero is a provider that did not count.
  if (prompt === 0 && total === 0) return "missing";
  if (total !== prompt + output) return "inconsistent";
  const lines: UsageLine[] = [{ dimension: "input", quantity: prompt }];
  addLine(lines, "output", output);
  return lines;
}
