import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import { ulidTime } from "../../../base/ids.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import type { AuditReport, EntryFilter } from "../../../domain/ledger/store.ts";
import { audit } from "./audit.ts";
import { ENTRY_SELECT, fromRow, QUARTER_MS } from "./schema.ts";
import { checkVersion } from "./writer.ts";

export interface Total {
  readonly group: string;
  readonly cost: string;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

const SUMS = "CAST(coalesce(sum(cost), 0) AS TEXT) AS cost, coalesce(sum(requests), 0) AS requests, coalesce(sum(input_tokens), 0) AS inputTokens, coalesce(sum(output_tokens), 0) AS outputTokens";

/** Reads a ledger beside whoever writes it. */
export class LedgerReader {
  readonly database: DatabaseSync;

  /** @throws TollgateError `ledger_unreadable`, `ledger_newer` */
  constructor(path: string) {
    try {
      this.database = new DatabaseSync(path, { readOnly: true });
      this.database.exec("PRAGMA busy_timeout=5000");
      checkVersion(this.database, path);
    } catch (error) {
      if (error instanceof TollgateError) throw error;
      throw new TollgateError("ledger_unreadable", `${path} cannot be read as a ledger: ${(error as Error).message}.`, { cause: error });
    }
  }

  entries(filter: EntryFilter): Entry[] {
    const where: string[] = [];
    const values: SQLInputValue[] = [];
    const add = (sql: string, value: SQLInputValue | undefined): void => {
      if (value === undefined) return;
      where.push(sql);
      values.push(value);
    };
    if (filter.requestId !== undefined) {
      add("id >= ?", filter.requestId);
      add("id < ?", `${filter.requestId}/`);
    }
    // Ids begin with the admission time, so a period is a range of the primary key.
    add("id >= ?", filter.from === undefined ? undefined : ulidTime(filter.from));
    add("id < ?", filter.to === undefined ? undefined : ulidTime(filter.to));
    add("response_id = ?", filter.responseId);
    add("key_id = ?", filter.keyId);
    add("user_id = ?", filter.userId);
    add("team_id = ?", filter.teamId);
    add("customer = ?", filter.customer);
    const sql = `SELECT ${ENTRY_SELECT} FROM entries ${where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`} ORDER BY id ${filter.ascending === true ? "ASC" : "DESC"} LIMIT ?`;
    return (this.database.prepare(sql).all(...values, filter.limit) as Record<string, unknown>[]).map(fromRow);
  }

  /** GATE 6.3: whole quarters from the roll-ups, partial ones from their entries by primary key. */
  spent(scope: string, model: string | undefined, from: number, to: number): bigint {
    const first = Math.ceil(from / QUARTER_MS);
    const last = to === Number.POSITIVE_INFINITY ? Number.MAX_SAFE_INTEGER : Math.floor(to / QUARTER_MS);
    const byModel = model === undefined ? "" : " AND model = ?";
    const models = model === undefined ? [] : [model];
    let sum = this.sum(`SELECT CAST(coalesce(sum(cost), 0) AS TEXT) AS cost FROM rollups WHERE scope = ? AND quarter >= ? AND quarter < ?${byModel}`, scope, first, last, ...models);
    const partial = (start: number, end: number): void => {
      if (start >= end) return;
      sum += this.sum(`SELECT CAST(coalesce(sum(cost), 0) AS TEXT) AS cost FROM entries WHERE id >= ? AND id < ? AND kind <> 'adjustment' AND instr(',' || scopes || ',', ?) > 0${byModel}`,
        ulidTime(start), ulidTime(end), `,${scope},`, ...models);
    };
    if (first <= last) {
      partial(from, first * QUARTER_MS);
      if (Number.isFinite(to)) partial(last * QUARTER_MS, to);
    } else partial(from, to);
    return sum;
  }

  totals(query: { scope?: string; by: "model" | "provider" | "day" | "none"; from?: number; to?: number }): Total[] {
    const group = { model: "model", provider: "provider", day: "strftime('%Y-%m-%d', quarter * 900, 'unixepoch')", none: "''" }[query.by];
    const from = Math.floor((query.from ?? 0) / QUARTER_MS);
    const to = query.to === undefined ? Number.MAX_SAFE_INTEGER : Math.ceil(query.to / QUARTER_MS);
    return this.database.prepare(`SELECT ${group} AS "group", ${SUMS} FROM rollups WHERE scope = ? AND quarter >= ? AND quarter < ? GROUP BY 1 ORDER BY sum(cost) DESC`)
      .all(query.scope ?? "global", from, to) as unknown as Total[];
  }

  totalsByScope(kind: string, from: number, to: number): (Omit<Total, "group"> & { scope: string })[] {
    return this.database.prepare(`SELECT scope, ${SUMS} FROM rollups WHERE scope >= ? AND scope < ? AND quarter >= ? AND quarter < ? GROUP BY scope ORDER BY sum(cost) DESC`)
      .all(`${kind}:`, `${kind};`, Math.floor(from / QUARTER_MS), Number.isFinite(to) ? Math.ceil(to / QUARTER_MS) : Number.MAX_SAFE_INTEGER) as unknown as (Omit<Total, "group"> & { scope: string })[];
  }

  audit(counters: readonly Balance[] = []): AuditReport {
    return audit(this.database, counters);
  }

  close(): void {
    this.database.close();
  }

  private sum(sql: string, ...values: SQLInputValue[]): bigint {
    return BigInt((this.database.prepare(sql).get(...values) as { cost: string }).cost);
  }
}
