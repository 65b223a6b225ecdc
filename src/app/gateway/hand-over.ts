import type { BalanceChanges } from "../../adapters/books/memory/memory-books.ts";
import type { FileJournal } from "../../adapters/journal/journal.ts";
import type { Entry } from "../../domain/ledger/entry.ts";
import type { EntryText } from "../../domain/ledger/entry-lines.ts";
import type { History } from "../../domain/ledger/ports.ts";
import type { LedgerStore } from "../../domain/ledger/store.ts";

/** What the hand-over needs of a ledger. */
export type HandOverStore = Pick<LedgerStore, "write" | "onCommitted" | "history">;

const FIRST_BYTES = 64 * 1024;
const KEPT_BUFFERS = 4;

/** A block that the writer reads until it says that it is committed. */
interface SentBlock {
  readonly buffer: Buffer<SharedArrayBuffer>;
  readonly lastSequence: number;
}

/**
 * Entries go to the ledger in batches, with the balances they made, and the journal learns what is safe (GATE 8.2, 8.3).
 * They wait as bytes outside the heap: a tenth of a second's entries as objects would outlive several young collections,
 * and then be cloned. The block is memory that the writer's thread shares, and is written again once it is committed:
 * neither copied nor asked of the system anew.
 */
export class HandOver {
  private readonly store: HandOverStore;
  private buffer: Buffer<SharedArrayBuffer> | undefined;
  private sent: SentBlock[] = [];
  private readonly free: Buffer<SharedArrayBuffer>[] = [];
  private used = 0;
  private count = 0;
  private expectedBytes = FIRST_BYTES;
  private lastSequence = 0;
  /** Takes what changed since it was last taken. */
  changes: () => BalanceChanges = () => ({ balances: [], forgotten: [] });
  /** The past, what is settled but was not yet handed over included. */
  readonly history: History;

  constructor(store: HandOverStore, journal: FileJournal) {
    this.store = store;
    this.history = {
      spent: (query) => {
        this.flush();
        return store.history.spent(query);
      },
      has: (entryId) => {
        this.flush();
        return store.history.has(entryId);
      },
    };
    store.onCommitted((sequence) => {
      journal.committed(sequence);
      this.takeBack(sequence);
    });
  }

  readonly entry = (_entry: Entry, sequence: number, text: EntryText): void => {
    const buffer = this.withRoomFor(text);
    this.used += buffer.write(text, this.used, "utf8");
    buffer[this.used] = 10;
    this.used += 1;
    this.count += 1;
    if (sequence > this.lastSequence) this.lastSequence = sequence;
  };

  readonly flush = (): void => {
    const { balances, forgotten } = this.changes();
    if (this.count === 0 && balances.length === 0) return;
    const bytes = this.buffer?.subarray(0, this.used) ?? new Uint8Array(0);
    this.store.write({ entries: [], lines: { bytes, count: this.count }, balances, forgotten, lastSequence: this.lastSequence });
    // A block that ends no later than the one before could not be told from it when that one is committed: it is not used again.
    if (this.buffer !== undefined && this.lastSequence > (this.sent.at(-1)?.lastSequence ?? -1)) this.sent.push({ buffer: this.buffer, lastSequence: this.lastSequence });
    // The next batch will be about as large as this one.
    this.expectedBytes = Math.max(FIRST_BYTES, Math.ceil(this.used * 1.25));
    this.buffer = undefined;
    this.used = 0;
    this.count = 0;
  };

  private takeBack(sequence: number): void {
    const read = this.sent.filter((block) => block.lastSequence <= sequence);
    this.sent = this.sent.filter((block) => block.lastSequence > sequence);
    for (const { buffer } of read) if (this.free.length < KEPT_BUFFERS) this.free.push(buffer);
  }

  private withRoomFor(text: EntryText): Buffer<SharedArrayBuffer> {
    // A character takes three bytes of UTF-8 at most; one more for the line feed.
    const needed = this.used + text.length * 3 + 1;
    if (this.buffer !== undefined && needed <= this.buffer.length) return this.buffer;
    const larger = this.blockOf(Math.max(needed, this.buffer === undefined ? this.expectedBytes : this.buffer.length * 2));
    this.buffer?.copy(larger, 0, 0, this.used);
    this.buffer = larger;
    return larger;
  }

  private blockOf(bytes: number): Buffer<SharedArrayBuffer> {
    const kept = this.free.pop();
    return kept !== undefined && kept.length >= bytes ? kept : Buffer.from(new SharedArrayBuffer(bytes));
  }
}
