import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";

export const CACHE_VERSION = 1;
/** "TLGC": tells a cache from any other SQLite file. */
const APPLICATION_ID = 0x544c4743;
const PATIENCE_MS = 2_000;

// Sums are kept by triggers, so that they hold whichever program writes.
const TABLES = `
CREATE TABLE answers (
  key TEXT PRIMARY KEY NOT NULL, used_at INTEGER NOT NULL, bytes INTEGER NOT NULL, stored_at INTEGER NOT NULL, expires_at INTEGER,
  cost TEXT NOT NULL, price_version TEXT, model TEXT, response_id TEXT, raw_usage TEXT, checksum INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX answers_by_use ON answers (used_at);
CREATE INDEX answers_by_end ON answers (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE totals (one INTEGER PRIMARY KEY CHECK (one = 1), entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES (1, 0, 0);
CREATE TRIGGER answer_kept AFTER INSERT ON answers BEGIN UPDATE totals SET entries = entries + 1, bytes = bytes + new.bytes; END;
CREATE TRIGGER answer_forgotten AFTER DELETE ON answers BEGIN UPDATE totals SET entries = entries - 1, bytes = bytes - old.bytes; END;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${CACHE_VERSION};
`;

/** Opens a cache's file, or makes it. @throws TollgateError `cache_unreadable`, `cache_newer`, `file_unwritable` */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  makeForThisUser(path);
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path);
      prepare(database, path);
      return database;
    } catch (error) {
      database?.close();
      if (!isBusy(error) || performance.now() > untilMs) throw error instanceof TollgateError ? error : (unreadable(path, error) ?? unwritable(path, error));
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 10));
  }
}

function prepare(database: DatabaseSync, path: string): void {
  const count = database.prepare("SELECT count(*) AS count FROM sqlite_schema");
  const isEmpty = (): boolean => (count.get() as { count: number }).count === 0;
  // A file that is not empty must be recognised before anything about it is changed.
  if (!isEmpty()) check(database, path);
  // What a power cut takes was only a copy; the log keeps the file whole.
  database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 4194304; BEGIN IMMEDIATE");
  if (isEmpty()) database.exec(TABLES);
  database.exec("COMMIT");
  // Another program may have made something else of it in between.
  check(database, path);
}

function check(database: DatabaseSync, path: string): void {
  const { application_id: mark } = database.prepare("PRAGMA application_id").get() as { application_id: number };
  if (mark !== APPLICATION_ID) throw new TollgateError("cache_unreadable", `${path} is no cache of Tollgate. Name another file.`);
  const { user_version: version } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version > CACHE_VERSION) throw new TollgateError("cache_newer", `${path} has version ${version}, and this Tollgate knows ${CACHE_VERSION}. Use the newer Tollgate, or name another file.`);
}

/** Answers may be private: nobody else may read them. A file that is there keeps its rights. */
function makeForThisUser(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unwritable(path, error);
  }
}

/** SQLITE_BUSY and SQLITE_LOCKED, without their extended part. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === 5 || code === 6;
}

/** An error that says that the file is damaged, or no database at all: SQLITE_CORRUPT, SQLITE_NOTADB, or tables that are not there. */
export function unreadable(path: string, error: unknown): TollgateError | undefined {
  const code = codeOf(error);
  if (code !== 1 && code !== 11 && code !== 26) return undefined;
  return new TollgateError("cache_unreadable", `${path} cannot be read as a cache (${(error as Error).message}). Delete it: it holds only copies. Or name another file.`, { cause: error });
}

function codeOf(error: unknown): number | undefined {
  const code = (error as { errcode?: number } | undefined)?.errcode;
  return code === undefined ? undefined : code & 0xff;
}

function unwritable(path: string, error: unknown): TollgateError {
  return new TollgateError("file_unwritable", `${path} cannot be used as a cache (${error instanceof Error ? error.message : String(error)}). Give this user the right to write there, free space on its disk, or name another file.`, { cause: error });
}
