import type { TollgateError } from "../../base/errors.ts";
import type { NanoUsd } from "../../base/money.ts";
import type { AttemptFacts, Charge, Entry } from "../ledger/entry.ts";
import type { Scope } from "../scopes/scope.ts";
import type { WindowSpec } from "../windows/window.ts";
import type { Ask, Hold } from "./ask.ts";
import type { RefusalOutcome } from "./decide.ts";
import type { ChargeSet, Limit } from "./limit.ts";

/** A refusal with everything its message needs (GATE 4.6). */
export interface Refusal {
  readonly outcome: RefusalOutcome;
  readonly limit: Limit;
  readonly spent: bigint;
  readonly held: bigint;
  readonly needed: bigint;
  /** When the window ends, epoch milliseconds; `undefined` for a lifetime and for rates. */
  readonly resetsAt: number | undefined;
  /** Milliseconds until the request fits; for rates only. */
  readonly retryAfterMs: number | undefined;
}

export interface RateStanding {
  readonly limit: Limit;
  readonly remaining: bigint;
}

/** An admitted attempt, open until `close`. */
export interface OpenAttempt {
  readonly facts: AttemptFacts;
  readonly hold: Hold;
  readonly sendCap: number | undefined;
  /** Soft budgets that stand at or above their cap; its own settlement counts once it is closed. */
  readonly softCrossed: readonly Limit[];
  /** What its request, token and parallel limits had left at admission, this attempt counted; may be below zero for soft ones. */
  readonly rates: readonly RateStanding[];
  /** What the payer of its charge sets had spent in its window before; `undefined` without one. */
  readonly payerSpent: NanoUsd | undefined;
}

export type Opening =
  | { readonly kind: "open"; readonly attempt: OpenAttempt }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "failed"; readonly error: TollgateError };

/** What a budget's window stands at: settled in it, held now, and settled for ever. */
export interface CounterStanding {
  readonly spent: NanoUsd;
  readonly held: NanoUsd;
  readonly lifetime: NanoUsd;
}

/**
 * Deciding and holding in one indivisible step (GATE 1.4). `then` runs once decision and hold are durable; an error of
 * `close` or `post` means that the cost stands in the counters and its record is retried.
 */
export interface Books {
  open(ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[], then: (opening: Opening) => void): void;
  close(attempt: OpenAttempt, charge: Charge, then: (error: Error | undefined) => void): void;
  /**
   * Posts an entry that no hold preceded: a `correction`, an `adjustment` (it moves the one counter that `entry.counter`
   * names) or a `charge` that was metered elsewhere. Exactly once by `entry.id`: a replay changes nothing and is
   * answered with `posted` false.
   * @param charges the limits whose windows count it, beside the windows that its scopes have already
   */
  post(entry: Entry, charges: readonly ChargeSet[], then: (error: Error | undefined, posted: boolean) => void): void;
  /** What the window of this instant stands at; with a model, what that model alone was charged. */
  standing(scope: Scope, model: string | undefined, window: WindowSpec, then: (error: Error | undefined, standing: CounterStanding) => void): void;
  /** Gives limits the history of their scopes before they first decide (GATE 6.3). */
  seed(limits: readonly Limit[], then: (error: Error | undefined) => void): void;
}
