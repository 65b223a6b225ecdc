import { isObject, type JsonObject } from "../json.ts";
import { shown, unboundedTier, unboundedTool, vouched } from "../unbounded.ts";

/*
 * What a request may contain so that its bytes and its output cap bound its cost (GATE 2.2). A list of what is known,
 * never of what is forbidden: providers add billable members faster than anybody can forbid them.
 */

const MEMBERS: ReadonlySet<string> = new Set([
  "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "stop", "stream",
  "stream_options", "user", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs",
  "response_format", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "reasoning_effort",
  "verbosity", "metadata", "store", "tags", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "top_k",
  "min_p", "repetition_penalty",
]);

/** Text in every provider that sends or takes them; clients hand answers back as they came. */
const MESSAGE_MEMBERS: ReadonlySet<string> = new Set([
  "role", "content", "name", "refusal", "tool_calls", "tool_call_id", "function_call", "annotations", "reasoning",
  "reasoning_content", "reasoning_details", "thinking_blocks", "provider_specific_fields", "extra_content", "parsed",
  "prefix", "cache_control", "id", "type",
]);

const PART_TYPES: ReadonlySet<unknown> = new Set(["text", "refusal"]);
const TOOL_TYPES: ReadonlySet<unknown> = new Set(["function"]);

/**
 * The path of the first thing without an upper bound, or `undefined`.
 * @param boundable names that the operator vouches for: paths as reported, with or without their indices, such as `web_search_options` or `messages.content.type=image_url`
 * @param repeats `messages` or `tools` has a member twice somewhere: parsers differ on which one counts
 */
export function findUnbounded(body: JsonObject, boundable: readonly string[], repeats: "messages" | "tools" | undefined): string | undefined {
  for (const name in body) {
    const path = unboundedMember(name, body[name], boundable);
    if (path !== undefined) return path;
  }
  return repeats === undefined ? undefined : `${repeats} (a member stands twice in one object)`;
}

function unboundedMember(name: string, value: unknown, boundable: readonly string[]): string | undefined {
  switch (name) {
    case "messages": return unboundedMessage(value as readonly unknown[], boundable);
    case "tools": return value === null ? undefined : unboundedTool(value, TOOL_TYPES, boundable);
    case "service_tier": return unboundedTier(value, boundable);
    case "modalities":
      if (value === null || (Array.isArray(value) && value.length === 1 && value[0] === "text")) return undefined;
      return vouched("modalities", boundable);
  }
  return value === null || MEMBERS.has(name) ? undefined : vouched(shown(name), boundable);
}

function unboundedMessage(messages: readonly unknown[], boundable: readonly string[]): string | undefined {
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index] as JsonObject;
    for (const name in message) {
      const value = message[name];
      if (typeof value === "string" ? MESSAGE_MEMBERS.has(name) : value === null) continue;
      const at = `messages[${index}].${shown(name)}`;
      const path = name === "content" ? unboundedContent(value, at, boundable) : MESSAGE_MEMBERS.has(name) ? undefined : vouched(at, boundable);
      if (path !== undefined) return path;
    }
  }
  return undefined;
}

function unboundedContent(content: unknown, at: string, boundable: readonly string[]): string | undefined {
  if (!Array.isArray(content)) return vouched(at, boundable);
  for (let index = 0; index < content.length; index++) {
    const part: unknown = content[index];
    if (typeof part === "string") continue;
    const type = isObject(part) ? part["type"] : undefined;
    if (PART_TYPES.has(type)) continue;
    const path = vouched(`${at}[${index}]${typeof type === "string" ? `.type=${shown(type)}` : ""}`, boundable);
    if (path !== undefined) return path;
  }
  return undefined;
}
