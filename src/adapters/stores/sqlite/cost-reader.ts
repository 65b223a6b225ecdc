import type { DatabaseSync, StatementSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import { calendarSpans } from "../../../domain/analytics/calendar.ts";
import { DIMENSIONS, isScopeDimension, isTimeUnit, type CostFilter, type Dimension } from "../../../domain/analytics/dimension.ts";
import type { Arrivals, CostGroup, EntriesPage, EntriesQuery, Name, SumsQuery } from "../../../domain/analytics/source.ts";
import type { CostSums } from "../../../domain/analytics/sums.ts";
import { inCostOrder } from "../../../domain/analytics/groups.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { PeriodSums } from "./period-sums.ts";
import { entryOfRow, SELECT_ENTRY } from "./entry-columns.ts";
import { conditionsOf } from "./entry-conditions.ts";
import { lowestId } from "./ledger-reader.ts";

const PAGE_MAX = 1_000;
const ARRIVALS_AT_ONCE = 200;

/** The names that people gave to ids of the control plane. */
const NAMES: Readonly<Partial<Record<Dimension, { readonly kind: string; readonly members: readonly string[]; readonly wire?: string }>>> = {
  key: { kind: "key", members: ["alias", "keyName"] },
  team: { kind: "team", members: ["alias", "teamId"], wire: "teamId" },
  internalUser: { kind: "user", members: ["alias", "userId"], wire: "userId" },
};

/** What cost reports ask of a connection that only reads. Every method sees one state of the ledger. */
export class CostReader {
  private readonly database: DatabaseSync;
  private readonly costs: PeriodSums;
  private readonly statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.database = database;
    this.costs = new PeriodSums((sql) => this.prepared(sql));
  }

  sums(query: SumsQuery): readonly CostGroup[] {
    return this.atOnce(() => {
      const { from, to, by, timeZone = "UTC", weekStart = 0 } = query;
      const filter = given(query.filter);
      if (by === "none") return [{ group: null, ...this.costs.total(from, to, filter) }];
      if (isTimeUnit(by)) {
        const spans = calendarSpans(by, from, to, timeZone, weekStart);
        const sums = this.costs.series(spans, filter);
        return spans.map(({ name, start, end }, index) => ({ group: name, span: { start, end }, ...(sums[index] as CostSums) }));
      }
      const groups = isScopeDimension(by) ? this.costs.byLabel(from, to, by, filter) : this.costs.byModel(from, to, by, filter);
      return inCostOrder(groups);
    });
  }

  entries({ from, to, filter, requestId, after, order = "newest", limit }: EntriesQuery): EntriesPage {
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX) throw new TollgateError("invalid_request", `limit must be a whole number from 1 to ${PAGE_MAX}.`, { param: "limit" });
    const { texts, values } = conditionsOf(given(filter));
    const isNewest = order === "newest";
    // One bound on either side: of two, SQLite seeks by the first alone, and walks over all pages before to find the next one.
    const least = greatestOf([from === undefined ? undefined : lowestId(from), requestId]);
    const most = leastOf([to === undefined ? undefined : lowestId(to), requestId === undefined ? undefined : `${requestId}/`]);
    const above = !isNewest && after !== undefined && (least === undefined || after >= least);
    const below = isNewest && after !== undefined && (most === undefined || after <= most);
    const all = ["kind <> 'adjustment'", ...texts, ...(above ? ["id > ?"] : least === undefined ? [] : ["id >= ?"]), ...(below || most !== undefined ? ["id < ?"] : [])];
    const bounds = [above ? after : least, below ? after : most].filter((bound) => bound !== undefined);
    const rows = this.prepared(`${SELECT_ENTRY} WHERE ${all.join(" AND ")} ORDER BY id ${isNewest ? "DESC" : "ASC"} LIMIT ?`).all(...values, ...bounds, limit + 1);
    const entries = rows.slice(0, limit).map(entryOfRow);
    return { entries, next: rows.length > limit ? (entries.at(-1)?.id ?? null) : null };
  }

  arrivals(after?: number): Arrivals {
    return this.atOnce(() => {
      const range = this.prepared("SELECT coalesce(min(number), 1) AS first, coalesce(max(number), 0) AS last FROM arrivals").get() as { first: number; last: number };
      if (after === undefined) return { entries: [], position: range.last, missed: false };
      // A position beyond the last is one of another file.
      if (after > range.last) return { entries: [], position: range.last, missed: true };
      const rows = this.prepared(`SELECT number, ids FROM arrivals WHERE number > ? ORDER BY number LIMIT ${ARRIVALS_AT_ONCE}`).all(after) as unknown as { number: number; ids: string }[];
      const ids = rows.flatMap((row) => row.ids.split(","));
      const found = new Map(this.prepared(`${SELECT_ENTRY} WHERE id IN (SELECT value FROM json_each(?))`).all(JSON.stringify(ids)).map(entryOfRow).map((entry) => [entry.id, entry]));
      const entries = ids.map((id) => found.get(id)).filter((entry): entry is Entry => entry !== undefined);
      return { entries, position: rows.at(-1)?.number ?? after, missed: after < range.first - 1 };
    });
  }

  /** Pairs of id and name. */
  names(dimension: Dimension): [string, Name][] {
    const wanted = NAMES[dimension];
    if (wanted === undefined) return [];
    const rows = this.prepared("SELECT id, document FROM records WHERE kind = ?").all(wanted.kind) as unknown as { id: string; document: string }[];
    return rows.map(({ id, document }) => {
      const record = JSON.parse(document) as Record<string, unknown>;
      const names = wanted.members.map((member) => record[member]).filter((name): name is string => typeof name === "string" && name !== "");
      const wireId = wanted.wire === undefined ? undefined : record[wanted.wire];
      return [id, { label: names[0] ?? id, ...(typeof wireId === "string" ? { wireId } : {}) }];
    });
  }

  private atOnce<Answer>(work: () => Answer): Answer {
    if (this.database.isTransaction) return work();
    this.database.exec("BEGIN");
    try {
      return work();
    } finally {
      this.database.exec("COMMIT");
    }
  }

  /** Statements are few: their texts depend on the shape of a question, never on its values. */
  private prepared(sql: string): StatementSync {
    let statement = this.statements.get(sql);
    if (statement === undefined) this.statements.set(sql, (statement = this.database.prepare(sql)));
    return statement;
  }
}

function greatestOf(texts: readonly (string | undefined)[]): string | undefined {
  return texts.reduce((best, text) => (text !== undefined && (best === undefined || text > best) ? text : best), undefined);
}

function leastOf(texts: readonly (string | undefined)[]): string | undefined {
  return texts.reduce((best, text) => (text !== undefined && (best === undefined || text < best) ? text : best), undefined);
}

/** The members that say something. */
function given(filter: CostFilter = {}): CostFilter {
  return Object.fromEntries(DIMENSIONS.filter((dimension) => filter[dimension] !== undefined).map((dimension) => [dimension, filter[dimension]]));
}
