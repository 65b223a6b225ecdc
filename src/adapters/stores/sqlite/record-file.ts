import type { DatabaseSync } from "node:sqlite";
import type { StoredRecord } from "../../../domain/ledger/store.ts";
import { patiently } from "./patiently.ts";
import { openForSharing } from "./schema.ts";
import { transaction } from "./transaction.ts";

/** Records (who has which limits) in a ledger that several programs share: read at once, written in turns. */
export class RecordFile {
  private readonly database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.database = database;
  }

  /** @throws TollgateError `ledger_unreadable`, `ledger_newer` */
  static async open(path: string): Promise<RecordFile> {
    return new RecordFile(await patiently(() => openForSharing(path)));
  }

  read(kind: StoredRecord["kind"], id: string): string | undefined {
    const row = this.database.prepare("SELECT document FROM records WHERE kind = ? AND id = ?").get(kind, id) as { document: string } | undefined;
    return row?.document;
  }

  all(kind: StoredRecord["kind"]): string[] {
    return (this.database.prepare("SELECT document FROM records WHERE kind = ? ORDER BY id").all(kind) as { document: string }[]).map(({ document }) => document);
  }

  /** Changes one record in one transaction: what `change` is given, nobody else has changed meanwhile. */
  async change(kind: StoredRecord["kind"], id: string, change: (before: string | undefined) => string): Promise<string> {
    return patiently(() => this.changeNow(kind, id, change));
  }

  close(): void {
    this.database.close();
  }

  private changeNow(kind: StoredRecord["kind"], id: string, change: (before: string | undefined) => string): string {
    return transaction(this.database, () => {
      const document = change(this.read(kind, id));
      this.database.prepare("INSERT INTO records VALUES (?, ?, 1, ?) ON CONFLICT (kind, id) DO UPDATE SET version = version + 1, document = excluded.document").run(kind, id, document);
      return document;
    });
  }
}
