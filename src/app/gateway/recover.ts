import type { FileJournal, JournalContents } from "../../adapters/journal/journal.ts";
import type { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import { crashedEntry, type HoldRecord, type JournalRecord } from "../../domain/ledger/entry.ts";
import type { Limit } from "../../domain/limits/limit.ts";

/**
 * Brings the books to where the journal ends: settlements that the ledger has not seen are counted, and holds that
 * nothing ever settled are charged in full (GATE 5.6).
 */
export function recover(contents: JournalContents, lastSequence: number, journal: FileJournal, books: MemoryBooks, limitsOf: (scope: string) => readonly Limit[]): { replayed: number; crashed: number } {
  const open = new Map<string, HoldRecord>();
  const settled = new Set<string>();
  let replayed = 0;
  for (const { sequence, record } of contents.lines) {
    const parsed = JSON.parse(record) as JournalRecord;
    if (parsed.type === "hold") {
      open.set(parsed.facts.attemptId, parsed);
      continue;
    }
    settled.add(parsed.entry.id);
    if (sequence <= lastSequence) continue;
    books.replay(parsed.entry, sequence, limitsOf);
    replayed += 1;
  }
  let crashed = 0;
  for (const [attemptId, hold] of open) {
    if (settled.has(attemptId)) continue;
    const entry = crashedEntry(hold);
    crashed += 1;
    journal.append(JSON.stringify({ type: "settle", entry }), (error, sequence) => {
      if (error === undefined) books.replay(entry, sequence, limitsOf);
    }, true);
  }
  journal.flush();
  return { replayed, crashed };
}
