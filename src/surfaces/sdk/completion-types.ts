import type { CallOptions } from "./call-options.ts";
import type { Cost } from "./cost.ts";
import type { KnownModel } from "./known-models.ts";
import type { MeteredStream } from "./metered-stream.ts";
import type { Response, ResponsesRequest, ResponseStreamEvent } from "./responses-wire-types.ts";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, CreateEmbeddingResponse, EmbeddingRequest } from "./wire-types.ts";

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

/** The parameters of `embedding`: OpenAI's, and Tollgate's own. */
export interface EmbeddingParams extends EmbeddingRequest, CallOptions {
  model: Model;
  /** Nothing is sent: a vector (10 tokens in), or a whole answer. */
  mockResponse?: number[] | CreateEmbeddingResponse | undefined;
}

export type EmbeddingResponse = CreateEmbeddingResponse & { cost: Cost };
export type EmbeddingFunction = (params: EmbeddingParams) => Promise<EmbeddingResponse>;

/** The parameters of `responses`: OpenAI's Responses API, and Tollgate's own. */
export interface ResponsesParams extends ResponsesRequest, CallOptions {
  model: Model;
  stream?: boolean | null;
  /** Nothing is sent: the text (10 tokens in, 20 out), or a whole response. */
  mockResponse?: string | Response | undefined;
}

export type ResponsesResponse = Response & { cost: Cost };
export type ResponsesStream = MeteredStream<ResponseStreamEvent, Response>;

export interface ResponsesFunction {
  (params: ResponsesParams & { stream?: false | null }): Promise<ResponsesResponse>;
  (params: ResponsesParams & { stream: true }): Promise<ResponsesStream>;
  (params: ResponsesParams): Promise<ResponsesResponse | ResponsesStream>;
}
