import type { Answer } from "./compose.ts";
import type { ChatRequest } from "./read-chat.ts";

const FINGERPRINT = "simulated";
const WORDS_PER_EVENT = 2;

/** The body of a plain answer. */
export function plainOf(chat: ChatRequest, answer: Answer): unknown {
  return {
    id: answer.id,
    object: "chat.completion",
    created: created(),
    model: chat.model,
    choices: answer.choices.map(({ words, finishReason }, index) => ({
      index,
      message: { role: "assistant", content: words.join(" "), refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: finishReason,
    })),
    usage: usageOf(answer),
    service_tier: "default",
    system_fingerprint: FINGERPRINT,
  };
}

/** The events of a stream; usage only for who asked. */
export function eventsOf(chat: ChatRequest, answer: Answer): string[] {
  const base = { id: answer.id, object: "chat.completion.chunk", created: created(), model: chat.model, service_tier: "default", system_fingerprint: FINGERPRINT };
  const events: string[] = [];
  const add = (choices: readonly unknown[], usage: unknown): void => {
    events.push(`data: ${JSON.stringify({ ...base, choices, ...(chat.includeUsage ? { usage } : {}) })}\n\n`);
  };
  for (const [index, { words, finishReason }] of answer.choices.entries()) {
    const say = (delta: unknown, finish: string | null): void => add([{ index, delta, logprobs: null, finish_reason: finish }], null);
    say({ role: "assistant", content: "", refusal: null }, null);
    for (let from = 0; from < words.length; from += WORDS_PER_EVENT) {
      say({ content: (from === 0 ? "" : " ") + words.slice(from, from + WORDS_PER_EVENT).join(" ") }, null);
    }
    say({}, finishReason);
  }
  if (chat.includeUsage) add([], usageOf(answer));
  events.push("data: [DONE]\n\n");
  return events;
}

function usageOf(answer: Answer): unknown {
  return {
    prompt_tokens: answer.promptTokens,
    completion_tokens: answer.completionTokens,
    total_tokens: answer.promptTokens + answer.completionTokens,
    prompt_tokens_details: { cached_tokens: answer.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

function created(): number {
  return Math.floor(Date.now() / 1_000);
}
