import { ARRIVALS_TABLE } from "./arrivals.ts";
import { CLOSED_DAYS_TABLE } from "./closed-days.ts";
import { COUNTER_COLUMNS } from "./rollup-columns.ts";

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
