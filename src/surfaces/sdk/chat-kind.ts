import type { CallKind } from "./call-kind.ts";
import { ChatFold, chunksOf } from "./chat-fold.ts";
import type { MockAnswer } from "./mock-answers.ts";
import type { ChatCompletion, ChatCompletionChunk } from "./wire-types.ts";

/** LiteLLM's counts for a mocked answer, so that code moves over with its numbers. */
const MOCK_PROMPT_TOKENS = 10;
const MOCK_COMPLETION_TOKENS = 20;

export const CHAT: CallKind<ChatCompletion, ChatCompletionChunk> = {
  type: "completion",
  route: "chat_completions",
  input: (params) => params["messages"],
  fold: () => new ChatFold(),
  eventsOf: chunksOf,
  mock: mockChat,
};

/** The text or the whole answer in `mockResponse`, as the provider would send it. */
function mockChat(mockResponse: unknown, body: Readonly<Record<string, unknown>>, id: string, now: number): MockAnswer {
  const answer = typeof mockResponse === "string" ? answerOf(mockResponse, body, id, now) : (mockResponse as ChatCompletion);
  if (body["stream"] !== true) return { status: 200, contentType: "application/json", body: JSON.stringify(answer) };
  const chunks: unknown[] = typeof mockResponse === "string" ? wordsOf(answer, mockResponse) : chunksOf(answer);
  if (answer.usage !== undefined) {
    const { created, model } = answer;
    chunks.push({ id: answer.id, object: "chat.completion.chunk", created, model, choices: [], usage: answer.usage });
  }
  return { status: 200, contentType: "text/event-stream", body: `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")}data: [DONE]\n\n` };
}

function answerOf(content: string, body: Readonly<Record<string, unknown>>, id: string, now: number): ChatCompletion {
  const caps = [body["max_tokens"], body["max_completion_tokens"]].filter((cap) => typeof cap === "number");
  const output = Math.min(MOCK_COMPLETION_TOKENS, ...caps);
  return {
    id: `chatcmpl-mock-${id}`, object: "chat.completion", created: Math.floor(now / 1_000), model: String(body["model"]),
    choices: [{ index: 0, finish_reason: "stop", logprobs: null, message: { role: "assistant", content, refusal: null } }],
    usage: { prompt_tokens: MOCK_PROMPT_TOKENS, completion_tokens: output, total_tokens: MOCK_PROMPT_TOKENS + output },
  };
}

/** A chunk for each word, and one for the end. */
function wordsOf(answer: ChatCompletion, text: string): ChatCompletionChunk[] {
  const head = { id: answer.id, object: "chat.completion.chunk" as const, created: answer.created, model: answer.model };
  const words = text.match(/\S+\s*|\s+/g) ?? [""];
  const chunks: ChatCompletionChunk[] = words.map((content, at) => ({ ...head, choices: [{ index: 0, delta: at === 0 ? { role: "assistant", content } : { content }, finish_reason: null }] }));
  chunks.push({ ...head, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
  return chunks;
}
