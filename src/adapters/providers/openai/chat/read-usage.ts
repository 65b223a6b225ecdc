import { isBelievableCount, type UsageLine } from "../../../../domain/usage/usage.ts";
import { isObject, type JsonObject } from "../json.ts";
import { addLine, Counts, disbelief, isPositive, reasoningOutside, type UsageProblem } from "../usage-counts.ts";
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
  const prompt = usage.prompt_tokens;
  const completion = usage.completion_tokens;
  if (prompt === undefined || prompt === null || completion === undefined || completion === null) return "missing";
  if (!isBelievableCount(prompt)) return disbelief(prompt);
  if (!isBelievableCount(completion)) return disbelief(completion);
  if (prompt === 0 && completion === 0 && !isPositive(usage.total_tokens)) return "missing";

  const counts = new Counts();
  const promptDetails: WirePromptDetails = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : NO_DETAILS;
  const completionDetails: WireCompletionDetails = isObject(usage.completion_tokens_details) ? usage.completion_tokens_details : NO_DETAILS;
  const cached = counts.first(promptDetails.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens, usage.cache_read_input_tokens);
  const written = counts.first(promptDetails.cache_write_tokens, promptDetails.cache_creation_tokens, usage.cache_creation_input_tokens);
  const audioIn = counts.first(promptDetails.audio_tokens);
  const missed = usage.prompt_cache_miss_tokens;
  const audioOut = counts.first(completionDetails.audio_tokens);
  const imageOut = counts.first(completionDetails.image_tokens);
  const searches = counts.first(isObject(usage.server_tool_use) ? usage.server_tool_use["web_search_requests"] : undefined, usage.num_search_queries);
  let reasoning = counts.first(completionDetails.reasoning_tokens);
  if (counts.problem !== undefined) return counts.problem;

  const outside = reasoningOutside(usage.total_tokens, prompt + completion, reasoning, model);
  if (typeof outside === "string") return outside;
  if (outside > 0) reasoning = outside;
  const input = prompt - cached - written - audioIn;
  const output = completion - audioOut - imageOut - (outside > 0 ? 0 : reasoning);
  if (input < 0 || output < 0) return "inconsistent";
  if (missed !== undefined && missed !== null && missed !== prompt - cached) return "inconsistent";

  const lines: UsageLine[] = [{ dimension: "input", quantity: input }, { dimension: "output", quantity: output }];
  addLine(lines, "cache_read", cached);
  addLine(lines, "cache_write_5m", written);
  addLine(lines, "audio_in", audioIn);
  addLine(lines, "reasoning", reasoning);
  addLine(lines, "audio_out", audioOut);
  addLine(lines, "image_out", imageOut);
  addLine(lines, "web_search", searches);
  return lines;
}
