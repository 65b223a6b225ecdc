import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBooks } from "../../src/adapters/books/memory/memory-books.ts";
import { auditLedger } from "../../src/adapters/stores/sqlite/audit.ts";
import { LedgerReader } from "../../src/adapters/stores/sqlite/ledger-reader.ts";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import type { Journal } from "../../src/domain/ledger/ports.ts";
import { booksConformance, TestClock } from "./conformance.ts";

/** As durable as it will ever be at once. */
class ImmediateJournal implements Journal {
  private sequence = 0;
  append(_record: string, then: (error: Error | undefined, sequence: number) => void): void {
    then(undefined, ++this.sequence);
  }
  opened(): void {}
  closed(): void {}
}

// Counters in memory, and a real ledger behind them that is written whenever somebody reads it.
booksConformance("MemoryBooks", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-memory-"));
  const database = openForWriting(join(folder, "ledger.db"));
  const writer = new LedgerWriter(database);
  const reader = new LedgerReader(database);
  const clock = new TestClock();
  let entries: Entry[] = [];
  let lastSequence = 0;
  const flush = (): void => {
    const { balances, forgotten } = books.takeChanges();
    writer.write([{ entries, balances, forgotten, lastSequence }]);
    entries = [];
  };
  const books: MemoryBooks = new MemoryBooks({
    clock, journal: new ImmediateJournal(), stored: [],
    history: {
      spent: async (query) => {
        flush();
        return reader.history(query);
      },
      has: async (entryId) => {
        flush();
        return reader.has(entryId);
      },
    },
    onEntry: (entry, sequence) => {
      entries.push(entry);
      lastSequence = sequence;
    },
  });
  return {
    books, clock,
    entries: async () => {
      flush();
      return reader.entries({ limit: 10_000, ascending: true });
    },
    audit: async () => {
      flush();
      return auditLedger(database, books.allBalances()).firstDifference;
    },
    end: async () => {
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
