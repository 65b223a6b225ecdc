import { isObject, type JsonObject } from "../json.ts";
import { shown, unboundedTier, unboundedTool, vouched } from "../unbounded.ts";

/*
 * What a request may contain so that its bytes and `max_output_tokens` bound its cost (GATE 2.2). Left out on purpose:
 * what the provider keeps and adds to the input (`previous_response_id`, `conversation`, `prompt`), what works on
 * without us (`background`), what runs several rounds (hosted tools, `context_management`), pictures, files and sound.
 */

const MEMBERS: ReadonlySet<string> = new Set([
  "model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "top_logprobs", "stream", "stream_options",
  "user", "metadata", "tags", "text", "tool_choice", "parallel_tool_calls", "max_tool_calls", "store", "include",
  "truncation", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
]);

/** `mode` is missing: its `pro` works on several answers at once. */
const REASONING_MEMBERS: ReadonlySet<string> = new Set(["effort", "summary", "generate_summary", "context"]);
const TOOL_TYPES: ReadonlySet<unknown> = new Set(["function", "custom"]);
const TEXT_TYPES: ReadonlySet<unknown> = new Set(["input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"]);
/** Items that are their own text. */
const CALL_TYPES: ReadonlySet<unknown> = new Set(["function_call", "custom_tool_call"]);
const RETURN_TYPES: ReadonlySet<unknown> = new Set(["function_call_output", "custom_tool_call_output"]);

/** @param repeats `input` or `tools` has a member twice somewhere: parsers differ on which one counts */
export function findUnbounded(body: JsonObject, boundable: readonly string[], repeats: "input" | "tools" | undefined): string | undefined {
  for (const name in body) {
    const path = unboundedMember(name, body[name], boundable);
    if (path !== undefined) return path;
  }
  return repeats === undefined ? undefined : `${repeats} (a member stands twice in one object)`;
}

function unboundedMember(name: string, value: unknown, boundable: readonly string[]): string | undefined {
  if (value === null) return undefined;
  switch (name) {
    case "input": return unboundedInput(value, boundable);
    case "instructions": return typeof value === "string" ? undefined : vouched("instructions", boundable);
    case "tools": return unboundedTool(value, TOOL_TYPES, boundable);
    case "service_tier": return unboundedTier(value, boundable);
    case "background": return value === false ? undefined : vouched("background", boundable);
    case "reasoning": return unboundedReasoning(value, boundable);
  }
  return MEMBERS.has(name) ? undefined : vouched(shown(name), boundable);
}

function unboundedReasoning(value: unknown, boundable: readonly string[]): string | undefined {
  if (!isObject(value)) return vouched("reasoning", boundable);
  for (const name in value) {
    const known = REASONING_MEMBERS.has(name) || value[name] === null || (name === "mode" && value[name] === "standard");
    const path = known ? undefined : vouched(`reasoning.${shown(name)}`, boundable);
    if (path !== undefined) return path;
  }
  return undefined;
}

function unboundedInput(input: unknown, boundable: readonly string[]): string | undefined {
  if (!Array.isArray(input)) return typeof input === "string" ? undefined : vouched("input", boundable);
  for (let index = 0; index < input.length; index++) {
    const path = unboundedItem(input[index], `input[${index}]`, boundable);
    if (path !== undefined) return path;
  }
  return undefined;
}

function unboundedItem(item: unknown, at: string, boundable: readonly string[]): string | undefined {
  if (!isObject(item)) return vouched(at, boundable);
  const { type } = item;
  if (CALL_TYPES.has(type)) return undefined;
  if (RETURN_TYPES.has(type)) return unboundedContent(item["output"], `${at}.output`, boundable);
  if (type === "message" || (type === undefined && typeof item["role"] === "string")) return unboundedContent(item["content"], `${at}.content`, boundable);
  // Reasoning that comes with its own text, in the clear or encrypted. By its id alone it is whatever the provider kept.
  if (type === "reasoning" && typeof item["encrypted_content"] === "string") return undefined;
  if (type === "reasoning" && Array.isArray(item["content"])) return unboundedContent(item["content"], `${at}.content`, boundable);
  return vouched(`${at}${typeof type === "string" ? `.type=${shown(type)}` : ""}`, boundable);
}

function unboundedContent(content: unknown, at: string, boundable: readonly string[]): string | undefined {
  if (typeof content === "string") return undefined;
  if (!Array.isArray(content)) return vouched(at, boundable);
  for (let index = 0; index < content.length; index++) {
    const part: unknown = content[index];
    const type = isObject(part) ? part["type"] : undefined;
    if (TEXT_TYPES.has(type)) continue;
    const path = vouched(`${at}[${index}]${typeof type === "string" ? `.type=${shown(type)}` : ""}`, boundable);
    if (path !== undefined) return path;
  }
  return undefined;
}
