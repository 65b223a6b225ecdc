import type { DatabaseSync, StatementSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { forEachEntry } from "../../../domain/ledger/entry-lines.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import type { Batch, RecordChange, StoredRecord } from "../../../domain/ledger/store.ts";
import { LIFETIME } from "../../../domain/windows/window.ts";
import { INSERT_ENTRY, valuesOf } from "./entry-columns.ts";
import { RollupSums } from "./rollup-sums.ts";
import { transaction } from "./transaction.ts";

export interface Loaded {
  readonly lastSequence: number;
  readonly newestAt: number;
  readonly balances: readonly Balance[];
  readonly records: readonly StoredRecord[];
}

/** The statements of the one connection that writes (GATE 8.2). Every method is one transaction. */
export class LedgerWriter {
  private readonly database: DatabaseSync;
  private readonly insertEntry: StatementSync;
  private readonly upsertBalance: StatementSync;
  private readonly deleteBalance: StatementSync;
  private readonly updateMeta: StatementSync;
  private readonly rollups: RollupSums;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.insertEntry = database.prepare(INSERT_ENTRY);
    this.upsertBalance = database.prepare("INSERT INTO balances VALUES (?, ?, ?, ?, ?) ON CONFLICT (counter) DO UPDATE SET spent = excluded.spent");
    this.deleteBalance = database.prepare("DELETE FROM balances WHERE counter = ?");
    this.updateMeta = database.prepare("UPDATE meta SET last_sequence = max(last_sequence, ?), newest_at = max(newest_at, ?)");
    this.rollups = new RollupSums(database);
  }

  load(): Loaded {
    const meta = this.database.prepare("SELECT last_sequence AS lastSequence, newest_at AS newestAt FROM meta").get() as { lastSequence: number; newestAt: number };
    const balances = this.database.prepare("SELECT counter, scope, CAST(spent AS TEXT) AS spent, spec, start FROM balances").all() as unknown as (Omit<Balance, "spent"> & { spent: string })[];
    const records = this.database.prepare("SELECT kind, id, version, document FROM records ORDER BY kind, id").all() as unknown as StoredRecord[];
    return {
      ...meta,
      balances: balances.map((balance) => ({ ...balance, spent: BigInt(balance.spent) })),
      records: records.map((record) => ({ ...record })),
    };
  }

  /** Entries, roll-ups, balances and the sequence number: all of them, or on an error none. */
  write(batches: readonly Batch[]): void {
    this.rollups.clear();
    transaction(this.database, () => {
      let newestAt = 0;
      let lastSequence = 0;
      const balances = new Map<string, Balance | undefined>();
      const insert = (entry: Entry): void => {
        if (this.insertEntry.run(...valuesOf(entry)).changes === 0) return;
        this.rollups.add(entry);
        if (entry.at > newestAt) newestAt = entry.at;
      };
      for (const batch of batches) {
        for (const entry of batch.entries) insert(entry);
        if (batch.lines !== undefined) forEachEntry(batch.lines, decoderOf, insert);
        for (const balance of batch.balances) balances.set(balance.counter, balance);
        for (const counter of batch.forgotten ?? []) balances.set(counter, undefined);
        lastSequence = Math.max(lastSequence, batch.lastSequence);
      }
      this.rollups.flush();
      for (const [counter, balance] of balances) {
        if (balance === undefined) this.deleteBalance.run(counter);
        else this.upsertBalance.run(balance.counter, balance.scope, balance.spent, balance.spec, balance.start);
      }
      this.updateMeta.run(lastSequence, newestAt);
    });
  }

  /** @throws TollgateError `conflict` if a row no longer has the version it was read with; nothing is changed then */
  change(changes: readonly RecordChange[], balancesToDelete: readonly string[]): void {
    transaction(this.database, () => {
      for (const change of changes) this.changeRecord(change);
      // The entries of a deleted scope stay: an audit must know that its balance is not missing.
      const remember = this.database.prepare("INSERT OR IGNORE INTO deleted_balances SELECT counter, scope FROM balances WHERE counter = ? AND spec = ?");
      const remove = this.database.prepare("DELETE FROM balances WHERE counter = ?");
      for (const counter of balancesToDelete) {
        remember.run(counter, JSON.stringify(LIFETIME));
        remove.run(counter);
      }
    });
  }

  /** Every row stands as these changes leave it. */
  isMade(changes: readonly RecordChange[]): boolean {
    const select = this.database.prepare("SELECT version, document FROM records WHERE kind = ? AND id = ?");
    return changes.every(({ kind, id, expectedVersion, document }) => {
      const row = select.get(kind, id) as { version: number; document: string } | undefined;
      return document === null ? row === undefined : row?.version === expectedVersion + 1 && row.document === document;
    });
  }

  private changeRecord({ kind, id, expectedVersion, document }: RecordChange): void {
    const row = this.database.prepare("SELECT version FROM records WHERE kind = ? AND id = ?").get(kind, id) as { version: number } | undefined;
    if ((row?.version ?? 0) !== expectedVersion) {
      throw new TollgateError("conflict", `The ${kind} ${id} was changed by somebody else at the same time. Read it again and repeat the change.`);
    }
    if (document === null) {
      this.database.prepare("DELETE FROM records WHERE kind = ? AND id = ?").run(kind, id);
    } else {
      this.database
        .prepare("INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, document = excluded.document")
        .run(kind, id, expectedVersion + 1, document);
    }
  }
}

function decoderOf(bytes: Uint8Array): (start: number, end: number) => string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (start, end) => buffer.toString("utf8", start, end);
}
