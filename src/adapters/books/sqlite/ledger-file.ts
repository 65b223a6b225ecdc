import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { INSERT_ENTRY, valuesOf } from "../../stores/sqlite/entry-columns.ts";
import { LedgerReader } from "../../stores/sqlite/ledger-reader.ts";
import { RollupSums } from "../../stores/sqlite/rollup-sums.ts";
import { counterAt, Families, type Family } from "./families.ts";
import { Tallies } from "./tallies.ts";

/** Money of one window of one counter, as this transaction has it. */
export interface Money {
  readonly id: string;
  readonly family: Family;
  /** Epoch milliseconds; the end is `Infinity` for a lifetime. */
  readonly start: number;
  readonly end: number;
  spent: bigint;
  dirty: boolean;
}

const CACHED_COUNTERS = 20_000;

/**
 * The ledger file inside one transaction. Counters are read once and written once in each; what was read is kept for
 * the next transaction as long as no other process has committed in between (`PRAGMA data_version`).
 */
export class LedgerFile {
  readonly database: DatabaseSync;
  readonly families: Families;
  readonly rollups: RollupSums;
  readonly tallies: Tallies;
  /** Admission time of the newest entry, whoever wrote it. */
  newestAt = 0;
  /** Another process committed since the last transaction. */
  othersWrote = false;
  private readonly reader: LedgerReader;
  private readonly money = new Map<string, Money>();
  private dirty: Money[] = [];
  private readonly insertEntry: StatementSync;
  private readonly selectBalance: StatementSync;
  private readonly upsertBalance: StatementSync;
  private readonly selectAdjusted: StatementSync;
  private readonly selectState: StatementSync;
  private readonly selectDataVersion: StatementSync;
  private readonly updateNewest: StatementSync;
  private readonly bumpVersion: StatementSync;
  private dataVersion = -1;
  private familiesVersion = -1;
  private newestWritten = 0;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.families = new Families(database);
    this.rollups = new RollupSums(database);
    this.tallies = new Tallies(database);
    this.reader = new LedgerReader(database);
    this.insertEntry = database.prepare(INSERT_ENTRY);
    this.selectBalance = database.prepare("SELECT spent FROM balances WHERE counter = ?");
    this.selectBalance.setReadBigInts(true);
    this.upsertBalance = database.prepare("INSERT INTO balances (counter, scope, spent, spec, start) VALUES (?, ?, ?, ?, ?) ON CONFLICT (counter) DO UPDATE SET spent = excluded.spent");
    this.selectAdjusted = database.prepare("SELECT coalesce(sum(cost), 0) AS cost FROM entries WHERE kind = 'adjustment' AND counter = ?");
    this.selectAdjusted.setReadBigInts(true);
    this.selectState = database.prepare("SELECT version, newest_at AS newestAt FROM programs, meta");
    this.selectDataVersion = database.prepare("PRAGMA data_version");
    this.updateNewest = database.prepare("UPDATE meta SET newest_at = max(newest_at, ?)");
    this.bumpVersion = database.prepare("UPDATE programs SET version = version + 1 RETURNING version");
  }

  /** @throws SQLite's error, busy among them: nothing was done then */
  begin(writes: boolean): void {
    this.database.exec(writes ? "BEGIN IMMEDIATE" : "BEGIN");
    // The first read fixes the state that the transaction sees.
    const state = this.selectState.get() as { version: number; newestAt: number };
    const { data_version: dataVersion } = this.selectDataVersion.get() as { data_version: number };
    this.othersWrote = dataVersion !== this.dataVersion;
    if (this.othersWrote || this.money.size > CACHED_COUNTERS) this.forget();
    if (state.version !== this.familiesVersion) this.families.forget();
    this.dataVersion = dataVersion;
    this.familiesVersion = state.version;
    if (state.newestAt > this.newestAt) this.newestAt = state.newestAt;
    this.newestWritten = state.newestAt;
  }

  commit(): void {
    this.rollups.flush();
    for (const money of this.dirty) {
      this.upsertBalance.run(money.id, money.family.scope, money.spent, money.family.specText, money.start);
      money.dirty = false;
    }
    this.dirty = [];
    this.tallies.flush();
    if (this.newestAt > this.newestWritten) this.updateNewest.run(this.newestAt);
    this.database.exec("COMMIT");
  }

  /** Undoes the transaction; what was counted in memory is read again. */
  rollback(): void {
    // A full disk may have rolled back already.
    if (this.database.isTransaction) this.database.exec("ROLLBACK");
    this.rollups.clear();
    this.forget();
    this.families.forget();
    this.newestAt = this.newestWritten;
  }

  /** The counter's state; one that has no balance yet starts with the history of its scope (GATE 6.3). */
  moneyAt(family: Family, at: number): Money {
    const { id, span } = counterAt(family, at);
    const known = this.money.get(id);
    if (known !== undefined) return known;
    const row = this.selectBalance.get(id) as { spent: bigint } | undefined;
    const money: Money = { id, family, start: span.start, end: span.end, spent: row?.spent ?? this.history(family, id, span.start, span.end), dirty: false };
    this.money.set(id, money);
    return money;
  }

  /** What a window that no limit has registered was charged. */
  unregistered(scope: string, model: string | undefined, counter: string, from: number, to: number): bigint {
    return this.history({ scope, model }, counter, from, to);
  }

  charge(money: Money, cost: bigint): void {
    money.spent += cost;
    if (money.dirty) return;
    money.dirty = true;
    this.dirty.push(money);
  }

  /** @returns false if the ledger has an entry of this id already */
  append(entry: Entry): boolean {
    if (this.insertEntry.run(...valuesOf(entry)).changes === 0) return false;
    this.rollups.add(entry);
    if (entry.at > this.newestAt) this.newestAt = entry.at;
    return true;
  }

  /** Requests that were settled in a span, from roll-ups and the entries at its ends. */
  requests(scope: string, model: string | undefined, from: number, to: number): bigint {
    this.rollups.flush();
    const rows = this.reader.totals({ scope, by: "model", from, to });
    return rows.reduce((sum, row) => (model === undefined || row.group === model ? sum + BigInt(row.requests) : sum), 0n);
  }

  /** Every program reads its families again. */
  familiesChanged(): void {
    this.familiesVersion = (this.bumpVersion.get() as { version: number }).version;
  }

  private history({ scope, model }: Pick<Family, "scope" | "model">, id: string, from: number, to: number): bigint {
    this.rollups.flush();
    return this.reader.spent(scope, model, from, to) + (this.selectAdjusted.get(id) as { cost: bigint }).cost;
  }

  private forget(): void {
    this.money.clear();
    this.dirty = [];
    this.tallies.forget();
  }
}
