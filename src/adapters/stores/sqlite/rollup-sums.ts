import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ALL_SCOPE, kindOfScope, modelScope, providerScope, rollupScopes } from "../../../domain/analytics/dimension.ts";
import { addSums, NO_COSTS, sumsOfEntry, type CostSums } from "../../../domain/analytics/sums.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { Arrivals } from "./arrivals.ts";
import { QUARTER_MS, QUARTERS_PER_DAY } from "./rollup-columns.ts";
import { COUNTERS, rollupValues } from "./rollup-columns.ts";

/** Entries of one quarter that are in the same roll-ups. */
interface Alike {
  readonly entry: Entry;
  readonly quarter: number;
  sums: CostSums;
}

interface QuarterRow {
  readonly quarter: number;
  readonly model: string;
  readonly provider: string;
  sums: CostSums;
}

const added = COUNTERS.map((column) => `${column} = ${column} + excluded.${column}`).join(", ");
const marks = COUNTERS.map(() => "?").join(", ");
const UPSERT_QUARTER = `INSERT INTO rollups VALUES (?, ?, ?, ?, ${marks}) ON CONFLICT (scope, quarter, model, provider) DO UPDATE SET ${added}`;
const UPSERT_DAY = `INSERT INTO rollup_days VALUES (?, ?, ?, ${marks}) ON CONFLICT (kind, day, scope) DO UPDATE SET ${added}`;

/**
 * What one transaction's entries add to everything that is derived from entries: quarter-hour roll-ups, daily ones, and
 * the order of arrival. Entries that are alike are summed first, so that a thousand of them cost little more than one.
 */
export class RollupSums {
  private readonly upsertQuarter: StatementSync;
  private readonly upsertDay: StatementSync;
  private readonly arrivals: Arrivals;
  private readonly alike = new Map<string, Alike>();

  constructor(database: DatabaseSync) {
    this.upsertQuarter = database.prepare(UPSERT_QUARTER);
    this.upsertDay = database.prepare(UPSERT_DAY);
    this.arrivals = new Arrivals(database);
  }

  /** Call it for entries that were really inserted, or a replay would count twice. */
  add(entry: Entry): void {
    // An adjustment moves a balance and is no cost: it is in no report (GATE 1.3).
    if (entry.kind === "adjustment") return;
    this.arrivals.add(entry.id);
    const quarter = Math.floor(entry.at / QUARTER_MS);
    // Only the last two are written by clients, so their border is told by a length.
    const key = `${quarter}\n${entry.provider}\n${entry.tags}\n${entry.scopes}\n${entry.customer === null ? -1 : entry.customer.length}\n${entry.customer}${entry.model}`;
    const known = this.alike.get(key);
    const sums = sumsOfEntry(entry);
    if (known === undefined) this.alike.set(key, { entry, quarter, sums });
    else known.sums = addSums(known.sums, sums);
  }

  /** Writes the sums in the order of the tables, so that neighbours share pages, and forgets them. */
  flush(): void {
    const quarters = new Map<string, Map<string, QuarterRow>>();
    for (const { entry, quarter, sums } of this.alike.values()) {
      for (const scope of rollupScopes(entry)) addQuarter(quarters, scope, quarter, entry.model, entry.provider, sums);
      // Time series of everything need no models, and read an eighth of the rows without them.
      addQuarter(quarters, ALL_SCOPE, quarter, "", "", sums);
    }
    const days = new Map<string, Map<number, CostSums>>();
    for (const scope of [...quarters.keys()].sort()) {
      const rows = [...(quarters.get(scope)?.values() ?? [])].sort((a, b) => a.quarter - b.quarter || (a.model < b.model ? -1 : 1));
      for (const { quarter, model, provider, sums } of rows) {
        this.upsertQuarter.run(scope, quarter, model, provider, ...rollupValues(sums));
        const day = Math.floor(quarter / QUARTERS_PER_DAY);
        addDay(days, scope, day, sums);
        if (scope !== "global") continue;
        addDay(days, modelScope(model), day, sums);
        addDay(days, providerScope(provider), day, sums);
      }
    }
    for (const scope of [...days.keys()].sort()) {
      for (const [day, sums] of days.get(scope) ?? []) this.upsertDay.run(kindOfScope(scope), day, scope, ...rollupValues(sums));
    }
    this.arrivals.flush();
    this.alike.clear();
  }

  clear(): void {
    this.alike.clear();
    this.arrivals.clear();
  }
}

function addQuarter(rows: Map<string, Map<string, QuarterRow>>, scope: string, quarter: number, model: string, provider: string, sums: CostSums): void {
  let own = rows.get(scope);
  if (own === undefined) rows.set(scope, (own = new Map()));
  const key = `${quarter}\n${provider}\n${model}`;
  const known = own.get(key);
  if (known === undefined) own.set(key, { quarter, model, provider, sums });
  else known.sums = addSums(known.sums, sums);
}

function addDay(rows: Map<string, Map<number, CostSums>>, scope: string, day: number, sums: CostSums): void {
  let own = rows.get(scope);
  if (own === undefined) rows.set(scope, (own = new Map()));
  own.set(day, addSums(own.get(day) ?? NO_COSTS, sums));
}
