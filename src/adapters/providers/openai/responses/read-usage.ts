import { isBelievableCount, type UsageLine } from "../../../../domain/usage/usage.ts";
import { isObject, parseOrUndefined, type JsonObject } from "../json.ts";
import { addLine, Counts, disbelief, isPositive, reasoningOutside, type UsageProblem } from "../usage-counts.ts";
import type { WireUsage } from "./wire.ts";

const NO_DETAILS: JsonObject = {};

/**
 * Turns the usage of a response into disjoint lines, or says why it cannot be believed (GATE 5.3). `input_tokens`
 * includes cached tokens, `output_tokens` reasoning. What hosted tools cost stands in no usage: web searches are
 * counted in the output; after other hosted calls the usage is `missing`, since nobody told what they cost.
 *
 * @param output the response's `output`, as it came
 * @example readUsage({ input_tokens: 9, output_tokens: 3, total_tokens: 12 }, "gpt-4o", "[]") // [input 9, output 3]
 */
export function readUsage(usage: WireUsage, model: string | undefined, output: string): readonly UsageLine[] | UsageProblem {
  const input = usage.input_tokens;
  const generated = usage.output_tokens;
  if (input === undefined || input === null || generated === undefined || generated === null) return "missing";
  if (!isBelievableCount(input)) return disbelief(input);
  if (!isBelievableCount(generated)) return disbelief(generated);
  if (input === 0 && generated === 0 && !isPositive(usage.total_tokens)) return "missing";
  const counts = new Counts();
  const inputDetails = isObject(usage.input_tokens_details) ? usage.input_tokens_details : NO_DETAILS;
  const outputDetails = isObject(usage.output_tokens_details) ? usage.output_tokens_details : NO_DETAILS;
  const cached = counts.first(inputDetails["cached_tokens"]);
  const written = counts.first(inputDetails["cache_write_tokens"]);
  const audioIn = counts.first(inputDetails["audio_tokens"]);
  const audioOut = counts.first(outputDetails["audio_tokens"]);
  const imageOut = counts.first(outputDetails["image_tokens"]);
  let reasoning = counts.first(outputDetails["reasoning_tokens"]);
  if (counts.problem !== undefined) return counts.problem;
  const outside = reasoningOutside(usage.total_tokens, input + generated, reasoning, model);
  if (typeof outside === "string") return outside;
  if (outside > 0) reasoning = outside;
  const plain = input - cached - written - audioIn;
  const text = generated - audioOut - imageOut - (outside > 0 ? 0 : reasoning);
  if (plain < 0 || text < 0) return "inconsistent";
  const searches = hostedSearches(output);
  if (searches === undefined) return "missing";
  const lines: UsageLine[] = [{ dimension: "input", quantity: plain }, { dimension: "output", quantity: text }];
  addLine(lines, "cache_read", cached);
  addLine(lines, "cache_write_5m", written);
  addLine(lines, "audio_in", audioIn);
  addLine(lines, "reasoning", reasoning);
  addLine(lines, "audio_out", audioOut);
  addLine(lines, "image_out", imageOut);
  addLine(lines, "web_search", searches);
  return lines;
}

/** Calls that the client answers, or that cost no more than their tokens. */
const FREE_CALLS: ReadonlySet<unknown> = new Set(["function_call", "custom_tool_call", "computer_call", "local_shell_call", "apply_patch_call", "mcp_call"]);

/** Web searches in the output; `undefined` if the provider ran something else that is paid for by the piece. */
function hostedSearches(output: string): number | undefined {
  if (!output.includes("_call")) return 0;
  const items = parseOrUndefined(output);
  let searches = 0;
  for (const item of Array.isArray(items) ? (items as readonly unknown[]) : []) {
    const type = isObject(item) ? item["type"] : undefined;
    if (type === "web_search_call") searches += 1;
    else if (typeof type === "string" && type.endsWith("_call") && !FREE_CALLS.has(type)) return undefined;
  }
  return searches;
}
