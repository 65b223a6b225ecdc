import type { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import { correctionOf, crashedEntry, type Entry, type HoldRecord, type JournalRecord } from "../../domain/ledger/entry.ts";
import type { Journal } from "../../domain/ledger/ports.ts";

export interface SequencedRecord {
  readonly sequence: number;
  readonly record: JournalRecord;
}

interface RecoverOptions {
  /** Of the journal, in order. */
  readonly records: readonly SequencedRecord[];
  /** The newest record that the ledger covers. */
  readonly lastSequence: number;
  readonly journal: Journal & { flush(): void };
  readonly books: MemoryBooks;
  readonly inLedger: (entryId: string) => Promise<boolean>;
}

/**
 * Brings the books to where the journal ends: settlements that the ledger has not seen are counted, each once, and
 * holds that nothing ever settled are charged in full (GATE 5.6).
 */
export async function recover({ records, lastSequence, journal, books, inLedger }: RecoverOptions): Promise<{ replayed: number; crashed: number }> {
  const holds = new Map<string, HoldRecord>();
  const settled = new Map<string, Entry>();
  const corrections: Entry[] = [];
  let replayed = 0;
  for (const { sequence, record } of records) {
    if (record.type === "hold") {
      holds.set(record.facts.attemptId, record);
      continue;
    }
    const { entry } = record;
    const known = settled.get(entry.id);
    if (known !== undefined) {
      const correction = correctionOf(known, entry);
      if (correction !== undefined) corrections.push(correction);
      continue;
    }
    settled.set(entry.id, entry);
    if (sequence <= lastSequence) continue;
    books.replay(entry, sequence);
    replayed += 1;
  }
  const orphans: HoldRecord[] = [];
  for (const hold of holds.values()) {
    const { attemptId } = hold.facts;
    // The ledger is on the disk when it says so; a power cut may have taken the journal's newer part, this attempt's end with it.
    if (!settled.has(attemptId) && !(await inLedger(attemptId))) orphans.push(hold);
  }
  for (const hold of orphans) {
    // Kept in the journal until it is charged there, even if the disk takes nothing now.
    const open = { record: JSON.stringify(hold), place: -1 };
    journal.opened(open);
    books.charge(crashedEntry(hold), open);
  }
  for (const correction of corrections) {
    if (!settled.has(correction.id) && !(await inLedger(correction.id))) books.charge(correction);
  }
  journal.flush();
  return { replayed, crashed: orphans.length };
}
