import type { DatabaseSync } from "node:sqlite";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { ARRIVALS_TABLE } from "./arrivals.ts";
import { CLOSED_DAYS_TABLE } from "./closed-days.ts";
import { entryOfRow, SELECT_ENTRY } from "./entry-columns.ts";
import { COUNTER_COLUMNS } from "./rollup-columns.ts";
import { RollupSums } from "./rollup-sums.ts";

/**
 * Everything that is derived from entries and could be made of them again. Quarters stand by scope, since a new budget sums those
 * of one scope (GATE 6.3); days stand by kind and time, since a report reads a kind's whole period.
 */
export const ROLLUP_TABLES = `
CREATE TABLE rollups (
  scope TEXT NOT NULL, quarter INTEGER NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, ${COUNTER_COLUMNS},
  PRIMARY KEY (scope, quarter, model, provider)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollup_days (
  kind TEXT NOT NULL, day INTEGER NOT NULL, scope TEXT NOT NULL, ${COUNTER_COLUMNS},
  PRIMARY KEY (kind, day, scope)
) STRICT, WITHOUT ROWID;
${CLOSED_DAYS_TABLE}
${ARRIVALS_TABLE}`;

const ROWS_AT_ONCE = 10_000;

/** What leads from each version of the schema to the next; run inside a transaction. */
const MIGRATIONS: readonly ((database: DatabaseSync) => void)[] = [
  // 1: roll-ups also by label and by day, the order of arrival, and the counter of an adjustment.
  (database) => {
    database.exec("ALTER TABLE entries ADD COLUMN counter TEXT; CREATE INDEX adjustments ON entries (counter, id) WHERE counter IS NOT NULL");
    database.exec(`DROP TABLE rollups; ${ROLLUP_TABLES}`);
    rollUpAgain(database);
  },
];

/** Brings a ledger of an earlier version up to this one, step by step, each of them whole or not at all. */
export function migrate(database: DatabaseSync, newest: number): void {
  const version = (): number => (database.prepare("SELECT schema_version AS version FROM meta").get() as { version: number }).version;
  while (version() < newest) {
    database.exec("BEGIN IMMEDIATE");
    try {
      // Another program may have done it while this one waited.
      const from = version();
      if (from < newest) {
        MIGRATIONS[from - 1]?.(database);
        database.prepare("UPDATE meta SET schema_version = ?").run(from + 1);
      }
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** Makes the roll-ups of all entries, which must not be in them yet. */
function rollUpAgain(database: DatabaseSync): void {
  const sums = new RollupSums(database);
  const page = database.prepare(`${SELECT_ENTRY} WHERE id > ? ORDER BY id LIMIT ${ROWS_AT_ONCE}`);
  for (let last: string | undefined = ""; last !== undefined; ) {
    const entries: readonly Entry[] = page.all(last).map(entryOfRow);
    for (const entry of entries) sums.add(entry);
    sums.flush();
    last = entries.at(-1)?.id;
  }
  // These entries are old news.
  database.exec("DELETE FROM arrivals");
}
