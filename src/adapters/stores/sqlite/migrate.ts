import type { DatabaseSync } from "node:sqlite";

/** What each schema added to the one before, from schema 2 on. Columns that old rows do not have cost nothing to add. */
const STEPS: readonly string[] = [
  `ALTER TABLE entries ADD COLUMN saved INTEGER;
  ALTER TABLE rollups ADD COLUMN hits INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE rollups ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE rollup_days ADD COLUMN hits INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE rollup_days ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;`,
];

export const SCHEMA_VERSION = STEPS.length + 1;

/** The schema of a ledger, which is one. */
export function schemaVersionOf(database: DatabaseSync): number | undefined {
  return (database.prepare("SELECT schema_version AS version FROM meta").get() as { version: number } | undefined)?.version;
}

/** Brings an older ledger to this schema, inside the caller's transaction; it looks again, since another program may have been first. */
export function migrate(database: DatabaseSync): void {
  const version = schemaVersionOf(database) ?? SCHEMA_VERSION;
  if (version >= SCHEMA_VERSION) return;
  for (const step of STEPS.slice(version - 1)) database.exec(step);
  database.prepare("UPDATE meta SET schema_version = ?").run(SCHEMA_VERSION);
}

// A view repeats a column's name if its table has it by now: the table's own comes first and is the one that is found.
const OLDER_VIEWS = `PRAGMA temp_store = MEMORY;
CREATE TEMP VIEW entries AS SELECT *, NULL AS saved FROM main.entries;
CREATE TEMP VIEW rollups AS SELECT *, 0 AS hits, 0 AS saved FROM main.rollups;
CREATE TEMP VIEW rollup_days AS SELECT *, 0 AS hits, 0 AS saved FROM main.rollup_days;`;

/** Lets a connection that must not write read an older ledger as if it had this schema, also after its writer has brought it there. */
export function readAsThisSchema(database: DatabaseSync): void {
  if ((schemaVersionOf(database) ?? SCHEMA_VERSION) < SCHEMA_VERSION) database.exec(OLDER_VIEWS);
}
