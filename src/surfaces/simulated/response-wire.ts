import type { Answer } from "./compose.ts";
import type { ChatRequest } from "./read-chat.ts";

const WORDS_PER_EVENT = 2;

/** The body of a plain response. */
export function plainResponseOf(chat: ChatRequest, answer: Answer): unknown {
  return responseOf(chat, answer, endOf(answer));
}

/** The events of a streamed response. The last one tells the usage. */
export function responseEventsOf(chat: ChatRequest, answer: Answer): string[] {
  const { words } = choiceOf(answer);
  const text = words.join(" ");
  const place = { item_id: itemId(answer), output_index: 0, content_index: 0 };
  const events: string[] = [];
  const add = (type: string, members: object): void => {
    events.push(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: events.length, ...members })}\n\n`);
  };
  add("response.created", { response: responseOf(chat, answer, "in_progress") });
  add("response.in_progress", { response: responseOf(chat, answer, "in_progress") });
  add("response.output_item.added", { output_index: 0, item: { ...messageOf(answer, ""), status: "in_progress", content: [] } });
  add("response.content_part.added", { ...place, part: partOf("") });
  for (let from = 0; from < words.length; from += WORDS_PER_EVENT) {
    add("response.output_text.delta", { ...place, delta: (from === 0 ? "" : " ") + words.slice(from, from + WORDS_PER_EVENT).join(" "), logprobs: [] });
  }
  add("response.output_text.done", { ...place, text, logprobs: [] });
  add("response.content_part.done", { ...place, part: partOf(text) });
  add("response.output_item.done", { output_index: 0, item: messageOf(answer, text) });
  add(`response.${endOf(answer)}`, { response: responseOf(chat, answer, endOf(answer)) });
  return events;
}

type Status = "in_progress" | "completed" | "incomplete";

function endOf(answer: Answer): Status {
  return choiceOf(answer).finishReason === "length" ? "incomplete" : "completed";
}

function responseOf(chat: ChatRequest, answer: Answer, status: Status): unknown {
  const begun = status === "in_progress";
  return {
    id: `resp_${answer.id}`, object: "response", created_at: Math.floor(Date.now() / 1_000), status, background: false, error: null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null, instructions: null, max_output_tokens: chat.cap ?? null,
    model: chat.model, output: begun ? [] : [messageOf(answer, choiceOf(answer).words.join(" "))], parallel_tool_calls: true, previous_response_id: null,
    service_tier: "default", store: false, tool_choice: "auto", tools: [], metadata: { simulated: "true" },
    usage: begun ? null : usageOf(answer),
  };
}

function usageOf(answer: Answer): unknown {
  return {
    input_tokens: answer.promptTokens, input_tokens_details: { cached_tokens: answer.cachedTokens },
    output_tokens: answer.completionTokens, output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: answer.promptTokens + answer.completionTokens,
  };
}

function messageOf(answer: Answer, text: string): object {
  return { id: itemId(answer), type: "message", status: "completed", role: "assistant", content: [partOf(text)] };
}

function partOf(text: string): object {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

function itemId(answer: Answer): string {
  return `msg_${answer.id}`;
}

function choiceOf(answer: Answer): Answer["choices"][number] {
  return answer.choices[0] as Answer["choices"][number];
}
