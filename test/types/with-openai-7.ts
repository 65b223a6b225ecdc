/* Compiled, never run, where the newest `openai` package is installed: its types and ours are each other's. */
import type OpenAI from "openai";
import { completion, embedding, type ChatCompletion, type ChatCompletionChunk, type ChatCompletionMessageParam, type ChatCompletionRequest, type CompletionStream, type CreateEmbeddingResponse } from "tollgate";

type Chat = OpenAI.Chat.Completions.ChatCompletion;
type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;
type Message = OpenAI.Chat.Completions.ChatCompletionMessageParam;
type Params = OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming;
/** What is Tollgate's own in a call: said differently, or typed by literals. */
type Shared = "model" | "metadata" | "user" | "stream";

export const answers = (theirs: Chat, ours: ChatCompletion): [Chat, ChatCompletion] => [ours, theirs];
export const chunks = (theirs: Chunk, ours: ChatCompletionChunk): [Chunk, ChatCompletionChunk] => [ours, theirs];
export const messages = (theirs: Message, ours: ChatCompletionMessageParam): [Message, ChatCompletionMessageParam] => [ours, theirs];
export const embeddings = (theirs: OpenAI.CreateEmbeddingResponse, ours: CreateEmbeddingResponse): [OpenAI.CreateEmbeddingResponse, CreateEmbeddingResponse] => [ours, theirs];
export const requests = (theirs: Omit<Params, Shared>, ours: ChatCompletionRequest): [ChatCompletionRequest, Omit<Params, Shared>] => [theirs, ours];

/** A program that is written with OpenAI's types keeps them when it calls us. */
export async function program(history: OpenAI.ChatCompletionMessageParam[], tools: OpenAI.ChatCompletionTool[]): Promise<OpenAI.ChatCompletion> {
  const answer = await completion({ model: "openai/gpt-4o-mini", messages: history, tools, tool_choice: "auto" });
  const message = answer.choices[0]?.message;
  if (message !== undefined) history.push(message);
  const stream: CompletionStream = await completion({ model: "openai/gpt-4o-mini", messages: history, stream: true });
  for await (const chunk of stream) read(chunk);
  const vectors: OpenAI.CreateEmbeddingResponse = await embedding({ model: "openai/text-embedding-3-small", input: "Hi" });
  void vectors;
  return answer;
}

declare function read(chunk: OpenAI.ChatCompletionChunk): void;
