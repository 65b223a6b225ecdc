import type { InFlightItem } from "../../base/in-flight.ts";
/** The hold record of an attempt, while it may be open. */
export interface OpenHold extends InFlightItem {
  readonly record: string;
}

/** The append-only file that a hold is in before a provider sees a byte, and a cost before a client sees its end. */
export interface Journal {
  /**
   * Appends a record; `then` runs after the write of this event-loop turn. With `mustLand` a record that failed is
   * retried, and `then` is called again without an error once it is written.
   */
  append(record: string, then: (error: Error | undefined, sequence: number) => void, mustLand?: boolean): void;
  /** The hold record of an attempt that is open: copied into each new segment until `closed`. */
  opened(hold: OpenHold): void;
  closed(hold: OpenHold): void;
}

/** One counter's money, absolute, as of the entries sent with it. */
export interface Balance {
  /** Identity of the counter: scope, model and window. */
  readonly counter: string;
  readonly scope: string;
  /** Nano-dollars. */
  readonly spent: bigint;
  /** The window's spec as JSON text, and its start, so that an audit can count again. */
  readonly spec: string;
  readonly start: number;
}

export interface HistoryQuery {
  /** A scope as text. */
  readonly scope: string;
  readonly model: string | undefined;
  /** Admission times, epoch milliseconds: from inclusive, to exclusive. */
  readonly from: number;
  readonly to: number;
  /** The identity of the window: its adjustments are part of the sum. */
  readonly counter: string;
}

/** What the ledger knows of the past. Both calls see everything that the ledger was given before them. */
export interface History {
  /** Nano-dollars, and the newest journal record whose entry is counted: exactly those up to it are. */
  spent(query: HistoryQuery): Promise<{ readonly nanoUsd: bigint; readonly lastSequence: number }>;
  /** An entry of this id stands in the ledger. */
  has(entryId: string): Promise<boolean>;
}
