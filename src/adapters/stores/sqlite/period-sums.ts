import type { StatementSync } from "node:sqlite";
import { ALL_SCOPE, isScopeDimension, KIND_OF, labelsOf, nameOfScope, scopeOfLabel, UNTAGGED_SCOPE, type CostFilter, type Dimension, type ScopeDimension } from "../../../domain/analytics/dimension.ts";
import { Groups } from "../../../domain/analytics/groups.ts";
import { addSums, isNothing, NO_COSTS, subtractSums, sumsOfEntry, type CostSums } from "../../../domain/analytics/sums.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { conditionsOf } from "./entry-conditions.ts";
import { quartersOf } from "./ledger-reader.ts";
import { COUNTERS, isAmount, QUARTER_MS, QUARTERS_PER_DAY, SCOPES_BETWEEN, sumsOfRow, SUM_COUNTERS } from "./rollup-columns.ts";

type Value = string | number;
type Span = { readonly start: number; readonly end: number };
/** An entry without what no sum needs. */
type Counted = Pick<Entry, "kind" | "scopes" | "customer" | "tags" | "model" | "provider" | "status" | "estimated" | "cost" | "inputTokens" | "outputTokens" | "cachedTokens"> & { readonly saved: string | null; readonly unpriced: number };

/** A period's parts: whole quarters, of these whole closed days, and what is cut off at either end as ranges of ids. */
interface Parts {
  readonly first: number;
  readonly end: number;
  readonly firstDay: number;
  readonly endDay: number;
  /** Quarters outside the days. */
  readonly edges: readonly (readonly [number, number])[];
  readonly crumbs: readonly (readonly [string, string])[];
}

/** Of fewer spans each is asked for by itself: closed days are one row each. */
const SERIES_MIN = 400;

const R_SUMS = COUNTERS.map((column) => (isAmount(column) ? `CAST(sum(r.${column}) AS TEXT) AS ${column}` : `sum(r.${column}) AS ${column}`)).join(", ");

/**
 * Sums of a period: closed days from daily roll-ups, the rest of its quarters from quarter-hour ones, what is cut off at
 * either end, and questions that no roll-up answers (two labels at once), from the entries.
 */
export class PeriodSums {
  private readonly prepared: (sql: string) => StatementSync;

  constructor(prepared: (sql: string) => StatementSync) {
    this.prepared = prepared;
  }

  total(from: number, to: number, filter: CostFilter): CostSums {
    const groups = new Groups();
    const scope = scopeOf(filter);
    const parts = this.partsOf(from, to);
    if (scope === undefined) this.fromEntries(groups, [idsOf(from, to)], undefined, filter);
    else {
      const dayScope = dayScopeOf(filter);
      if (dayScope !== undefined && parts.endDay > parts.firstDay) {
        const [kind, name] = dayScope;
        groups.add(null, sumsOfRow(this.prepared(`SELECT ${SUM_COUNTERS} FROM rollup_days WHERE kind = ? AND day >= ? AND day < ? AND scope = ?`).get(kind, parts.firstDay, parts.endDay, name) as object));
        for (const edge of parts.edges) groups.add(null, this.quarters(scope, edge, filter));
      } else if (parts.end > parts.first) groups.add(null, this.quarters(scope, [parts.first, parts.end], filter));
      this.fromEntries(groups, parts.crumbs, undefined, filter);
    }
    return groups.total();
  }

  /** A sum for each of the spans; of many of them the quarters are asked for in one go. */
  series(spans: readonly Span[], filter: CostFilter): CostSums[] {
    const scope = scopeOf(filter);
    if (scope === undefined || spans.length < SERIES_MIN) return spans.map(({ start, end }) => this.total(start, end, filter));
    const { text, values } = modelConditions(filter);
    const quarters = spans.map(({ start, end }) => [Math.ceil(start / QUARTER_MS), Math.floor(end / QUARTER_MS)]);
    const rows = this.prepared(`SELECT s.key AS span, ${R_SUMS} FROM json_each(?) s CROSS JOIN rollups r WHERE r.scope = ? AND r.quarter >= s.value ->> 0 AND r.quarter < s.value ->> 1${text} GROUP BY s.key`)
      .all(JSON.stringify(quarters), text !== "" && scope === ALL_SCOPE ? "global" : scope, ...values);
    const sums = spans.map(() => NO_COSTS);
    for (const row of rows) sums[Number(row["span"])] = sumsOfRow(row);
    for (const [index, { start, end }] of spans.entries()) {
      if (start % QUARTER_MS === 0 && end % QUARTER_MS === 0) continue;
      const { head, tail } = quartersOf(start, end);
      sums[index] = addSums(sums[index] as CostSums, this.fromEntries(new Groups(), [head, tail], undefined, filter).total());
    }
    return sums;
  }

