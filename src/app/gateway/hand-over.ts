import type { FileJournal } from "../../adapters/journal/journal.ts";
import type { Entry } from "../../domain/ledger/entry.ts";
import type { Balance } from "../../domain/ledger/ports.ts";
import type { LedgerStore } from "../../domain/ledger/store.ts";

/** Entries go to the ledger in batches, with the balances they made, and the journal learns what is safe (GATE 8.2, 8.3). */
export class HandOver {
  private readonly store: LedgerStore;
  private entries: Entry[] = [];
  private lastSequence = 0;
  /** Takes the balances that changed since they were last taken. */
  balances: () => Balance[] = () => [];

  constructor(store: LedgerStore, journal: FileJournal) {
    this.store = store;
    store.onCommitted((sequence) => journal.committed(sequence));
  }

  readonly entry = (entry: Entry, sequence: number): void => {
    this.entries.push(entry);
    this.lastSequence = Math.max(this.lastSequence, sequence);
  };

  readonly flush = (): void => {
    const balances = this.balances();
    if (this.entries.length === 0 && balances.length === 0) return;
    const batch = this.entries;
    this.entries = [];
    this.store.write({ entries: batch, balances, lastSequence: this.lastSequence });
  };
}
