import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import { shareDataFolder } from "../../stores/sqlite/lock.ts";
import { patiently } from "../../stores/sqlite/patiently.ts";
import { openForSharing } from "../../stores/sqlite/schema.ts";
import { adoptBalances } from "./adopt.ts";
import { Attempts } from "./attempts.ts";
import { LedgerFile } from "./ledger-file.ts";
import { Owners } from "./owners.ts";
import { PowerCutGuard } from "./power-cut.ts";
import { SqliteBooks, type BooksClock } from "./sqlite-books.ts";
import { holders, sweepDead } from "./sweep.ts";

const DAY_MS = 86_400_000;

export interface SqliteBooksOptions {
  /** The ledger's file; made if there is none. Its folder also gets `lock` and `owners/`. */
  readonly path: string;
  /** Wall time that never steps back; `SteadyClock` is also told the newest entry's time. */
  readonly clock: BooksClock;
  /** Told what failed beside a call: so far only that the log could not be synced. */
  onProblem?(error: Error): void;
}

export interface SharedBooks {
  readonly books: SqliteBooks;
  /** Resolves once everything so far is committed and would outlast a power cut. @throws TollgateError `journal_unavailable` */
  flush(): Promise<void>;
  /** Flushes and lets go of the file. What is still open then is charged its hold by the next program. */
  close(): Promise<void>;
}

/**
 * Opens a ledger that several programs write at the same time, and charges what dead ones of them held.
 *
 * @throws TollgateError `data_folder_in_use` (a gateway has it), `data_folder_unwritable`, `ledger_unreadable`, `ledger_newer`, `clock_behind`
 * @example
 * const clock = new SteadyClock({ now: Date.now, monotonic: () => performance.now() }, () => {});
 * const { books, close } = await openSqliteBooks({ path: "data/ledger.db", clock });
 */
export async function openSqliteBooks({ path, clock, onProblem = () => {} }: SqliteBooksOptions): Promise<SharedBooks> {
  const folder = dirname(path);
  const lock = shareDataFolder(folder);
  const owners = new Owners(join(folder, "owners"), randomUUID());
  let database: DatabaseSync | undefined;
  try {
    const opened = await patiently(() => openForSharing(path));
    database = opened;
    const ledger = new LedgerFile(opened);
    await patiently(() => inTransaction(ledger, () => enter(ledger, owners, clock)));
    const guard = new PowerCutGuard(path, onProblem);
    const books = new SqliteBooks({ clock, ledger, owners, committed: () => guard.committed() });
    return withEnd(books, ledger, owners, guard, lock);
  } catch (error) {
    owners.drop();
    database?.close();
    lock.release();
    throw error;
  }
}

function enter(ledger: LedgerFile, owners: Owners, clock: BooksClock): void {
  const now = clock.now();
  if (ledger.newestAt > now + DAY_MS) {
    throw new TollgateError("clock_behind", `The system clock says ${new Date(now).toISOString()}, but the ledger has an entry of ${new Date(ledger.newestAt).toISOString()}. Set the clock.`);
  }
  clock.atLeast?.(ledger.newestAt);
  owners.enter();
  adoptBalances(ledger);
  sweepDead(ledger, new Attempts(ledger), owners);
  owners.tidy(holders(ledger));
}

function withEnd(books: SqliteBooks, ledger: LedgerFile, owners: Owners, guard: PowerCutGuard, lock: { release(): void }): SharedBooks {
  let closing: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    await books.settled();
    guard.flush();
  };
  const end = async (): Promise<void> => {
    try {
      await flush();
      await patiently(() => inTransaction(ledger, () => owners.leave(holders(ledger).has(owners.id))));
    } finally {
      owners.drop();
      guard.close();
      ledger.database.close();
      lock.release();
    }
  };
  return { books, flush, close: () => (closing ??= end()) };
}

function inTransaction(ledger: LedgerFile, work: () => void): void {
  try {
    ledger.begin(true);
    work();
    ledger.commit();
  } catch (error) {
    ledger.rollback();
    throw error;
  }
}
