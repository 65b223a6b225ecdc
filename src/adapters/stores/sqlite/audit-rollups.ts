import type { DatabaseSync } from "node:sqlite";
import { formatNanoUsd } from "../../../base/money.ts";
import { ALL_SCOPE, rollupScopes, type EntryLabels } from "../../../domain/analytics/dimension.ts";
import { isFailure } from "../../../domain/analytics/sums.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { COUNTERS, isAmount } from "./rollup-columns.ts";

type Count = bigint;
/** In the order of `COUNTERS`. */
type Counts = Count[];

/** An entry as an audit reads it: whole numbers as `bigint`. */
export interface RecountedRow extends Pick<EntryLabels, "scopes" | "customer" | "tags" | "provider" | "model"> {
  readonly kind: string;
  readonly status: Entry["status"];
  readonly estimated: string | null;
  readonly unpriced: bigint;
  readonly cost: bigint;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly cachedTokens: bigint;
  readonly saved: bigint | null;
}

export const RECOUNTED = "provider, customer, tags, status, estimated, unpriced, input_tokens AS inputTokens, output_tokens AS outputTokens, cached_tokens AS cachedTokens, saved";

const SUMS = COUNTERS.map((column) => `sum(${column})`).join(", ");
const NAMES = COUNTERS.join(", ");
const CLOSED = "quarter < 96 * (SELECT open_day FROM closed_days)";
/** What the daily roll-ups must be, from those by the quarter of an hour. */
const DAYS_EXPECTED = `SELECT scope, quarter / 96 AS day, ${SUMS} FROM rollups WHERE ${CLOSED} GROUP BY 1, 2
  UNION ALL SELECT '~model:' || model, quarter / 96, ${SUMS} FROM rollups WHERE scope = 'global' AND ${CLOSED} GROUP BY 1, 2
  UNION ALL SELECT '~provider:' || provider, quarter / 96, ${SUMS} FROM rollups WHERE scope = 'global' AND ${CLOSED} GROUP BY 1, 2`;
const DAYS_FOUND = `SELECT scope, day, ${NAMES} FROM rollup_days`;

/** Every roll-up counted again from the entries: charged scopes and labels, amounts and numbers (GATE 8.3). */
export class RollupRecount {
  private readonly byScope = new Map<string, Counts>();

  count(row: RecountedRow): void {
    if (row.kind === "adjustment") return;
    const charge = row.kind === "charge";
    const counts = [
      charge ? 1n : 0n, charge && isFailure(row.status) ? 1n : 0n, row.estimated === null ? 0n : 1n, row.unpriced, row.cost,
      row.inputTokens, row.outputTokens, row.cachedTokens, charge && row.saved !== null ? 1n : 0n, row.saved ?? 0n,
    ];
    for (const scope of rollupScopes(row)) this.add(scope, counts);
    this.add(ALL_SCOPE, counts);
  }

  /** A sentence about the first roll-up that differs, or `null`. */
  difference(database: DatabaseSync): string | null {
    const statement = database.prepare(`SELECT scope, ${COUNTERS.map((column) => `sum(${column}) AS ${column}`).join(", ")} FROM rollups GROUP BY scope`);
    statement.setReadBigInts(true);
    const found = new Map(statement.all().map((row) => [String(row["scope"]), COUNTERS.map((column) => row[column] as bigint)]));
    for (const scope of new Set([...this.byScope.keys(), ...found.keys()])) {
      const difference = differenceOf(`The roll-ups of ${scope}`, found.get(scope), this.byScope.get(scope));
      if (difference !== null) return difference;
    }
    return daysDifference(database);
  }

  private add(scope: string, counts: Counts): void {
    const sums = this.byScope.get(scope);
    if (sums === undefined) this.byScope.set(scope, [...counts]);
    else for (let i = 0; i < counts.length; i += 1) sums[i] = (sums[i] ?? 0n) + (counts[i] ?? 0n);
  }
}

function differenceOf(what: string, found: Counts | undefined, counted: Counts | undefined): string | null {
  for (const [i, column] of COUNTERS.entries()) {
    const [a, b] = [found?.[i] ?? 0n, counted?.[i] ?? 0n];
    if (a === b) continue;
    if (!isAmount(column)) return `${what} say ${a} ${column.replace("_", " ")}, the entries say ${b}.`;
    return `${what} ${column === "saved" ? "says that the cache saved" : "says"} $${formatNanoUsd(a)}, the entries say $${formatNanoUsd(b)}: a difference of $${formatNanoUsd(a - b)}.`;
  }
  return null;
}

function daysDifference(database: DatabaseSync): string | null {
  const row = database.prepare(`SELECT scope, day FROM (SELECT * FROM (${DAYS_EXPECTED}) EXCEPT ${DAYS_FOUND}) UNION ALL SELECT scope, day FROM (SELECT * FROM (${DAYS_FOUND}) EXCEPT SELECT * FROM (${DAYS_EXPECTED})) LIMIT 1`).get();
  if (row === undefined) return null;
  const day = new Date(Number(row["day"]) * 86_400_000).toISOString().slice(0, 10);
  return `The daily roll-up of ${String(row["scope"])} on ${day} (UTC) differs from the sum of its quarters of an hour.`;
}
