import { join } from "node:path";
import type { Logger } from "pino";
import type { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import { takeOverFromPrograms } from "../../adapters/books/sqlite/take-over.ts";
import { openSqliteStore } from "../../adapters/stores/sqlite/store.ts";
import { SteadyClock, type Clock } from "../../base/clock.ts";
import type { LedgerStore } from "../../domain/ledger/store.ts";
import type { Directory } from "../../engine/manage/directory.ts";
import type { Closers } from "./closers.ts";
import { restoreBooks } from "./restore-books.ts";

export interface OpenBooks {
  readonly clock: SteadyClock;
  readonly store: LedgerStore;
  readonly books: MemoryBooks;
  readonly recovered: { readonly replayed: number; readonly crashed: number };
  /** Hands settled entries to the ledger now. */
  flush(): void;
  /** False while the journal cannot be written (GATE 8.4), or the ledger has no thread that writes. */
  healthy(): boolean;
}

/**
 * Opens ledger and journal, fills the directory, and brings the books to where the journal ends.
 * @throws TollgateError `ledger_newer`, `ledger_unreadable`, `ledger_unwritable`, `clock_behind`, `journal_corrupt`
 */
export async function openBooks(options: { readonly folder: string; readonly directory: Directory; readonly log: Logger; readonly closers: Closers; readonly time: Clock }): Promise<OpenBooks> {
  const { folder, directory, log, closers, time } = options;
  const clock = new SteadyClock(time, (byMs) => log.warn({ byMs }, "the system clock stepped back; wall time is held"));
  const ledger = join(folder, "ledger.db");
  const left = takeOverFromPrograms(ledger);
  if (left > 0) log.warn({ attempts: left }, "attempts of programs that ended were charged at their holds");
  let ledgerHealthy = true;
  const store = await openSqliteStore({
    path: ledger,
    onProblem: (error) => log.error({ err: error }, "the ledger could not be written; it is retried"),
    onHealth: (now) => {
      ledgerHealthy = now;
      if (now) log.info("the ledger has a writer again, and lost nothing");
    },
  });
  closers.add(() => store.close());
  const state = await store.load();
  let journalHealthy = true;
  const { journal, hand, books, recovered } = await restoreBooks({
    folder: join(folder, "journal"), clock, store, state,
    onHealth: (now, error) => {
      journalHealthy = now;
      if (now) log.info("the journal can be written again");
      else log.error({ err: error }, "the journal cannot be written");
    },
  });
  closers.add(() => {
    journal.close();
    hand.flush();
  });
  directory.load(state.records);
  if (recovered.crashed > 0) log.warn(recovered, "attempts of a crashed gateway were charged at their holds");
  return { clock, store, books, recovered, flush: hand.flush, healthy: () => journalHealthy && ledgerHealthy };
}
