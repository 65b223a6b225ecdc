import { DatabaseSync, type StatementSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import type { Batch, RecordChange, StoredRecord } from "../../../domain/ledger/store.ts";
import { ENTRY_COLUMNS, QUARTER_MS, SCHEMA, SCHEMA_VERSION } from "./schema.ts";

interface Rollup {
  readonly scope: string;
  readonly quarter: number;
  readonly model: string;
  readonly provider: string;
  requests: number;
  cost: bigint;
  input: number;
  output: number;
  cached: number;
  estimated: number;
}

/**
 * Opens a ledger for writing, making it if the file is new.
 * @throws TollgateError `ledger_unreadable`, `ledger_newer`
 */
export function openForWriting(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000");
    const tables = database.prepare("SELECT count(*) AS n FROM sqlite_master").get() as { n: number };
    if (tables.n === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    checkVersion(database, path);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof TollgateError) throw error;
    throw new TollgateError("ledger_unreadable", `${path} cannot be read as a ledger: ${(error as Error).message}. Restore it from a backup, or name another data folder.`, { cause: error });
  }
}

/** @throws TollgateError `ledger_newer`, `ledger_unreadable` */
export function checkVersion(database: DatabaseSync, path: string): void {
  const row = database.prepare("SELECT value FROM meta WHERE name = 'schema_version'").get() as { value: number } | undefined;
  if (row === undefined) throw new TollgateError("ledger_unreadable", `${path} is no ledger of Tollgate.`);
  if (row.value > SCHEMA_VERSION) throw new TollgateError("ledger_newer", `${path} was written by a newer version of Tollgate (format ${row.value}, this one knows ${SCHEMA_VERSION}). Upgrade Tollgate.`);
}

/** The one connection that writes: batches of entries with their balances and roll-ups, each in one transaction (GATE 8.2). */
export class LedgerWriter {
  private readonly database: DatabaseSync;
  private readonly insertEntry: StatementSync;
  private readonly upsertBalance: StatementSync;
  private readonly upsertRollup: StatementSync;
  private readonly setMeta: StatementSync;

  constructor(database: DatabaseSync) {
    this.database = database;
    const columns = ENTRY_COLUMNS.map(([column]) => column).join(", ");
    this.insertEntry = database.prepare(`INSERT INTO entries (${columns}) VALUES (${ENTRY_COLUMNS.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`);
    this.upsertBalance = database.prepare("INSERT INTO balances VALUES (?, ?, ?, ?, ?) ON CONFLICT (counter) DO UPDATE SET spent = excluded.spent");
    this.upsertRollup = database.prepare(`INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
      cost = cost + excluded.cost, input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
      cached_tokens = cached_tokens + excluded.cached_tokens, estimated = estimated + excluded.estimated`);
    this.setMeta = database.prepare("UPDATE meta SET value = max(value, ?) WHERE name = ?");
  }

  /** Everything a start needs: no scan of the ledger (GATE 8.3). */
  load(): { lastSequence: number; newestAt: number; balances: Balance[]; records: StoredRecord[] } {
    const meta = new Map((this.database.prepare("SELECT name, value FROM meta").all() as { name: string; value: number }[]).map((row) => [row.name, row.value]));
    const balances = this.database.prepare("SELECT counter, scope, CAST(spent AS TEXT) AS spent, spec, start FROM balances").all() as unknown as (Omit<Balance, "spent"> & { spent: string })[];
    return {
      lastSequence: meta.get("last_sequence") ?? 0,
      newestAt: meta.get("newest_at") ?? 0,
      balances: balances.map((row) => ({ ...row, spent: BigInt(row.spent) })),
      records: this.database.prepare("SELECT kind, id, version, document FROM records").all() as unknown as StoredRecord[],
    };
  }

  commit(batches: readonly Batch[]): void {
    this.transaction(() => {
      const rollups = new Map<string, Rollup>();
      let newestAt = 0;
      for (const batch of batches) {
        for (const entry of batch.entries) {
          // Exactly once: a replayed id changes neither the ledger nor its sums.
          if (this.insert(entry)) gather(rollups, entry);
          if (entry.at > newestAt) newestAt = entry.at;
        }
        for (const { counter, scope, spent, spec, start } of batch.balances) this.upsertBalance.run(counter, scope, spent, spec, start);
        this.setMeta.run(batch.lastSequence, "last_sequence");
      }
      this.setMeta.run(newestAt, "newest_at");
      for (const row of rollups.values()) {
        this.upsertRollup.run(row.scope, row.quarter, row.model, row.provider, row.requests, row.cost, row.input, row.output, row.cached, row.estimated);
      }
    });
  }

  /** All or nothing. @returns the record whose version differed, or `undefined` */
  change(changes: readonly RecordChange[], balancesToDelete: readonly string[]): string | undefined {
    let lost: string | undefined;
    try {
      this.transaction(() => {
        for (const { kind, id, expectedVersion, document } of changes) {
          let result: { changes: number | bigint };
          if (document === null) result = this.database.prepare("DELETE FROM records WHERE kind = ? AND id = ? AND version = ?").run(kind, id, expectedVersion);
          else if (expectedVersion === 0) result = this.database.prepare("INSERT INTO records VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING").run(kind, id, document);
          else result = this.database.prepare("UPDATE records SET document = ?, version = version + 1 WHERE kind = ? AND id = ? AND version = ?").run(document, kind, id, expectedVersion);
          if (Number(result.changes) !== 1) {
            lost = `${kind} ${id}`;
            throw new Error("lost race");
          }
        }
        for (const counter of balancesToDelete) this.database.prepare("DELETE FROM balances WHERE counter = ?").run(counter);
      });
    } catch (error) {
      if (lost === undefined) throw error;
    }
    return lost;
  }

  close(): void {
    this.database.close();
  }

  private insert(entry: Entry): boolean {
    const values = ENTRY_COLUMNS.map(([, member]) => {
      const value = entry[member];
      return typeof value === "boolean" ? Number(value) : value;
    });
    return Number(this.insertEntry.run(...values).changes) === 1;
  }

  private transaction(work: () => void): void {
    this.database.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.database.exec("COMMIT");
    } catch (error) {
      if (this.database.isTransaction) this.database.exec("ROLLBACK");
      throw error;
    }
  }
}

function gather(rollups: Map<string, Rollup>, entry: Entry): void {
  // An adjustment moves a balance; it is no cost, so no report shows it.
  if (entry.kind === "adjustment") return;
  const quarter = Math.floor(entry.at / QUARTER_MS);
  for (const scope of entry.scopes.split(",")) {
    const key = `${scope}\n${quarter}\n${entry.model}\n${entry.provider}`;
    let row = rollups.get(key);
    if (row === undefined) {
      row = { scope, quarter, model: entry.model, provider: entry.provider, requests: 0, cost: 0n, input: 0, output: 0, cached: 0, estimated: 0 };
      rollups.set(key, row);
    }
    row.requests += entry.kind === "charge" ? 1 : 0;
    row.cost += BigInt(entry.cost);
    row.input += entry.inputTokens;
    row.output += entry.outputTokens;
    row.cached += entry.cachedTokens;
    row.estimated += entry.estimated === null ? 0 : 1;
  }
}
