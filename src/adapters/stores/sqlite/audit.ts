import type { DatabaseSync } from "node:sqlite";
import { formatNanoUsd } from "../../../base/money.ts";
import { modelInCounterId } from "../../../domain/ledger/counter-id.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import type { AuditReport } from "../../../domain/ledger/store.ts";
import { spanAt } from "../../../domain/windows/span.ts";
import type { WindowSpan, WindowSpec } from "../../../domain/windows/window.ts";
import { RECOUNTED, RollupRecount, type RecountedRow } from "./audit-rollups.ts";

interface EntryRow extends RecountedRow {
  readonly at: bigint;
  readonly counter: string | null;
  readonly model: string;
}

/** The windows of one spec, counted again from entries. */
interface Recount {
  readonly model: string | undefined;
  readonly spec: WindowSpec;
  span: WindowSpan;
  /** Sum by the window's start. */
  readonly sums: Map<number, bigint>;
}

/**
 * Counts every entry again and compares the sums with roll-ups, balances and, where given, live counters (GATE 8.3).
 * All reads see one state of the ledger, beside a gateway that goes on writing.
 *
 * @param begun called once that state is fixed
 */
export function auditLedger(database: DatabaseSync, counters: readonly Balance[] = [], begun: () => void = () => {}): AuditReport {
  database.exec("BEGIN");
  try {
    // The first read fixes the state that all later ones see.
    database.prepare("SELECT last_sequence FROM meta").get();
    begun();
    return audit(database, counters);
  } finally {
    database.exec("COMMIT");
  }
}

function audit(database: DatabaseSync, counters: readonly Balance[]): AuditReport {
  const balances = readBalances(database);
  const recounts = new Recounts();
  for (const balance of balances) recounts.expect(balance);
  for (const counter of counters) recounts.expect(counter);
  const rollups = new RollupRecount();
  const byScope = new Map<string, bigint>();
  let entries = 0;
  let total = 0n;
  const rows = database.prepare(`SELECT at, kind, counter, scopes, model, cost, ${RECOUNTED} FROM entries ORDER BY id`);
  rows.setReadBigInts(true);
  for (const row of rows.iterate() as Iterable<unknown> as Iterable<EntryRow>) {
    entries += 1;
    if (row.kind === "adjustment") {
      recounts.adjust(row);
      continue;
    }
    total += row.cost;
    rollups.count(row);
    for (const scope of row.scopes.split(",")) {
      byScope.set(scope, (byScope.get(scope) ?? 0n) + row.cost);
      recounts.count(scope, row);
    }
  }
  const firstDifference =
    rollups.difference(database) ?? missingBalance(database, balances, byScope) ?? recounts.difference("balance", balances) ?? recounts.difference("live counter", counters);
  return { agree: firstDifference === null, entries, scopes: byScope.size, balances: balances.length, totalNanoUsd: total.toString(), firstDifference };
}

function readBalances(database: DatabaseSync): Balance[] {
  const statement = database.prepare("SELECT counter, scope, spent, spec, start FROM balances ORDER BY counter");
  statement.setReadBigInts(true);
  const rows = statement.all() as unknown as (Omit<Balance, "start"> & { start: bigint })[];
  return rows.map((row) => ({ ...row, start: Number(row.start) }));
}

class Recounts {
  private readonly byScope = new Map<string, Map<string, Recount>>();
  private readonly adjusted = new Map<string, bigint>();

  expect(balance: Balance): void {
    let recounts = this.byScope.get(balance.scope);
    if (recounts === undefined) this.byScope.set(balance.scope, (recounts = new Map()));
    const name = nameOf(balance);
    let recount = recounts.get(name);
    if (recount === undefined) {
      const spec = JSON.parse(balance.spec) as WindowSpec;
      recount = { model: modelInCounterId(balance.counter), spec, span: spanAt(spec, balance.start), sums: new Map() };
      recounts.set(name, recount);
    }
    recount.sums.set(balance.start, 0n);
  }

  count(scope: string, row: EntryRow): void {
    const at = Number(row.at);
    for (const recount of this.byScope.get(scope)?.values() ?? []) {
      if (recount.model !== undefined && recount.model !== row.model) continue;
      // Entries come in the order of time, so the span rarely changes.
      if (at < recount.span.start || at >= recount.span.end) recount.span = spanAt(recount.spec, at);
      const sum = recount.sums.get(recount.span.start);
      if (sum !== undefined) recount.sums.set(recount.span.start, sum + row.cost);
    }
  }

  /** An adjustment moves one counter and nothing else (GATE 1.3). */
  adjust(row: EntryRow): void {
    const counter = row.counter ?? "";
    this.adjusted.set(counter, (this.adjusted.get(counter) ?? 0n) + row.cost);
  }

  difference(what: string, balances: readonly Balance[]): string | null {
    for (const balance of balances) {
      const charged = this.byScope.get(balance.scope)?.get(nameOf(balance))?.sums.get(balance.start) ?? 0n;
      const sum = charged + (this.adjusted.get(balance.counter) ?? 0n);
      if (sum !== balance.spent) return sentence(`The ${what} ${balance.counter}`, balance.spent, sum);
    }
    return null;
  }
}

function nameOf(balance: Balance): string {
  return `${modelInCounterId(balance.counter) ?? "*"}|${balance.spec}`;
}

/** Every charged scope has a lifetime balance; without it a restart would begin at zero. */
function missingBalance(database: DatabaseSync, balances: readonly Balance[], byScope: ReadonlyMap<string, bigint>): string | null {
  const kept = new Set(balances.filter((balance) => modelInCounterId(balance.counter) === undefined && isLifetime(balance)).map((balance) => balance.scope));
  for (const row of database.prepare("SELECT scope FROM deleted_balances").iterate()) kept.add(String(row["scope"]));
  for (const [scope, sum] of byScope) if (sum !== 0n && !kept.has(scope)) return sentence(`The missing lifetime balance of ${scope}`, 0n, sum);
  return null;
}

function isLifetime(balance: Balance): boolean {
  const spec = JSON.parse(balance.spec) as WindowSpec;
  return spec.kind === "lifetime" && spec.since === undefined;
}

function sentence(what: string, found: bigint, counted: bigint): string {
  return `${what} says $${formatNanoUsd(found)}, the entries say $${formatNanoUsd(counted)}: a difference of $${formatNanoUsd(found - counted)}.`;
}
