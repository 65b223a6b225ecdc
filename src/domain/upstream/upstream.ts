import type { SaidCost } from "./said-cost.ts";

/** One request to a provider. Headers are a flat list: name, value, name, value. */
export interface UpstreamRequest {
  /** Scheme, host and port, such as `https://api.openai.com`. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** How far a request came before it failed; decides what is charged (GATE 5). */
export type FailurePhase =
  /** No connection: the provider saw nothing. */
  | "connect"
  /** Sent, and no status ever seen. */
  | "sent"
  /** The answer broke off. */
  | "body";

export interface UpstreamFailure {
  readonly phase: FailurePhase;
  readonly timedOut: boolean;
  /** For the log; never shown to clients. */
  readonly message: string;
}

/** Called in order: `head`, any number of `bytes`, then `end`; or `fail` at any point. Nothing comes after `end` or `fail`. */
export interface UpstreamEvents {
  /** Header names are lower case. */
  head(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void;
  bytes(chunk: Uint8Array): void;
  end(): void;
  fail(failure: UpstreamFailure): void;
}

export interface UpstreamExchange {
  /** Stops reading until `resume`: a slow reader slows its own provider, nobody else. */
  pause(): void;
  resume(): void;
  /** Gives the exchange up; `fail` is not called afterwards. */
  cancel(): void;
  /**
   * What the server itself says that this exchange cost: a gateway, whose cost is taken as it is. Asked once, when the answer is complete; absent where
   * nobody believes servers. `then` may be called in the same turn.
   */
  saidCost?(then: (said: SaidCost | undefined) => void): void;
}

/** Sends requests to providers. A reused connection that dies before the first byte of an answer is replaced once by a fresh one (GATE 5.4). */
export interface Upstream {
  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamExchange;
}
