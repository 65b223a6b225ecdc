import type { Fold } from "./metered-stream.ts";
import type { ChatCompletion, ChatCompletionChoice, ChatCompletionChunk, ChatCompletionChunkChoice, ChatCompletionFunctionToolCall, ChatCompletionUsage } from "./wire-types.ts";

interface Growing {
  choice: ChatCompletionChoice;
  calls: Map<number, ChatCompletionFunctionToolCall>;
}

/** Puts a chat completion together from its chunks, as OpenAI's own client does. */
export class ChatFold implements Fold<ChatCompletionChunk, ChatCompletion> {
  private first: ChatCompletionChunk | undefined;
  private usage: ChatCompletionUsage | undefined;
  private readonly choices = new Map<number, Growing>();

  add(chunk: ChatCompletionChunk): void {
    this.first ??= chunk;
    if (chunk.usage != null) this.usage = chunk.usage;
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : []) this.grow(choice);
  }

  answer(usage: unknown): ChatCompletion {
    const { first } = this;
    const total = this.usage ?? (usage as ChatCompletionUsage | undefined);
    return {
      id: first?.id ?? "",
      object: "chat.completion",
      created: first?.created ?? 0,
      model: first?.model ?? "",
      choices: [...this.choices.entries()].sort(([a], [b]) => a - b).map(([, growing]) => finished(growing)),
      ...(first?.service_tier === undefined ? {} : { service_tier: first.service_tier }),
      ...(first?.system_fingerprint === undefined ? {} : { system_fingerprint: first.system_fingerprint }),
      ...(total === undefined ? {} : { usage: total }),
    };
  }

  private grow({ index, delta, finish_reason, logprobs }: ChatCompletionChunkChoice): void {
    const growing: Growing = this.choices.get(index) ?? { choice: { index, finish_reason: "stop", logprobs: null, message: { role: "assistant", content: null, refusal: null } }, calls: new Map() };
    this.choices.set(index, growing);
    const { choice, calls } = growing;
    const { message } = choice;
    if (finish_reason != null) choice.finish_reason = finish_reason;
    if (logprobs != null) {
      choice.logprobs = {
        content: joined(choice.logprobs?.content, logprobs.content),
        refusal: joined(choice.logprobs?.refusal, logprobs.refusal),
      };
    }
    if (delta == null) return;
    if (delta.content != null) message.content = (message.content ?? "") + delta.content;
    if (delta.refusal != null) message.refusal = (message.refusal ?? "") + delta.refusal;
    if (delta.function_call != null) {
      message.function_call = { name: (message.function_call?.name ?? "") + (delta.function_call.name ?? ""), arguments: (message.function_call?.arguments ?? "") + (delta.function_call.arguments ?? "") };
    }
    for (const part of delta.tool_calls ?? []) {
      const call = calls.get(part.index) ?? { id: "", type: "function", function: { name: "", arguments: "" } };
      calls.set(part.index, call);
      if (part.id != null && part.id !== "") call.id = part.id;
      call.function.name += part.function?.name ?? "";
      call.function.arguments += part.function?.arguments ?? "";
    }
  }
}

function finished({ choice, calls }: Growing): ChatCompletionChoice {
  if (calls.size > 0) choice.message.tool_calls = [...calls.entries()].sort(([a], [b]) => a - b).map(([, call]) => call);
  return choice;
}

function joined<T>(before: T[] | null | undefined, more: T[] | null | undefined): T[] | null {
  if (more == null) return before ?? null;
  return before == null ? [...more] : [...before, ...more];
}

/** A plain answer as the chunks of a stream, for a provider that does not stream although it was asked. */
export function chunksOf(answer: ChatCompletion): ChatCompletionChunk[] {
  const { id, created, model } = answer;
  return [{
    id, created, model, object: "chat.completion.chunk",
    choices: answer.choices.map(({ index, finish_reason, message }) => ({
      index, finish_reason,
      delta: {
        role: "assistant", content: message.content, ...(message.refusal == null ? {} : { refusal: message.refusal }),
        ...(message.tool_calls === undefined ? {} : { tool_calls: message.tool_calls.flatMap((call, at) => (call.type === "function" ? [{ index: at, id: call.id, type: "function" as const, function: call.function }] : [])) }),
      },
    })),
  }];
}
