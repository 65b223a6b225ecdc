import type { JsonObject } from "../json.ts";

/* The only fields of the Responses dialect that Tollgate reads. What is not named here passes through untouched. */

export interface RequestBody extends JsonObject {
  readonly model?: unknown;
  /** A text, or an array of items: messages, calls and what they returned. */
  readonly input?: unknown;
  readonly stream?: unknown;
  readonly max_output_tokens?: unknown;
  readonly user?: unknown;
  readonly metadata?: unknown;
  readonly tags?: unknown;
  readonly tools?: unknown;
  readonly reasoning?: unknown;
}

/** An event of a stream. */
export interface StreamEvent extends JsonObject {
  readonly type?: unknown;
  /** In the events that tell of the whole response: its beginning and its end. */
  readonly response?: unknown;
}

export interface WireUsage extends JsonObject {
  readonly input_tokens?: unknown;
  readonly output_tokens?: unknown;
  readonly total_tokens?: unknown;
  readonly input_tokens_details?: unknown;
  readonly output_tokens_details?: unknown;
}
