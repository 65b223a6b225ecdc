import type { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import type { JournalContents } from "../../adapters/journal/journal.ts";
import { correctionOf, crashedEntry, type Entry, type HoldRecord, type JournalRecord } from "../../domain/ledger/entry.ts";
import type { Journal } from "../../domain/ledger/ports.ts";

/**
 * Brings the books to where the journal ends: settlements that the ledger has not seen are counted, each once, and
 * holds that nothing ever settled are charged in full (GATE 5.6).
 */
export function recover(contents: JournalContents, lastSequence: number, journal: Journal & { flush(): void }, books: MemoryBooks): { replayed: number; crashed: number } {
  const holds = new Map<string, HoldRecord>();
  const settled = new Map<string, Entry>();
  const corrections: Entry[] = [];
  let replayed = 0;
  for (const { sequence, record } of contents.lines) {
    const parsed = JSON.parse(record) as JournalRecord;
    if (parsed.type === "hold") {
      holds.set(parsed.facts.attemptId, parsed);
      continue;
    }
    const { entry } = parsed;
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
  const orphans = [...holds.values()].filter((hold) => !settled.has(hold.facts.attemptId));
  for (const hold of orphans) {
    // Kept in the journal until it is charged there, even if the disk takes nothing now.
    const open = { record: JSON.stringify(hold), place: -1 };
    journal.opened(open);
    books.charge(crashedEntry(hold), open);
  }
  for (const correction of corrections) if (!settled.has(correction.id)) books.charge(correction);
  journal.flush();
  return { replayed, crashed: orphans.length };
}
