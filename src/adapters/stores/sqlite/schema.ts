import { DatabaseSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import { migrate, readAsThisSchema, schemaVersionOf, SCHEMA_VERSION } from "./migrate.ts";
import { ROLLUP_TABLES } from "./rollup-tables.ts";

/** "TLGT": tells a ledger from any other SQLite file. */
const APPLICATION_ID = 0x544c4754;

// Entries arrive in the order of their ids, so one clustered tree is appended to, and a period is a range of it.
const TABLES = `
CREATE TABLE entries (
  id TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, counter TEXT, request_id TEXT NOT NULL, attempt_id TEXT NOT NULL, at INTEGER NOT NULL,
  scopes TEXT NOT NULL, key_id TEXT, team_id TEXT, user_id TEXT, customer TEXT,
  model TEXT NOT NULL, provider TEXT NOT NULL, upstream_model TEXT NOT NULL, deployment TEXT NOT NULL, route TEXT NOT NULL,
  stream INTEGER NOT NULL, tags TEXT, metadata TEXT,
  held INTEGER NOT NULL, cost INTEGER NOT NULL, overage INTEGER NOT NULL,
  estimated TEXT, status TEXT NOT NULL, http_status INTEGER, lines TEXT, price_version TEXT, unpriced INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
  answered_model TEXT, response_id TEXT, raw_usage TEXT, duration_ms REAL NOT NULL, saved INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_key ON entries (key_id, id);
CREATE INDEX adjustments ON entries (counter, id) WHERE counter IS NOT NULL;
CREATE TABLE balances (
  counter TEXT PRIMARY KEY NOT NULL, scope TEXT NOT NULL, spent INTEGER NOT NULL, spec TEXT NOT NULL, start INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE deleted_balances (counter TEXT PRIMARY KEY NOT NULL, scope TEXT NOT NULL) STRICT, WITHOUT ROWID;
${ROLLUP_TABLES}
CREATE TABLE records (
  kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL, last_sequence INTEGER NOT NULL, newest_at INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, ${SCHEMA_VERSION}, 0, 0);
PRAGMA application_id = ${APPLICATION_ID};
`;

// What programs that share a ledger keep beside it; a gateway's ledger has none of it (adapters/books/sqlite).
const SHARED_TABLES = `
CREATE TABLE IF NOT EXISTS holds (
  attempt_id TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, at INTEGER NOT NULL, held INTEGER NOT NULL, reserved TEXT, facts TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (
  family TEXT PRIMARY KEY NOT NULL, scope TEXT NOT NULL, model TEXT, measure TEXT NOT NULL, spec TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_by_scope ON counters (scope);
CREATE TABLE IF NOT EXISTS tallies (
  counter TEXT NOT NULL, second INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (counter, second)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS programs (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, adopted INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO programs VALUES (1, 0, 0);
`;

/**
 * Opens the ledger for its one writer, and makes it if there is none.
 * @throws TollgateError `ledger_newer`, `ledger_unreadable`
 */
export function openForWriting(path: string): DatabaseSync {
  return opened(path, false, (database) => {
    const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get() as { count: number };
    // A file that is not empty must be recognised before anything about it is changed.
    if (tables.count > 0) checkLedger(database, path);
    // Entries are appended by the thousand: larger pages cost the writer a sixth less (programs that share a file write a few at a time, and keep SQLite's own).
    database.exec("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16000");
    database.exec("BEGIN IMMEDIATE");
    if (tables.count === 0) database.exec(TABLES);
    else migrate(database);
    database.exec("COMMIT");
  });
}

/**
 * Opens the ledger as one of several programs that write it, and makes it if there is none. Nothing on this connection
 * waits for a lock; the caller makes commits outlast a power cut.
 * @throws TollgateError `ledger_newer`, `ledger_unreadable`, `ledger_unwritable`; SQLite's own error if the file is busy: try again
 */
export function openForSharing(path: string): DatabaseSync {
  try {
    return opened(path, false, (database) => {
      const count = database.prepare("SELECT count(*) AS count FROM sqlite_schema");
      const isEmpty = (): boolean => (count.get() as { count: number }).count === 0;
      if (!isEmpty()) checkLedger(database, path);
      database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000; BEGIN IMMEDIATE");
      // Another program may have made the tables in between.
      if (isEmpty()) database.exec(TABLES);
      else migrate(database);
      database.exec(`${SHARED_TABLES} COMMIT`);
      });
  } catch (error) {
    throw isBusy((error as Error).cause) ? (error as Error).cause : error;
  }
}

const DISK_TROUBLE: ReadonlySet<number> = new Set([8, 10, 13]);

/** SQLITE_BUSY and SQLITE_LOCKED, without their extended part. */
export function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: number } | undefined)?.errcode;
  return code !== undefined && ((code & 0xff) === 5 || (code & 0xff) === 6);
}

/** SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL: the file is well, the disk does not take more. */
export function isDiskTrouble(error: unknown): boolean {
  const code = (error as { errcode?: number } | undefined)?.errcode;
  return code !== undefined && DISK_TROUBLE.has(code & 0xff);
}

/** Opens the ledger to read beside its writer. @throws TollgateError `ledger_newer`, `ledger_unreadable` */
export function openForReading(path: string): DatabaseSync {
  return opened(path, true, (database) => {
    database.exec("PRAGMA busy_timeout = 5000");
    checkLedger(database, path);
    readAsThisSchema(database);
  });
}

function opened(path: string, readOnly: boolean, prepare: (database: DatabaseSync) => void): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly });
    prepare(database);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof TollgateError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    if (!readOnly && isDiskTrouble(error)) {
      throw new TollgateError("ledger_unwritable", `${path} cannot be written (${reason}): the disk may be full, or the file or its folder closed to this user. Make room, give this user the right to write there, or name another data folder.`, { cause: error });
    }
    throw new TollgateError("ledger_unreadable", `${path} cannot be read as a ledger (${reason}). Restore it from a copy, or name another data folder.`, { cause: error });
  }
}

function checkLedger(database: DatabaseSync, path: string): void {
  const mark = database.prepare("PRAGMA application_id").get() as { application_id: number };
  if (mark.application_id !== APPLICATION_ID) {
    throw new TollgateError("ledger_unreadable", `${path} is no ledger of Tollgate. Name another data folder.`);
  }
  const version = schemaVersionOf(database);
  if (version === undefined) throw new TollgateError("ledger_unreadable", `${path} has lost its version. Restore it from a copy.`);
  if (version > SCHEMA_VERSION) {
    throw new TollgateError("ledger_newer", `${path} has schema ${version}, and this version knows ${SCHEMA_VERSION}. Start the newer version of Tollgate.`);
  }
}
