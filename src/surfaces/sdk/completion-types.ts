import type { CallOptions } from "./call-options.ts";
import type { Cost } from "./cost.ts";
import type { KnownModel } from "./known-models.ts";
import type { MeteredStream } from "./metered-stream.ts";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest } from "./wire-types.ts";

/** `provider/model`, such as `"openai/gpt-4o-mini"`; names that are unmistakable need no provider. */
export type Model = KnownModel | (string & {});

/** The parameters of `completion`: OpenAI's, and Tollgate's own. */
export interface CompletionParams extends ChatCompletionRequest, CallOptions {
  model: Model;
  stream?: boolean | null;
  /** Nothing is sent: the text (10 tokens in, 20 out), or a whole answer. It is held, metered and charged like a real one. */
  mockResponse?: string | ChatCompletion | undefined;
}

export type CompletionParamsPlain = CompletionParams & { stream?: false | null };
export type CompletionParamsStreaming = CompletionParams & { stream: true };

/** A chat completion with what it cost. */
export type CompletionResponse = ChatCompletion & { cost: Cost };

/** The chunks of a completion; knows its cost once it is over. */
export type CompletionStream = MeteredStream<ChatCompletionChunk, ChatCompletion>;

export interface CompletionFunction {
  (params: CompletionParamsPlain): Promise<CompletionResponse>;
  (params: CompletionParamsStreaming): Promise<CompletionStream>;
  (params: CompletionParams): Promise<CompletionResponse | CompletionStream>;
}
