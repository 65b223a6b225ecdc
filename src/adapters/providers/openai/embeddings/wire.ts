import type { JsonObject } from "../json.ts";

/* The only fields of the embeddings dialect that Tollgate reads. */

export interface RequestBody extends JsonObject {
  readonly model?: unknown;
  /** A text, texts, token ids, or lists of token ids. */
  readonly input?: unknown;
  readonly user?: unknown;
  readonly metadata?: unknown;
  readonly tags?: unknown;
}

export interface WireUsage extends JsonObject {
  readonly prompt_tokens?: unknown;
  /** Zero in those providers that send it. */
  readonly completion_tokens?: unknown;
  readonly total_tokens?: unknown;
}
