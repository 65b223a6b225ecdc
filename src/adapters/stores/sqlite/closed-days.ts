import type { DatabaseSync, StatementSync } from "node:sqlite";
import { COUNTERS, QUARTERS_PER_DAY, SCOPES_BETWEEN } from "./rollup-columns.ts";

export const CLOSED_DAYS_TABLE = `CREATE TABLE closed_days (one INTEGER PRIMARY KEY CHECK (one = 1), open_day INTEGER NOT NULL) STRICT;
INSERT INTO closed_days VALUES (1, 0);`;

const sums = COUNTERS.map((column) => `sum(r.${column})`).join(", ");
/** As `kindOfScope` says it. */
const KIND = "CASE WHEN r.scope = '~untagged' THEN '~tag' WHEN instr(r.scope, ':') = 0 THEN r.scope ELSE substr(r.scope, 1, instr(r.scope, ':') - 1) END";
/** Greater than every scope: all of them begin with a letter or `~`. */
const BEYOND = "\u007f";

const INSERT = `INSERT INTO rollup_days (kind, day, scope, ${COUNTERS.join(", ")})`;

const SCOPES = `${INSERT} ${SCOPES_BETWEEN}
  SELECT ${KIND}, r.quarter / ${QUARTERS_PER_DAY}, r.scope, ${sums} FROM found CROSS JOIN rollups r
  WHERE r.scope = found.scope AND r.quarter >= ? AND r.quarter < ? GROUP BY r.scope, r.quarter / ${QUARTERS_PER_DAY}`;
const named = (kind: "model" | "provider"): string => `${INSERT}
  SELECT '~${kind}', r.quarter / ${QUARTERS_PER_DAY}, '~${kind}:' || r.${kind}, ${sums} FROM rollups r
  WHERE r.scope = 'global' AND r.quarter >= ? AND r.quarter < ? GROUP BY 2, 3`;

/**
 * Days (UTC) are rolled up once, when they are over: doing it entry by entry would cost a second row for each key in each
 * transaction. Days before `open_day` are complete in `rollup_days`; later ones are only in the quarters of an hour.
 */
export class ClosedDays {
  private readonly select: StatementSync;
  private readonly closeScopes: StatementSync;
  private readonly closeModels: StatementSync;
  private readonly closeProviders: StatementSync;
  private readonly update: StatementSync;

  constructor(database: DatabaseSync) {
    this.select = database.prepare("SELECT open_day AS day FROM closed_days");
    this.closeScopes = database.prepare(SCOPES);
    this.closeModels = database.prepare(named("model"));
    this.closeProviders = database.prepare(named("provider"));
    this.update = database.prepare("UPDATE closed_days SET open_day = ?");
  }

  /** The first day that is not closed. Programs share a ledger, so it is read in each transaction. */
  openDay(): number {
    return (this.select.get() as { day: number }).day;
  }

  /** Rolls up the days `[from, to)`. */
  close(from: number, to: number): void {
    const [first, end] = [from * QUARTERS_PER_DAY, to * QUARTERS_PER_DAY];
    this.closeScopes.run("", BEYOND, first, end);
    this.closeModels.run(first, end);
    this.closeProviders.run(first, end);
    this.update.run(to);
  }
}
