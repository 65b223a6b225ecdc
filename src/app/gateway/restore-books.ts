import { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import { FileJournal, readJournal, type FileJournalOptions } from "../../adapters/journal/journal.ts";
import type { SteadyClock } from "../../base/clock.ts";
import { TollgateError } from "../../base/errors.ts";
import type { JournalRecord } from "../../domain/ledger/entry.ts";
import type { Balance } from "../../domain/ledger/ports.ts";
import { HandOver, type HandOverStore } from "./hand-over.ts";
import { recover, type SequencedRecord } from "./recover.ts";

const DAY_MS = 86_400_000;

export interface RestoreOptions {
  /** The journal's folder. */
  readonly folder: string;
  readonly clock: SteadyClock;
  readonly store: HandOverStore;
  /** What the ledger holds. */
  readonly state: { readonly lastSequence: number; readonly newestAt: number; readonly balances: readonly Balance[] };
  readonly onHealth: FileJournalOptions["onHealth"];
  readonly openJournal?: (options: FileJournalOptions) => FileJournal;
}

export interface RestoredBooks {
  readonly journal: FileJournal;
  readonly hand: HandOver;
  readonly books: MemoryBooks;
  readonly recovered: { readonly replayed: number; readonly crashed: number };
}

/**
 * Brings the books to where ledger and journal end. A crash at any instant of it leaves both as they were, or with
 * charges that the next attempt finds done.
 * @throws TollgateError `clock_behind`, `journal_corrupt`
 */
export async function restoreBooks({ folder, clock, store, state, onHealth, openJournal = (options) => new FileJournal(options) }: RestoreOptions): Promise<RestoredBooks> {
  const contents = readJournal(folder);
  const records = contents.lines.map(({ sequence, record }): SequencedRecord => ({ sequence, record: JSON.parse(record) as JournalRecord }));
  // The journal may be newer than the ledger, and a window may have begun in which nothing was charged yet: a clock that
  // was set back over the restart must not lead into a window before those, of which the counters know nothing.
  const inJournal = records.reduce((newest, { record }) => Math.max(newest, record.type === "hold" ? record.facts.at : record.entry.at), state.newestAt);
  const newestAt = state.balances.reduce((newest, { start }) => Math.max(newest, start), inJournal);
  checkClock(clock.now(), newestAt);
  clock.atLeast(newestAt);
  const journal = openJournal({ folder, nextSequence: Math.max(contents.nextSequence, state.lastSequence + 1), finished: contents.segments, onHealth });
  const hand = new HandOver(store, journal);
  const books = new MemoryBooks({ clock, journal, stored: state.balances, history: hand.history, onEntry: hand.entry });
  hand.changes = () => books.takeChanges();
  const recovered = await recover({ records, lastSequence: state.lastSequence, journal, books, inLedger: (entryId) => store.history.has(entryId) });
  hand.flush();
  return { journal, hand, books, recovered };
}

function checkClock(now: number, newestAt: number): void {
  if (newestAt <= now + DAY_MS) return;
  throw new TollgateError("clock_behind", `The system clock says ${new Date(now).toISOString()}, but the ledger has an entry of ${new Date(newestAt).toISOString()}. Set the clock.`);
}
