import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ALL_SCOPE, kindOfScope, modelScope, providerScope, rollupScopes } from "../../../domain/analytics/dimension.ts";
import { isFailure } from "../../../domain/analytics/sums.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { Arrivals } from "./arrivals.ts";
import { ClosedDays } from "./closed-days.ts";
import { COUNTERS, QUARTER_MS, QUARTERS_PER_DAY } from "./rollup-columns.ts";

/** Sums that grow in place: a new object for each addition would cost more than the addition. */
class Tally {
  requests = 0;
  failed = 0;
  estimated = 0;
  unpriced = 0;
  cost = 0n;
  inputTokens = 0;
  outputTokens = 0;
  cachedTokens = 0;
  hits = 0;
  saved = 0n;

  count(entry: Entry): void {
    if (entry.kind === "charge") {
      this.requests += 1;
      if (isFailure(entry.status)) this.failed += 1;
    }
    if (entry.estimated !== null) this.estimated += 1;
    if (entry.unpriced) this.unpriced += 1;
    this.cost += BigInt(entry.cost);
    this.inputTokens += entry.inputTokens;
    this.outputTokens += entry.outputTokens;
    this.cachedTokens += entry.cachedTokens;
    if (entry.saved !== undefined) {
      if (entry.kind === "charge") this.hits += 1;
      this.saved += BigInt(entry.saved);
    }
  }

  add(other: Tally): void {
    this.requests += other.requests;
    this.failed += other.failed;
    this.estimated += other.estimated;
    this.unpriced += other.unpriced;
    this.cost += other.cost;
    this.inputTokens += other.inputTokens;
    this.outputTokens += other.outputTokens;
    this.cachedTokens += other.cachedTokens;
    this.hits += other.hits;
    this.saved += other.saved;
  }
}

/** Entries of one quarter that are in the same roll-ups. */
class Alike extends Tally {
  readonly entry: Entry;
  readonly quarter: number;

  constructor(entry: Entry, quarter: number) {
    super();
    this.entry = entry;
    this.quarter = quarter;
  }
}

class QuarterRow extends Tally {
  readonly quarter: number;
  readonly model: string;
  readonly provider: string;

  constructor(quarter: number, model: string, provider: string) {
    super();
    this.quarter = quarter;
    this.model = model;
    this.provider = provider;
  }
}

class DayRow extends Tally {
  readonly day: number;

  constructor(day: number) {
    super();
    this.day = day;
  }
}

const added = COUNTERS.map((column) => `${column} = ${column} + excluded.${column}`).join(", ");
const marks = COUNTERS.map(() => "?").join(", ");
const UPSERT_QUARTER = `INSERT INTO rollups (scope, quarter, model, provider, ${COUNTERS.join(", ")}) VALUES (?, ?, ?, ?, ${marks}) ON CONFLICT (scope, quarter, model, provider) DO UPDATE SET ${added}`;
const UPSERT_DAY = `INSERT INTO rollup_days (kind, day, scope, ${COUNTERS.join(", ")}) VALUES (?, ?, ?, ${marks}) ON CONFLICT (kind, day, scope) DO UPDATE SET ${added}`;
/** A day is closed this long after its end: most of its requests have ended by then, and each one that has not costs a row of its own. */
const GRACE_QUARTERS = 4;

/**
 * What one transaction's entries add to everything that is derived from entries: quarter-hour roll-ups, daily ones, and
 * the order of arrival. Entries that are alike are summed first, so that a thousand of them cost little more than one.
 */
export class RollupSums {
  private readonly upsertQuarter: StatementSync;
  private readonly upsertDay: StatementSync;
  private readonly days: ClosedDays;
  private readonly arrivals: Arrivals;
  private readonly alike = new Map<string, Alike>();

  constructor(database: DatabaseSync) {
    this.upsertQuarter = database.prepare(UPSERT_QUARTER);
    this.upsertDay = database.prepare(UPSERT_DAY);
    this.days = new ClosedDays(database);
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
    let alike = this.alike.get(key);
    if (alike === undefined) this.alike.set(key, (alike = new Alike(entry, quarter)));
    alike.count(entry);
  }

  /** Writes the sums in the order of the tables, so that neighbours share pages, and forgets them. */
  flush(): void {
    if (this.alike.size === 0) return;
    const openDay = this.days.openDay();
    const quarters = new Map<string, QuarterRow[]>();
    const days = new Map<string, DayRow[]>();
    let newest = 0;
    for (const alike of this.alike.values()) {
      const { entry, quarter } = alike;
      if (quarter > newest) newest = quarter;
      const scopes = rollupScopes(entry);
      // Time series of everything need no models, and read an eighth of the rows without them.
      addQuarter(quarters, ALL_SCOPE, quarter, "", "", alike);
      for (const scope of scopes) addQuarter(quarters, scope, quarter, entry.model, entry.provider, alike);
      const day = Math.floor(quarter / QUARTERS_PER_DAY);
      // An open day is rolled up when it is closed; what comes later is added to it.
      if (day < openDay) for (const scope of [...scopes, ALL_SCOPE, modelScope(entry.model), providerScope(entry.provider)]) addDay(days, scope, day, alike);
    }
    for (const [scope, rows] of inOrder(quarters)) {
      if (rows.length > 1) rows.sort((a, b) => a.quarter - b.quarter || (a.model < b.model ? -1 : 1));
      for (const row of rows) this.upsertQuarter.run(scope, row.quarter, row.model, row.provider, ...values(row));
    }
    for (const [scope, rows] of inOrder(days)) for (const row of rows) this.upsertDay.run(kindOfScope(scope), row.day, scope, ...values(row));
    const closing = Math.floor((newest - GRACE_QUARTERS) / QUARTERS_PER_DAY);
    if (closing > openDay) this.days.close(openDay, closing);
    this.arrivals.flush();
    this.alike.clear();
  }

  clear(): void {
    this.alike.clear();
    this.arrivals.clear();
  }
}

function values(row: Tally): (number | bigint)[] {
  return [row.requests, row.failed, row.estimated, row.unpriced, row.cost, row.inputTokens, row.outputTokens, row.cachedTokens, row.hits, row.saved];
}

function inOrder<Row>(rows: ReadonlyMap<string, Row>): [string, Row][] {
  return [...rows].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

/** A scope has few rows in one transaction, so looking through them costs less than another map. */
function addQuarter(rows: Map<string, QuarterRow[]>, scope: string, quarter: number, model: string, provider: string, tally: Tally): void {
  const own = rows.get(scope);
  let row = own?.find((one) => one.quarter === quarter && one.model === model && one.provider === provider);
  if (row === undefined) {
    row = new QuarterRow(quarter, model, provider);
    if (own === undefined) rows.set(scope, [row]);
    else own.push(row);
  }
  row.add(tally);
}

function addDay(rows: Map<string, DayRow[]>, scope: string, day: number, tally: Tally): void {
  const own = rows.get(scope);
  let row = own?.find((one) => one.day === day);
  if (row === undefined) {
    row = new DayRow(day);
    if (own === undefined) rows.set(scope, [row]);
    else own.push(row);
  }
  row.add(tally);
}
