import type { DatabaseSync, StatementSync } from "node:sqlite";

/** Transactions whose entries are remembered by name: a follower that is further behind reads by time. */
const REMEMBERED = 1_024;

export const ARRIVALS_TABLE = "CREATE TABLE arrivals (number INTEGER PRIMARY KEY, ids TEXT NOT NULL) STRICT;";

/**
 * The order in which entries were written. Their ids follow the time of admission, and a long request ends late, so an
 * id alone does not say whether a follower has seen an entry.
 */
export class Arrivals {
  private readonly insert: StatementSync;
  private readonly forget: StatementSync;
  private ids: string[] = [];

  constructor(database: DatabaseSync) {
    this.insert = database.prepare("INSERT INTO arrivals (ids) VALUES (?)");
    this.forget = database.prepare("DELETE FROM arrivals WHERE number <= ?");
  }

  add(entryId: string): void {
    this.ids.push(entryId);
  }

  flush(): void {
    if (this.ids.length === 0) return;
    const { lastInsertRowid } = this.insert.run(this.ids.join(","));
    this.forget.run(Number(lastInsertRowid) - REMEMBERED);
    this.ids = [];
  }

  clear(): void {
    this.ids = [];
  }
}