  byModel(from: number, to: number, by: "model" | "provider", filter: CostFilter): Groups {
    const groups = new Groups();
    const scope = scopeOf(filter);
    if (scope === undefined) return this.fromEntries(groups, [idsOf(from, to)], by, filter);
    const parts = this.partsOf(from, to);
    const unfiltered = Object.keys(filter).length === 0;
    if (unfiltered) this.days(groups, KIND_OF[by], parts);
    const { text, values } = modelConditions(filter);
    const edges = unfiltered ? parts.edges : [[parts.first, parts.end] as const];
    for (const [first, end] of edges) {
      const rows = this.prepared(`SELECT ${by} AS name, ${SUM_COUNTERS} FROM rollups WHERE scope = ? AND quarter >= ? AND quarter < ?${text} GROUP BY ${by}`).all(scope === ALL_SCOPE ? "global" : scope, first, end, ...values);
      for (const row of rows) groups.add(String(row["name"]), sumsOfRow(row));
    }
    return this.fromEntries(groups, parts.crumbs, by, filter);
  }

  byLabel(from: number, to: number, by: ScopeDimension, filter: CostFilter): Groups {
    const groups = new Groups();
    // Roll-ups know one label at a time.
    if (Object.keys(filter).some((dimension) => isScopeDimension(dimension as Dimension))) return this.fromEntries(groups, [idsOf(from, to)], by, filter);
    const parts = this.partsOf(from, to);
    const unfiltered = Object.keys(filter).length === 0;
    if (unfiltered) this.days(groups, KIND_OF[by], parts);
    const edges = unfiltered ? parts.edges : [[parts.first, parts.end] as const];
    for (const edge of edges) this.quartersByLabel(groups, by, edge, filter);
    this.fromEntries(groups, parts.crumbs, by, filter);
    if (by === "tag") return groups;
    // What no label counts is unnamed; every other label is counted once.
    groups.sums.delete(null);
    const unnamed = subtractSums(this.total(from, to, filter), groups.total());
    if (!isNothing(unnamed)) groups.add(null, unnamed);
    return groups;
  }

  private days(groups: Groups, kind: string, { firstDay, endDay }: Parts): void {
    if (endDay <= firstDay) return;
    const rows = this.prepared(`SELECT scope, ${SUM_COUNTERS} FROM rollup_days WHERE kind = ? AND day >= ? AND day < ? GROUP BY scope`).all(kind, firstDay, endDay);
    for (const row of rows) groups.add(nameOfScope(String(row["scope"])), sumsOfRow(row));
  }

  private quarters(scope: string, [first, end]: readonly [number, number], filter: CostFilter): CostSums {
    const { text, values } = modelConditions(filter);
    const from = text !== "" && scope === ALL_SCOPE ? "global" : scope;
    return sumsOfRow(this.prepared(`SELECT ${SUM_COUNTERS} FROM rollups WHERE scope = ? AND quarter >= ? AND quarter < ?${text}`).get(from, first, end, ...values) as object);
  }

