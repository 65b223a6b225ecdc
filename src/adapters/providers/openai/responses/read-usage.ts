import type { UsageLine } from "../../../../domain/usage/usage.ts";
import { isObject, parseOrUndefined, type JsonObject } from "../json.ts";
import { addLine, Counts, type UsageProblem } from "../usage-counts.ts";
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
  const input = isObject(usage.input_tokens_details) ? usage.input_tokens_details : NO_DETAILS;
  const generated = isObject(usage.output_tokens_details) ? usage.output_tokens_details : NO_DETAILS;
  const counts = new Counts();
  counts.cached = counts.first(input["cached_tokens"]);
  counts.written = counts.first(input["cache_write_tokens"]);
  counts.audioIn = counts.first(input["audio_tokens"]);
  counts.audioOut = counts.first(generated["audio_tokens"]);
  counts.imageOut = counts.first(generated["image_tokens"]);
  counts.reasoning = counts.first(generated["reasoning_tokens"]);
  const lines = counts.lines(usage.input_tokens, usage.output_tokens, usage.total_tokens, model);
  if (typeof lines === "string") return lines;
  const searches = hostedSearches(output);
  if (searches === undefined) return "missing";
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
