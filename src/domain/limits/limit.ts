import type { Scope } from "../scopes/scope.ts";
import type { WindowSpec } from "../windows/window.ts";

/** What a limit counts. Money is nano-dollars; the others are whole numbers. */
export type Measure = "nanoUsd" | "requests" | "tokens" | "inputTokens" | "outputTokens" | "slots";

/** Budgets, request limits, token limits and parallel caps are one noun (GATE 1.1). */
export interface Limit {
  readonly scope: Scope;
  /** Only requests for this model (as the client names it) count. */
  readonly model: string | undefined;
  readonly measure: Measure;
  readonly window: WindowSpec;
  readonly cap: bigint;
  /** A soft limit never refuses: it is told once per window. */
  readonly hard: boolean;
  /** The duration as configured, for messages: `"30d"`; absent for a lifetime. */
  readonly windowText: string | undefined;
}

/**
 * What one participant (a key with its team and user, a customer, a deployment) brings to a request: the scopes that
 * are charged and the limits that apply. Compiled once and replaced, never changed, when something about it changes.
 */
export interface ChargeSet {
  readonly scopes: readonly Scope[];
  readonly limits: readonly Limit[];
  /** Whose spend the client is told, and in which window: its key. */
  readonly payer?: { readonly scope: Scope; readonly window: WindowSpec };
}
