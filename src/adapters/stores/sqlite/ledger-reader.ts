import type { DatabaseSync } from "node:sqlite";
import { ulidTime } from "../../../base/ids.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import type { History, HistoryQuery } from "../../../domain/ledger/ports.ts";
import type { EntryFilter, LedgerStore, StoredRecord } from "../../../domain/ledger/store.ts";
import { entryOfRow, SELECT_ENTRY } from "./entry-columns.ts";
import { QUARTER_MS } from "./rollup-columns.ts";

type Totals = Awaited<ReturnType<LedgerStore["totals"]>>;
type TotalsQuery = Parameters<LedgerStore["totals"]>[0];
type ScopeTotals = Awaited<ReturnType<LedgerStore["totalsByScope"]>>;

/** The last instant that an id can hold. */
export const LAST_MS = 2 ** 48 - 1;

const GROUPS = { model: "model", provider: "provider", day: "date(quarter * 900, 'unixepoch')", none: "''" } as const;

// Whole quarters come from roll-ups; what the period cuts off at either end is counted entry by entry (GATE 6.3).
const ENTRY_ROWS = `SELECT at / ${QUARTER_MS} AS quarter, model, provider, kind = 'charge' AS requests, cost, input_tokens, output_tokens
  FROM entries WHERE id >= ? AND id < ? AND kind <> 'adjustment' AND instr(',' || scopes || ',', ',' || ? || ',') > 0`;
const ROWS = `SELECT quarter, model, provider, requests, cost, input_tokens, output_tokens FROM rollups WHERE scope = ? AND quarter >= ? AND quarter < ?
  UNION ALL ${ENTRY_ROWS} UNION ALL ${ENTRY_ROWS}`;

/** The queries of a connection that only reads. */
export class LedgerReader {
  readonly database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  entries(filter: EntryFilter): readonly Entry[] {
    const conditions: string[] = [];
    const values: string[] = [];
    const where = (condition: string, value: string | undefined): void => {
      if (value === undefined) return;
      conditions.push(condition);
      values.push(value);
    };
    // A request's attempts are neighbours: their ids begin with its own.
    where("id >= ?", filter.requestId);
    where("id < ?", filter.requestId === undefined ? undefined : `${filter.requestId}/`);
    where("response_id = ?", filter.responseId);
    where("key_id = ?", filter.keyId);
    where("user_id = ?", filter.userId);
    where("team_id = ?", filter.teamId);
    where("customer = ?", filter.customer);
    where("id >= ?", filter.from === undefined ? undefined : lowestId(filter.from));
    where("id < ?", filter.to === undefined ? undefined : lowestId(filter.to));
    where("id < ?", filter.before);
    const condition = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const rows = this.database.prepare(`${SELECT_ENTRY} ${condition} ORDER BY id ${filter.ascending === true ? "ASC" : "DESC"} LIMIT ?`).all(...values, filter.limit);
    return rows.map(entryOfRow);
  }

  spent(scope: string, model: string | undefined, from: number, to: number): bigint {
    const condition = model === undefined ? "" : "WHERE model = ?";
    const values = [...periodValues(scope, from, to), ...(model === undefined ? [] : [model])];
    const row = this.database.prepare(`SELECT CAST(coalesce(sum(cost), 0) AS TEXT) AS cost FROM (${ROWS}) ${condition}`).get(...values) as { cost: string };
    return BigInt(row.cost);
  }

  /** The sum and the sequence number that it covers, both of one state of the ledger. */
  history({ scope, model, from, to, counter }: HistoryQuery): Awaited<ReturnType<History["spent"]>> {
    this.database.exec("BEGIN");
    try {
      const { lastSequence } = this.database.prepare("SELECT last_sequence AS lastSequence FROM meta").get() as { lastSequence: number };
      const adjusted = this.database.prepare("SELECT CAST(coalesce(sum(cost), 0) AS TEXT) AS cost FROM entries WHERE counter = ?").get(counter) as { cost: string };
      return { nanoUsd: this.spent(scope, model, from, to) + BigInt(adjusted.cost), lastSequence };
    } finally {
      this.database.exec("COMMIT");
    }
  }

  has(entryId: string): boolean {
    return this.database.prepare("SELECT 1 FROM entries WHERE id = ?").get(entryId) !== undefined;
  }

  totals({ scope = "global", by, from = 0, to = LAST_MS }: TotalsQuery): Totals {
    const rows = this.database
      .prepare(
        `SELECT ${GROUPS[by]} AS "group", CAST(sum(cost) AS TEXT) AS cost, sum(requests) AS requests, sum(input_tokens) AS inputTokens, sum(output_tokens) AS outputTokens
        FROM (${ROWS}) GROUP BY 1 ORDER BY ${by === "day" ? "1" : "sum(cost) DESC, 1"}`,
      )
      .all(...periodValues(scope, from, to));
    return rows.map((row) => ({ ...row })) as unknown as Totals;
  }

  records(): readonly StoredRecord[] {
    const rows = this.database.prepare("SELECT kind, id, version, document FROM records ORDER BY kind, id").all();
    return rows.map((row) => ({ ...row })) as unknown as StoredRecord[];
  }

  totalsByScope(kind: string, from: number, to: number): ScopeTotals {
    const period = quartersOf(from, to);
    // ";" follows ":", so this is the range of every text that begins with the kind.
    const rows = this.database
      .prepare(
        `SELECT scope, CAST(sum(cost) AS TEXT) AS cost, sum(requests) AS requests, sum(input_tokens) AS inputTokens, sum(output_tokens) AS outputTokens FROM (
          SELECT scope, requests, cost, input_tokens, output_tokens FROM rollups WHERE scope >= ? || ':' AND scope < ? || ';' AND quarter >= ? AND quarter < ?
          UNION ALL SELECT value, kind = 'charge', cost, input_tokens, output_tokens
          FROM entries, json_each('[' || replace(json_quote(scopes), ',', '","') || ']')
          WHERE ((entries.id >= ? AND entries.id < ?) OR (entries.id >= ? AND entries.id < ?)) AND kind <> 'adjustment' AND value >= ? || ':' AND value < ? || ';'
        ) GROUP BY scope ORDER BY sum(cost) DESC, scope`,
      )
      .all(kind, kind, period.first, period.end, ...period.head, ...period.tail, kind, kind);
    return rows.map((row) => ({ ...row })) as unknown as ScopeTotals;
  }
}

/** The least id of an instant: every entry admitted from then on has a greater one. */
export function lowestId(epochMs: number): string {
  return ulidTime(Math.floor(Math.min(Math.max(epochMs, 0), LAST_MS)));
}

/** The whole quarters `[first, end)` of a period, and ranges of ids for what is left before and after them. */
export function quartersOf(from: number, to: number): { first: number; end: number; head: [string, string]; tail: [string, string] } {
  const start = Math.min(Math.max(from, 0), LAST_MS);
  const stop = Math.min(Math.max(to, start), LAST_MS);
  const first = Math.ceil(start / QUARTER_MS);
  const end = Math.floor(stop / QUARTER_MS);
  if (first > end) return { first: 0, end: 0, head: [lowestId(start), lowestId(stop)], tail: ["", ""] };
  return { first, end, head: [lowestId(start), lowestId(first * QUARTER_MS)], tail: [lowestId(end * QUARTER_MS), lowestId(stop)] };
}

function periodValues(scope: string, from: number, to: number): (string | number)[] {
  const { first, end, head, tail } = quartersOf(from, to);
  return [scope, first, end, ...head, scope, ...tail, scope];
}
