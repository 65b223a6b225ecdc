import type { CostSource } from "../analytics/source.ts";
import type { Entry } from "./entry.ts";
import type { EntryLines } from "./entry-lines.ts";
import type { Balance, History } from "./ports.ts";

/** A row of the control plane: a key, team, member, user or customer, as JSON text with its version. */
export interface StoredRecord {
  readonly kind: "key" | "team" | "member" | "user" | "customer" | "setting";
  /** Our own ULID. */
  readonly id: string;
  /** Starts at 1 and counts up with every write. */
  readonly version: number;
  readonly document: string;
}

/** A write that only happens if the row still has the version it was read with; 0: it must not exist; `document: null` deletes. */
export interface RecordChange {
  readonly kind: StoredRecord["kind"];
  readonly id: string;
  readonly expectedVersion: number;
  readonly document: string | null;
}

export interface Batch {
  readonly entries: readonly Entry[];
  /** Entries after those, as the gate writes them: text is cheaper to hand to another thread than objects. */
  readonly lines?: EntryLines;
  /** Absolute balances as of the last of these entries. */
  readonly balances: readonly Balance[];
  /** Counters of windows that ended a while ago: their balances are removed; entries and roll-ups keep the past. */
  readonly forgotten?: readonly string[];
  /** Sequence number of the newest journal record that these entries cover. */
  readonly lastSequence: number;
}

export interface EntryFilter {
  readonly requestId?: string;
  readonly responseId?: string;
  readonly keyId?: string;
  readonly userId?: string;
  readonly teamId?: string;
  readonly customer?: string;
  /** Admission time, epoch milliseconds: from inclusive, to exclusive. */
  readonly from?: number;
  readonly to?: number;
  /** Only entries with a lesser id: the next page, newest first. */
  readonly before?: string;
  readonly limit: number;
  /** Newest first unless said otherwise. */
  readonly ascending?: boolean;
}

/** What a ledger says of itself: every comparison that was made, and the first difference. */
export interface AuditReport {
  readonly agree: boolean;
  readonly entries: number;
  readonly scopes: number;
  readonly balances: number;
  /** Sum of all costs, nano-dollars as decimal text; adjustments are none. */
  readonly totalNanoUsd: string;
  /** A sentence that names the counter, both amounts and the difference. */
  readonly firstDifference: string | null;
}

/** The ledger's store. Entries are appended in order and never changed; replays by id change nothing. */
export interface LedgerStore {
  readonly history: History;
  /** Reports of costs, over everything written so far. */
  readonly costs: Omit<CostSource, "close">;
  load(): Promise<{ readonly lastSequence: number; readonly newestAt: number; readonly balances: readonly Balance[]; readonly records: readonly StoredRecord[] }>;
  /** Queues a batch for the writer; it is retried until it is committed. */
  write(batch: Batch): void;
  /** Told after each commit, with the sequence number up to which journal records are safe in the ledger. */
  onCommitted(listener: (lastSequence: number) => void): void;
  /** Resolves once everything written so far is committed. */
  commit(): Promise<void>;
  /** All or nothing. @throws TollgateError `conflict` if a version differs */
  change(changes: readonly RecordChange[], balancesToDelete?: readonly string[]): Promise<void>;
  entries(filter: EntryFilter): Promise<readonly Entry[]>;
  /** Sum of what a scope (text) was charged for requests admitted in [from, to), nano-dollars; from roll-ups and, for partial quarters, entries (GATE 6.3). */
  spent(scope: string, model: string | undefined, from: number, to: number): Promise<bigint>;
  /** Sums by a column of the roll-ups for one scope (default global) and period. */
  totals(query: { readonly scope?: string; readonly by: "model" | "provider" | "day" | "none"; readonly from?: number; readonly to?: number }): Promise<readonly { readonly group: string; readonly cost: string; readonly requests: number; readonly inputTokens: number; readonly outputTokens: number }[]>;
  /** Sums by scope of one kind: what each key, team, user or customer was charged in [from, to). */
  totalsByScope(kind: string, from: number, to: number): Promise<readonly { readonly scope: string; readonly cost: string; readonly requests: number; readonly inputTokens: number; readonly outputTokens: number }[]>;
  /** Every row of the control plane as it stands now. */
  records(): Promise<readonly StoredRecord[]>;
  /** Compares ledger, balances and roll-ups; with `counters`, the live gateway's counters as well. */
  audit(counters?: readonly Balance[]): Promise<AuditReport>;
  close(): Promise<void>;
}
