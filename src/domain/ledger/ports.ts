import type { Entry } from "./entry.ts";

/** The append-only file that a cost is in before anybody sees it. */
export interface Journal {
  /** Appends a record; `then` runs after the write of this event-loop turn, with the error if it failed. */
  append(record: string, then: (error: Error | undefined) => void): void;
  /** A record of an attempt that is open: kept when segments are rolled, until `closed`. */
  opened(attemptId: string, record: string): void;
  closed(attemptId: string): void;
}

/** One counter's money, absolute, as of the entries sent with it. */
export interface Balance {
  /** Identity of the counter: scope, model and window. */
  readonly counter: string;
  readonly scope: string;
  /** Nano-dollars. */
  readonly spent: bigint;
}

/** The ledger's writer: takes entries in order and commits them with the balances in one transaction. */
export interface LedgerWriter {
  record(entry: Entry): void;
}
