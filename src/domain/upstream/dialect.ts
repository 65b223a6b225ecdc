import type { UsageLine } from "../usage/usage.ts";

/** The routes of a provider that Tollgate calls; also what the ledger says of an entry's route. */
export type RouteName = "chat_completions" | "embeddings" | "responses";

/** How a dialect's body must be changed on its way: only top-level members, everything else stays byte-identical (GATE 9.1). */
export interface RequestEdit {
  /** The provider's name of the model, when it differs from the client's. */
  readonly model?: string;
  /** The output cap that was granted. Lowers every cap the client declared, or is added. */
  readonly cap?: number;
  /** Where chat completions say an added cap; other dialects have one field of their own. */
  readonly capField: "max_tokens" | "max_completion_tokens";
  /** Ask the provider for usage at the end of a stream. */
  readonly includeUsage: boolean;
}

/** A client's request, read once. */
export interface DialectRequest {
  readonly model: string;
  readonly stream: boolean;
  /** The client asked for the usage event of a stream itself. */
  readonly wantsUsage: boolean;
  /** The larger of the declared output caps; 0 where the route has no output that is paid for. */
  readonly declaredCap: number | undefined;
  /** Answers asked for (`n`). */
  readonly choices: number;
  /** The customer (`user`), not yet trusted. */
  readonly user: string | undefined;
  readonly tags: readonly string[];
  /** `metadata` as JSON text, `undefined` if absent. */
  readonly metadata: string | undefined;
  /** Length of the raw body in bytes. */
  readonly bytes: number;
  /** No text of this request can be more input tokens than this: bytes and the provider's constants (GATE 2.1). */
  readonly inputBound: number;
  /** The first thing whose cost has no upper bound, by its path, such as `"messages[0].content[1].type=image_url"`; `undefined` if all is bounded. `boundable` extends the known members. */
  unbounded(boundable: readonly string[]): string | undefined;
  edit(edit: RequestEdit): Uint8Array;
}

/** What a reader found in an answer. */
export interface Reading {
  /** Believable usage, or `undefined`. */
  readonly usage: readonly UsageLine[] | undefined;
  /** Why there is no usage to believe. */
  readonly problem: "missing" | "negative" | "fractional" | "inconsistent" | "absurd" | undefined;
  /** The provider's usage object as it came, JSON text. */
  readonly rawUsage: string | undefined;
  readonly model: string | undefined;
  readonly responseId: string | undefined;
  /** Bytes of generated text seen so far: an upper bound for its tokens. */
  readonly outputBytes: number;
  /** The answer came to its proper end. */
  readonly complete: boolean;
}

/** Reads a plain answer: collect, then read once. */
export interface PlainReader {
  read(body: Uint8Array): Reading;
}

/** Listens to a stream as it passes. */
export interface StreamReader {
  /**
   * Takes a chunk and hands what the client may see to `forward`, in order: untouched bytes, without a usage event it
   * did not ask for. The closing event is kept back until `release`, so that the client never sees the end of an
   * answer whose cost is not yet in the journal.
   * @returns `true` once the closing event was seen: the metering is complete
   */
  push(chunk: Uint8Array, forward: (bytes: Uint8Array) => void): boolean;
  /** What was kept back: the closing event, and a rest that never became an event. */
  release(): Uint8Array | undefined;
  reading(): Reading;
}

/** One API dialect: how requests are read and edited, how answers are metered. */
export interface Dialect {
  readonly name: string;
  readonly route: RouteName;
  /** @throws TollgateError `invalid_json`, `invalid_request`, `duplicate_member`, `forbidden_member`, `body_too_deep` */
  read(body: Uint8Array): DialectRequest;
  readonly plain: PlainReader;
  /** `undefined` where answers never stream. */
  readonly stream: ((options: { readonly withholdUsage: boolean }) => StreamReader) | undefined;
}