  private quartersByLabel(groups: Groups, by: ScopeDimension, [first, end]: readonly [number, number], filter: CostFilter): void {
    if (end <= first) return;
    const kind = KIND_OF[by];
    const { text, values } = modelConditions(filter);
    const rows = this.prepared(`${SCOPES_BETWEEN} SELECT r.scope AS scope, ${R_SUMS} FROM found CROSS JOIN rollups r WHERE r.scope = found.scope AND r.quarter >= ? AND r.quarter < ?${text} GROUP BY r.scope`)
      // ";" follows ":", so this is the range of every text that begins with the kind.
      .all(`${kind}:`, `${kind};`, first, end, ...values);
    for (const row of rows) groups.add(nameOfScope(String(row["scope"])), sumsOfRow(row));
    if (by !== "tag") return;
    const untagged = this.quarters(UNTAGGED_SCOPE, [first, end], filter);
    if (!isNothing(untagged)) groups.add(null, untagged);
  }

  private fromEntries(groups: Groups, ranges: readonly (readonly [string, string])[], by: Dimension | undefined, filter: CostFilter): Groups {
    const { texts, values } = conditionsOf(filter);
    const conditions = ["id >= ?", "id < ?", "kind <> 'adjustment'", ...texts].join(" AND ");
    for (const [from, to] of ranges) {
      if (from >= to) continue;
      const rows = this.prepared(`SELECT kind, scopes, customer, tags, model, provider, status, estimated, unpriced, CAST(cost AS TEXT) AS cost, input_tokens AS inputTokens, output_tokens AS outputTokens, cached_tokens AS cachedTokens, CAST(saved AS TEXT) AS saved FROM entries WHERE ${conditions}`).iterate(from, to, ...values);
      for (const row of rows as Iterable<unknown> as Iterable<Counted>) {
        const sums = sumsOfEntry({ ...row, unpriced: row.unpriced === 1, saved: row.saved ?? undefined });
        for (const group of by === undefined ? [null] : labelsOf(row, by)) groups.add(group, sums);
      }
    }
    return groups;
  }

  private partsOf(from: number, to: number): Parts {
    const { first, end, head, tail } = quartersOf(from, to);
    const { day: openDay } = this.prepared("SELECT open_day AS day FROM closed_days").get() as { day: number };
    const firstDay = Math.ceil(first / QUARTERS_PER_DAY);
    const endDay = Math.max(firstDay, Math.min(Math.floor(end / QUARTERS_PER_DAY), openDay));
    const edges = endDay === firstDay
      ? [[first, end] as const]
      : [[first, firstDay * QUARTERS_PER_DAY] as const, [endDay * QUARTERS_PER_DAY, end] as const];
    return { first, end, firstDay, endDay, edges: edges.filter(([start, stop]) => start < stop), crumbs: [head, tail].filter(([start, stop]) => start < stop) };
  }
}

/** The roll-up scope that answers a filter, besides its model and provider; `undefined` where none does. */
function scopeOf(filter: CostFilter): string | undefined {
  let scope = ALL_SCOPE;
  for (const [dimension, name] of Object.entries(filter) as [Dimension, string | null][]) {
    if (!isScopeDimension(dimension)) {
      if (name === null) return undefined;
      continue;
    }
    if (scope !== ALL_SCOPE) return undefined;
    if (name === null && dimension !== "tag") return undefined;
    scope = name === null ? UNTAGGED_SCOPE : scopeOfLabel(dimension, name);
  }
  return scope;
}

/** Of everything, of one model and of one provider the daily rows are few enough to read. */
function dayScopeOf(filter: CostFilter): readonly [kind: string, scope: string] | undefined {
  const [only, second] = Object.entries(filter) as [Dimension, string | null][];
  if (only === undefined) return [ALL_SCOPE, ALL_SCOPE];
  const [dimension, name] = only;
  if (second !== undefined || isScopeDimension(dimension) || name === null) return undefined;
  return [KIND_OF[dimension], `${KIND_OF[dimension]}:${name}`];
}

function modelConditions(filter: CostFilter): { readonly text: string; readonly values: readonly Value[] } {
  const columns = (["model", "provider"] as const).filter((column) => typeof filter[column] === "string");
  return { text: columns.map((column) => ` AND ${column} = ?`).join(""), values: columns.map((column) => filter[column] as string) };
}

function idsOf(from: number, to: number): readonly [string, string] {
  const { head, tail, first, end } = quartersOf(from, to);
  return first === end && tail[0] === "" ? head : [head[0], tail[1]];
}
