import { isObject, isPositive, parseObject, textOf, complaint, type ChatRequest, type Complaint } from "./read-chat.ts";

/** Reads and checks a request of the Responses API, as a provider would. What it asks is what a chat would ask. */
export function readResponse(text: string): { readonly chat: ChatRequest } | { readonly complaint: Complaint } {
  const body = parseObject(text);
  if ("complaint" in body) return body;
  const { model, input, stream = false, instructions, max_output_tokens: declared } = body.object;
  if (typeof model !== "string" || model === "") return complaint("model must be a name.", "model");
  const items: readonly unknown[] | undefined = typeof input === "string" ? [{ role: "user", content: input }] : Array.isArray(input) ? input : undefined;
  if (items === undefined || items.length === 0) return complaint("input must be a text or an array with at least one item.", "input");
  for (const [index, item] of items.entries()) if (!isObject(item)) return complaint("An item must be an object.", `input[${index}]`);
  if (stream !== null && typeof stream !== "boolean") return complaint("stream must be true or false.", "stream");
  const cap = declared ?? undefined;
  if (cap !== undefined && !isPositive(cap)) return complaint("max_output_tokens must be a whole number above 0.", "max_output_tokens");
  const texts = items.map((item) => textOf((item as { content?: unknown; output?: unknown }).content ?? (item as { output?: unknown }).output));
  const prompt = (typeof instructions === "string" ? [instructions, ...texts] : texts).join("\n");
  return { chat: { model, prompt, stream: stream === true, includeUsage: true, cap, choices: 1 } };
}
