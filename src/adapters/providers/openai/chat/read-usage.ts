import type { UsageLine } from "../../../../domain/usage/usage.ts";
import { isObject, type JsonObject } from "../json.ts";
import { addLine, Counts, type UsageProblem } from "../usage-counts.ts";
import type { WireCompletionDetails, WirePromptDetails, WireUsage } from "./wire.ts";

const NO_DETAILS: JsonObject = {};

/**
 * Turns a provider's usage object into disjoint lines, or says why it cannot be believed (GATE 5.3).
 *
 * In this dialect `prompt_tokens` includes cached, cache-written and audio tokens, `completion_tokens` includes audio,
 * image and reasoning tokens. Two families count differently and show it in `total_tokens`: xAI leaves reasoning out of
 * `completion_tokens` and reports it beside; Gemini leaves it out and reports it only as part of the total.
 * Lines that would be zero are left out, except input and output. Image tokens of the prompt stay in `input`, because
 * `cached_tokens` may count them as well; predicted tokens are part of the completion.
 *
 * @param model the model that the answer names
 * @example readUsage({ prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 }, "gpt-4o") // [input 9, output 3]
 */
export function readUsage(usage: WireUsage, model: string | undefined): readonly UsageLine[] | UsageProblem {
  const prompt: WirePromptDetails = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : NO_DETAILS;
  const completion: WireCompletionDetails = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : NO_DETAILS;
  const counts = new Counts();
  counts.cached = counts.first(prompt.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens, usage.cache_read_input_tokens);
  counts.written = counts.first(prompt.cache_write_tokens, prompt.cache_creation_tokens, usage.cache_creation_input_tokens);
  counts.audioIn = counts.first(prompt.audio_tokens);
  counts.audioOut = counts.first(completion.audio_tokens);
  counts.imageOut = counts.first(completion.image_tokens);
  counts.reasoning = counts.first(completion.reasoning_tokens);
  const searches = counts.first(isObject(usage.server_tool_use) ? usage.server_tool_use["web_search_requests"] : undefined, usage.num_search_queries);
  const lines = counts.lines(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, model);
  if (typeof lines === "string") return lines;
  const missed = usage.prompt_cache_miss_tokens;
  if (missed !== undefined && missed !== null && missed !== (usage.prompt_tokens as number) - counts.cached) return "inconsistent";
  addLine(lines, "web_search", searches);
  return lines;
}
