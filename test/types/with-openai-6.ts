/* Compiled, never run, where an older `openai` package is installed: what is written with its types is taken by ours, which know more values. */
import type OpenAI from "openai";
import { completion, type ChatCompletion, type ChatCompletionChunk, type ChatCompletionMessageParam, type ChatCompletionRequest, type CreateEmbeddingResponse, track } from "tollgate";
import TrackedOpenAI, { AzureOpenAI as TrackedAzure, type ClientOptions as TrackedOptions } from "tollgate/openai";

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

/** Nothing but the import changes: types that are written by the client's name stay. */
export async function onlyTheImport(client: TrackedOpenAI, history: TrackedOpenAI.Chat.Completions.ChatCompletionMessageParam[]): Promise<TrackedOpenAI.ChatCompletion | undefined> {
  const same: OpenAI = client;
  const options: TrackedOptions = { apiKey: "sk", maxRetries: 1 };
  const azure = new TrackedAzure({ endpoint: "https://example.openai.azure.com", apiVersion: "2024-10-21" });
  try {
    return await new TrackedOpenAI(options).chat.completions.create({ model: "gpt-4o-mini", messages: history });
  } catch (error) {
    if (error instanceof TrackedOpenAI.APIError) void error.status;
    // @ts-expect-error: as strict as the client itself
    void client.chat.completions.create({ messages: history });
    void [same, track(azure).apiVersion.trim(), track(client).chat.completions];
    return undefined;
  }
}
