/* Compiled, never run, where an older `openai` package is installed: what is written with its types is taken by ours, which know more values. */
import type OpenAI from "openai";
import { completion, type ChatCompletion, type ChatCompletionChunk, type ChatCompletionMessageParam, type ChatCompletionRequest, type CreateEmbeddingResponse } from "tollgate";

/** Its `prompt_cache_retention` has a value that the API refuses, corrected in 7. */
type Params = Omit<OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming, "model" | "metadata" | "user" | "stream" | "prompt_cache_retention">;

export const answer = (theirs: OpenAI.ChatCompletion): ChatCompletion => theirs;
export const chunk = (theirs: OpenAI.ChatCompletionChunk): ChatCompletionChunk => theirs;
export const message = (theirs: OpenAI.ChatCompletionMessageParam): ChatCompletionMessageParam => theirs;
export const request = (theirs: Params): ChatCompletionRequest => theirs;
export const embeddings = (theirs: OpenAI.CreateEmbeddingResponse): CreateEmbeddingResponse => theirs;

export async function program(history: OpenAI.ChatCompletionMessageParam[], tools: OpenAI.ChatCompletionTool[]): Promise<number> {
  const { cost, usage } = await completion({ model: "openai/gpt-4o-mini", messages: history, tools, tool_choice: "auto" });
  const counted: OpenAI.CompletionUsage | undefined = usage;
  return cost.totalUsd + (counted?.total_tokens ?? 0);
}
