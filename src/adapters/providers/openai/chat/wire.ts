import type { JsonObject } from "../json.ts";

/*
 * The only fields of the OpenAI chat dialect that Tollgate reads. Everything from outside is `unknown` until checked;
 * what is not named here passes through untouched.
 */

export interface RequestBody extends JsonObject {
  readonly model?: unknown;
  readonly messages?: unknown;
  readonly stream?: unknown;
  readonly stream_options?: unknown;
  readonly n?: unknown;
  readonly max_tokens?: unknown;
  readonly max_completion_tokens?: unknown;
  readonly user?: unknown;
  readonly metadata?: unknown;
  readonly tags?: unknown;
  readonly tools?: unknown;
  readonly functions?: unknown;
}

/** An event of a stream. A plain answer is never parsed as a whole. */
export interface StreamEvent extends JsonObject {
  readonly id?: unknown;
  readonly model?: unknown;
  readonly choices?: unknown;
  readonly usage?: unknown;
  readonly error?: unknown;
  readonly x_groq?: unknown;
}

/** What providers put in `usage`; one of several spellings each. */
export interface WireUsage extends JsonObject {
  readonly prompt_tokens?: unknown;
  readonly completion_tokens?: unknown;
  readonly total_tokens?: unknown;
  readonly prompt_tokens_details?: unknown;
  readonly completion_tokens_details?: unknown;
  /** DeepSeek. */
  readonly prompt_cache_hit_tokens?: unknown;
  readonly prompt_cache_miss_tokens?: unknown;
  /** Moonshot. */
  readonly cached_tokens?: unknown;
  /** LiteLLM in front of Anthropic. */
  readonly cache_read_input_tokens?: unknown;
  readonly cache_creation_input_tokens?: unknown;
  /** Perplexity. */
  readonly num_search_queries?: unknown;
  /** OpenRouter and Anthropic. */
  readonly server_tool_use?: unknown;
}

export interface WirePromptDetails extends JsonObject {
  readonly cached_tokens?: unknown;
  readonly cache_write_tokens?: unknown;
  readonly cache_creation_tokens?: unknown;
  readonly audio_tokens?: unknown;
}

export interface WireCompletionDetails extends JsonObject {
  readonly reasoning_tokens?: unknown;
  readonly audio_tokens?: unknown;
  readonly image_tokens?: unknown;
}
