import type { CostSums } from "../../../domain/analytics/sums.ts";

/** Roll-ups are kept by quarters of an hour: every zone's days and hours begin at one. */
export const QUARTER_MS = 900_000;
export const QUARTERS_PER_DAY = 96;

/** What every roll-up counts, in the order of its columns. `hits` and `saved` came with schema 2. */
export const COUNTERS = ["requests", "failed", "estimated", "unpriced", "cost", "input_tokens", "output_tokens", "cached_tokens", "hits", "saved"] as const;

type Counter = (typeof COUNTERS)[number];
type Amount = "cost" | "saved";

export function isAmount(column: Counter): column is Amount {
  return column === "cost" || column === "saved";
}

export const COUNTER_COLUMNS = COUNTERS.map((column) => `${column} INTEGER NOT NULL`).join(", ");

/** Sums of all counters. Amounts are read as text: a JavaScript number would lose what is beyond 2^53. */
export const SUM_COUNTERS = COUNTERS.map((column) => (isAmount(column) ? `CAST(coalesce(sum(${column}), 0) AS TEXT) AS ${column}` : `coalesce(sum(${column}), 0) AS ${column}`)).join(", ");

export type RollupRow = { readonly [C in Counter]: C extends Amount ? string : number };

/** The sums of a row of `SUM_COUNTERS`. */
export function sumsOfRow(row: object): CostSums {
  const found = row as RollupRow;
  return {
    requests: found.requests, failed: found.failed, estimated: found.estimated, unpriced: found.unpriced, costNanoUsd: BigInt(found.cost),
    inputTokens: found.input_tokens, outputTokens: found.output_tokens, cachedTokens: found.cached_tokens,
    hits: found.hits, savedNanoUsd: BigInt(found.saved),
  };
}

/**
 * Each scope in a range of the roll-ups once, by stepping from one to the next: what a period's open days hold of a kind is
 * found without reading its past. Parameters: the least scope, and the one that is beyond the last.
 */
export const SCOPES_BETWEEN = `WITH RECURSIVE bounds(least, past) AS (VALUES (?, ?)), found(scope, past) AS (
  SELECT (SELECT min(scope) FROM rollups WHERE scope >= least AND scope < past), past FROM bounds
  UNION ALL SELECT (SELECT min(scope) FROM rollups WHERE scope > found.scope AND scope < past), past FROM found WHERE found.scope IS NOT NULL
)`;
