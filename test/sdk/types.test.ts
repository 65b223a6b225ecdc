import type OpenAI from "openai";
import { expect, expectTypeOf, test } from "vitest";
import type * as ours from "../../src/index.ts";
import tollgate, { completion, embedding, responses } from "../../src/index.ts";

/*
 * Proved by `npm run types`, which compiles this file: a type that is not assignable does not compile.
 */

type Chat = OpenAI.Chat.Completions.ChatCompletion;

test("what we answer is what the openai package's types say, and the other way round", () => {
  expectTypeOf<ours.ChatCompletion>().toExtend<Chat>();
  expectTypeOf<Chat>().toExtend<ours.ChatCompletion>();
  expectTypeOf<ours.ChatCompletionChunk>().toExtend<OpenAI.Chat.Completions.ChatCompletionChunk>();
  expectTypeOf<OpenAI.Chat.Completions.ChatCompletionChunk>().toExtend<ours.ChatCompletionChunk>();
  expectTypeOf<ours.ChatCompletionMessageParam>().toExtend<OpenAI.Chat.Completions.ChatCompletionMessageParam>();
  expectTypeOf<OpenAI.Chat.Completions.ChatCompletionMessageParam>().toExtend<ours.ChatCompletionMessageParam>();
  expectTypeOf<ours.ChatCompletionRequest>().toExtend<Omit<OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming, "model" | "metadata" | "user" | "stream">>();
  expectTypeOf<Omit<OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming, "model" | "metadata" | "user" | "stream">>().toExtend<ours.ChatCompletionRequest>();
  expectTypeOf<ours.CreateEmbeddingResponse>().toExtend<OpenAI.CreateEmbeddingResponse>();
  expectTypeOf<OpenAI.CreateEmbeddingResponse>().toExtend<ours.CreateEmbeddingResponse>();
  expectTypeOf<OpenAI.Responses.ResponseOutputMessage>().toExtend<ours.ResponseOutputMessage>();
});

test("a literal stream decides what comes back", () => {
  const plain = () => completion({ model: "openai/gpt-4o-mini", messages: [] });
  const off = () => completion({ model: "some/model", messages: [], stream: false });
  const streamed = () => completion({ model: "openai/gpt-4o-mini", messages: [], stream: true });
  const either = (stream: boolean) => completion({ model: "openai/gpt-4o-mini", messages: [], stream });
  expectTypeOf(plain).returns.resolves.toEqualTypeOf<ours.CompletionResponse>();
  expectTypeOf(off).returns.resolves.toEqualTypeOf<ours.CompletionResponse>();
  expectTypeOf(streamed).returns.resolves.toEqualTypeOf<ours.CompletionStream>();
  expectTypeOf(either).returns.resolves.toEqualTypeOf<ours.CompletionResponse | ours.CompletionStream>();
  const answered = () => responses({ model: "openai/gpt-4o-mini", input: "Hi" });
  expectTypeOf(answered).returns.resolves.toEqualTypeOf<ours.ResponsesResponse>();
  const embedded = () => embedding({ model: "openai/text-embedding-3-small", input: "Hi" });
  expectTypeOf(embedded).returns.resolves.toEqualTypeOf<ours.EmbeddingResponse>();
});

test("the cost has no bigint anywhere, and callbacks get numbers", () => {
  expectTypeOf<ours.Cost["total"]>().toEqualTypeOf<string>();
  expectTypeOf<ours.Cost["totalUsd"]>().toEqualTypeOf<number>();
  expectTypeOf<Parameters<ours.SuccessCallback>[0]["responseCost"]>().toEqualTypeOf<number>();
  expectTypeOf<Parameters<ours.FailureCallback>[0]["responseCost"]>().toEqualTypeOf<number | null>();
  expect(typeof tollgate.completion).toBe("function");
});
