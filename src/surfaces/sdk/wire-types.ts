/*
 * OpenAI's wire shapes of chat completions, written out so that no peer is needed for types. Assignable both ways with
 * the `openai` package's own; a type test proves it.
 */

export interface PromptCacheBreakpoint {
  mode: "explicit";
  ttl?: "30m" | "12h";
}

export interface ChatCompletionTextPart {
  text: string;
  type: "text";
  prompt_cache_breakpoint?: PromptCacheBreakpoint;
}

export interface ChatCompletionRefusalPart {
  refusal: string;
  type: "refusal";
}

export interface ChatCompletionImagePart {
  image_url: { url: string; detail?: "auto" | "low" | "high" | "original" };
  type: "image_url";
  prompt_cache_breakpoint?: PromptCacheBreakpoint;
}

export interface ChatCompletionAudioPart {
  input_audio: { data: string; format: "wav" | "mp3" };
  type: "input_audio";
  prompt_cache_breakpoint?: PromptCacheBreakpoint;
}

export interface ChatCompletionFilePart {
  file: { file_data?: string; file_id?: string; filename?: string };
  type: "file";
  prompt_cache_breakpoint?: PromptCacheBreakpoint;
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
  completion_tokens_details?: { accepted_prediction_tokens?: number; audio_tokens?: number; reasoning_tokens?: number; rejected_prediction_tokens?: number; text_tokens?: number };
  prompt_tokens_details?: { audio_tokens?: number; cache_write_tokens?: number; cached_tokens?: number; image_tokens?: number; text_tokens?: number };
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

export type ServiceTier = "auto" | "default" | "flex" | "scale" | "priority" | "fast";

export interface ModerationResults {
  model: string;
  results: {
    categories: { [category: string]: boolean };
    category_applied_input_types: { [category: string]: ("text" | "image")[] };
    category_scores: { [category: string]: number };
    flagged: boolean;
    model: string;
    type: "moderation_result";
  }[];
  type: "moderation_results";
}

export interface ModerationError {
  code: string;
  message: string;
  type: "error";
}

export interface Moderation {
  input: ModerationResults | ModerationError;
  output: ModerationResults | ModerationError;
}

export interface ChatCompletion {
  id: string;
  choices: ChatCompletionChoice[];
  created: number;
  model: string;
  object: "chat.completion";
  metadata?: { [name: string]: string } | null;
  moderation?: Moderation | null;
  service_tier?: ServiceTier | null;
  system_fingerprint?: string;
  usage?: ChatCompletionUsage;
}

export interface ChatCompletionChunkToolCall {
  index: number;
  id?: string;
  custom?: { input?: string; name?: string };
  function?: { arguments?: string; name?: string };
  type?: "function" | "custom";
}

export interface ChatCompletionChunkDelta {
  audio?: { id?: string; data?: string; expires_at?: number; transcript?: string };
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
  moderation?: Moderation | null;
  obfuscation?: string;
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
  tools?: (ChatCompletionFunctionTool | { custom: { name: string; description?: string; format?: { type: "text" } | { grammar: { definition: string; syntax: "lark" | "regex" }; type: "grammar" } }; type: "custom" })[];
  tool_choice?: "none" | "auto" | "required" | { type: "function"; function: { name: string } } | { type: "custom"; custom: { name: string } } | { type: "allowed_tools"; allowed_tools: { mode: "auto" | "required"; tools: { [name: string]: unknown }[] } };
  parallel_tool_calls?: boolean;
  functions?: { name: string; description?: string; parameters?: { [name: string]: unknown } }[];
  function_call?: "none" | "auto" | { name: string };
  reasoning_effort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | null;
  verbosity?: "low" | "medium" | "high" | null;
  stream_options?: { include_obfuscation?: boolean; include_usage?: boolean } | null;
  modalities?: ("text" | "audio")[] | null;
  audio?: { format: "wav" | "aac" | "mp3" | "flac" | "opus" | "pcm16"; voice: string | { id: string } } | null;
  prediction?: { content: string | ChatCompletionTextPart[]; type: "content" } | null;
  service_tier?: ServiceTier | null;
  store?: boolean | null;
  safety_identifier?: string | null;
  prompt_cache_key?: string | null;
  prompt_cache_options?: { mode?: "implicit" | "explicit"; ttl?: "30m" };
  prompt_cache_retention?: "in_memory" | "24h" | null;
  moderation?: { model: string; policy?: { input?: { mode: "score" | "block" } | null; output?: { mode: "score" | "block" } | null } | null } | null;
  web_search_options?: {
    search_context_size?: "low" | "medium" | "high";
    user_location?: { approximate: { city?: string; country?: string; region?: string; timezone?: string }; type: "approximate" } | null;
  };
}

export interface EmbeddingRequest {
  input: string | string[] | number[] | number[][];
  dimensions?: number;
  encoding_format?: "float" | "base64";
}

export interface Embedding {
  embedding: number[];
  index: number;
  object: "embedding";
}

export interface CreateEmbeddingResponse {
  data: Embedding[];
  model: string;
  object: "list";
  usage: { prompt_tokens: number; total_tokens: number };
}
