import type { DatabaseSync } from "node:sqlite";

/** All of the work or none of it, and nobody else writes meanwhile. @throws what the work threw, or SQLite's own error */
export function transaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk may have rolled back already.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
