/*
 * OpenAI's wire shapes of chat completions, written out so that no peer is needed for types. Assignable both ways with
 * the `openai` package's own; a type test proves it.
 */

export interface ChatCompletionTextPart {
  text: string;
  type: "text";
}

export interface ChatCompletionRefusalPart {
  refusal: string;
  type: "refusal";
}

export interface ChatCompletionImagePart {
  image_url: { url: string; detail?: "auto" | "low" | "high" };
  type: "image_url";
}

export interface ChatCompletionAudioPart {
  input_audio: { data: string; format: "wav" | "mp3" };
  type: "input_audio";
}

export interface ChatCompletionFilePart {
  file: { file_data?: string; file_id?: string; filename?: string };
  type: "file";
}

export type ChatCompletionContentPart = ChatCompletionTextPart | ChatCompletionImagePart | ChatCompletionAudioPart | ChatCompletionFilePart;

export interface ChatCompletionFunctionToolCall {
  id: string;
  function: { arguments: string; name: string };
  type: "function";
}

export interface ChatCompletionCustomToolCall {
  id: string;
  custom: { input: string; name: string };
  type: "custom";
}

export type ChatCompletionToolCall = ChatCompletionFunctionToolCall | ChatCompletionCustomToolCall;

export type ChatCompletionMessageParam =
  | { content: string | ChatCompletionTextPart[]; role: "developer"; name?: string }
  | { content: string | ChatCompletionTextPart[]; role: "system"; name?: string }
  | { content: string | ChatCompletionContentPart[]; role: "user"; name?: string }
  | {
    role: "assistant";
    content?: string | (ChatCompletionTextPart | ChatCompletionRefusalPart)[] | null;
    refusal?: string | null;
    name?: string;
    audio?: { id: string } | null;
    function_call?: { arguments: string; name: string } | null;
    tool_calls?: ChatCompletionToolCall[];
  }
  | { content: string | ChatCompletionTextPart[]; role: "tool"; tool_call_id: string }
  | { content: string | null; role: "function"; name: string };

export interface ChatCompletionFunctionTool {
  function: { name: string; description?: string; parameters?: { [name: string]: unknown }; strict?: boolean | null };
  type: "function";
}

export interface ChatCompletionUsage {
  completion_tokens: number;
  prompt_tokens: number;
  total_tokens: number;
  completion_tokens_details?: { accepted_prediction_tokens?: number; audio_tokens?: number; reasoning_tokens?: number; rejected_prediction_tokens?: number };
  prompt_tokens_details?: { audio_tokens?: number; cached_tokens?: number };
}

export interface ChatCompletionMessage {
  content: string | null;
  refusal: string | null;
  role: "assistant";
  annotations?: { type: "url_citation"; url_citation: { end_index: number; start_index: number; title: string; url: string } }[];
  audio?: { id: string; data: string; expires_at: number; transcript: string } | null;
  function_call?: { arguments: string; name: string } | null;
  tool_calls?: ChatCompletionToolCall[];
}

export interface ChatCompletionTokenLogprob {
  token: string;
  bytes: number[] | null;
  logprob: number;
  top_logprobs: { token: string; bytes: number[] | null; logprob: number }[];
}

export interface ChatCompletionLogprobs {
  content: ChatCompletionTokenLogprob[] | null;
  refusal: ChatCompletionTokenLogprob[] | null;
}

export type ChatCompletionFinishReason = "stop" | "length" | "tool_calls" | "content_filter" | "function_call";

export interface ChatCompletionChoice {
  finish_reason: ChatCompletionFinishReason;
  index: number;
  logprobs: ChatCompletionLogprobs | null;
  message: ChatCompletionMessage;
}

export type ServiceTier = "auto" | "default" | "flex" | "scale" | "priority";

export interface ChatCompletion {
  id: string;
  choices: ChatCompletionChoice[];
  created: number;
  model: string;
  object: "chat.completion";
  service_tier?: ServiceTier | null;
  system_fingerprint?: string;
  usage?: ChatCompletionUsage;
}

export interface ChatCompletionChunkToolCall {
  index: number;
  id?: string;
  function?: { arguments?: string; name?: string };
  type?: "function";
}

export interface ChatCompletionChunkDelta {
  content?: string | null;
  function_call?: { arguments?: string; name?: string };
  refusal?: string | null;
  role?: "developer" | "system" | "user" | "assistant" | "tool";
  tool_calls?: ChatCompletionChunkToolCall[];
}

export interface ChatCompletionChunkChoice {
  delta: ChatCompletionChunkDelta;
  finish_reason: ChatCompletionFinishReason | null;
  index: number;
  logprobs?: ChatCompletionLogprobs | null;
}

export interface ChatCompletionChunk {
  id: string;
  choices: ChatCompletionChunkChoice[];
  created: number;
  model: string;
  object: "chat.completion.chunk";
  service_tier?: ServiceTier | null;
  system_fingerprint?: string;
  usage?: ChatCompletionUsage | null;
}

/** The request, apart from `model`, `user` and `metadata`, which are Tollgate's. */
export interface ChatCompletionRequest {
  messages: ChatCompletionMessageParam[];
  max_tokens?: number | null;
  max_completion_tokens?: number | null;
  temperature?: number | null;
  top_p?: number | null;
  n?: number | null;
  stop?: string | null | string[];
  seed?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  logit_bias?: { [token: string]: number } | null;
  logprobs?: boolean | null;
  top_logprobs?: number | null;
  response_format?: { type: "text" } | { type: "json_object" } | { type: "json_schema"; json_schema: { name: string; description?: string; schema?: { [name: string]: unknown }; strict?: boolean | null } };
  tools?: (ChatCompletionFunctionTool | { custom: { name: string; description?: string; format?: unknown }; type: "custom" })[];
  tool_choice?: "none" | "auto" | "required" | { type: "function"; function: { name: string } } | { type: "custom"; custom: { name: string } } | { type: "allowed_tools"; allowed_tools: { mode: "auto" | "required"; tools: { [name: string]: unknown }[] } };
  parallel_tool_calls?: boolean;
  functions?: { name: string; description?: string; parameters?: { [name: string]: unknown } }[];
  function_call?: "none" | "auto" | { name: string };
  reasoning_effort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | null;
  verbosity?: "low" | "medium" | "high" | null;
  stream_options?: { include_obfuscation?: boolean; include_usage?: boolean } | null;
  modalities?: ("text" | "audio")[] | null;
  audio?: { format: "wav" | "aac" | "mp3" | "flac" | "opus" | "pcm16"; voice: string } | null;
  prediction?: { content: string | ChatCompletionTextPart[]; type: "content" } | null;
  service_tier?: ServiceTier | null;
  store?: boolean | null;
  safety_identifier?: string;
  prompt_cache_key?: string;
  prompt_cache_retention?: "in-memory" | "24h" | null;
  web_search_options?: { [name: string]: unknown };
}
