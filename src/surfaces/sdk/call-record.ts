import type { CompletionResponse, EmbeddingResponse, ResponsesResponse } from "./completion-types.ts";
import type { Cost } from "./cost.ts";
import type { SessionOptions } from "./context.ts";

export type CallType = "completion" | "embedding" | "responses";

/** What each type of call is answered with. */
export interface CallResponses {
  readonly completion: CompletionResponse;
  readonly embedding: EmbeddingResponse;
  readonly responses: ResponsesResponse;
  /** What a tracked `fetch` or client sent that cannot be read here: images, audio, files, … Its cost is unknown: `cost.unpriced`. */
  readonly unread: UnreadResponse;
}

export interface UnreadResponse {
  readonly status: number;
  /** The end of the path, such as `"images_generations"`. */
  readonly route: string;
  /** Never there: what it says is not read. */
  readonly usage?: undefined;
  readonly cost: Cost;
}

export type CallRecordType = keyof CallResponses;

interface CallFields {
  /** The call's id in the books, the same as `response.cost.callId`. */
  readonly id: string;
  /** As the program named it. */
  readonly model: string;
  /** `messages` of a completion, `input` of the others. */
  readonly messages: unknown;
  /** Dollars; on failure what was lost, `null` if nothing was sent. A number for looking at: `cost.total` is exact. */
  readonly responseCost: number | null;
  readonly cost: Cost | null;
  /** The provider's usage object. */
  readonly usage: Readonly<Record<string, unknown>> | null;
  /** Answered from the cache: nothing was sent, and `cost.saved` says what that saved. */
  readonly cacheHit: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly user: string | null;
  readonly tags: readonly string[];
  readonly session: SessionOptions | null;
  readonly stream: boolean;
  /** Tries so far, 0 before the first. */
  readonly attempt: number;
}

interface CallOf<T extends CallRecordType> extends CallFields {
  readonly type: T;
  readonly response: CallResponses[T] | null;
}

/** What callbacks see of a call: frozen, and a copy of what the program holds. `type` says what `response` is. */
export type CallRecord = { [T in CallRecordType]: CallOf<T> }[CallRecordType];

/** A call that was answered: its cost stands, and its response is there (a stream's is assembled). */
export type SuccessfulCall = { [T in CallRecordType]: CallOf<T> & { readonly responseCost: number; readonly cost: Cost; readonly response: CallResponses[T] } }[CallRecordType];

/** Freezes a value that nobody else holds, all the way down. */
export function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeDeep(inner);
  return value;
}

/** A frozen copy; what cannot be copied (a function, a class of the program's own) becomes what JSON makes of it. */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  try {
    return freezeDeep(structuredClone(value));
  } catch {
    return freezeDeep(JSON.parse(JSON.stringify(value)) as T);
  }
}
