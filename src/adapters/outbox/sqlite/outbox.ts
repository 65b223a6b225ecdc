import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import type { Message } from "../../../domain/alerts/message.ts";
import type { ClaimedDelivery, DeliveryRecord, Outbox } from "../../../domain/alerts/outbox.ts";
import { transaction } from "../../stores/sqlite/transaction.ts";

/** "TgOb", so that no other database is taken for an outbox. */
const APPLICATION_ID = 0x54_67_4f_62;
const BUSY_MS = 2_000;
/** Not every look at a lasting alert writes to the disk. */
const SAID_AGAIN_MS = 86_400_000;

const SCHEMA = `
CREATE TABLE messages (id TEXT NOT NULL, channel TEXT NOT NULL, message TEXT NOT NULL, added_at INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('waiting', 'over')),
  attempts INTEGER NOT NULL DEFAULT 0, due_at INTEGER NOT NULL, claimed_until INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (id, channel)) STRICT;
CREATE INDEX messages_waiting ON messages (channel, due_at) WHERE state = 'waiting';
CREATE TABLE deliveries (number INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
PRAGMA application_id = ${APPLICATION_ID};
`;

/**
 * Opens or makes the file. Its folder is made too.
 * @throws TollgateError `monitor_state_unwritable`
 */
export function openSqliteOutbox(path: string): Outbox {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const database = new DatabaseSync(path, { timeout: BUSY_MS });
    try {
      prepare(database);
      return new SqliteOutbox(database, path);
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw unwritable(path, error);
  }
}

function prepare(database: DatabaseSync): void {
  database.exec("PRAGMA synchronous = FULL");
  transaction(database, () => {
    const { application_id: application } = database.prepare("PRAGMA application_id").get() as { application_id: number };
    const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as { tables: number };
    if (tables === 0 && application === 0) database.exec(SCHEMA);
    else if (application !== APPLICATION_ID) throw new Error("it is another program's database");
  });
}

function unwritable(path: string, error: unknown): TollgateError {
  if (TollgateError.isInstance(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TollgateError("monitor_state_unwritable", `The monitor cannot keep its state in ${path} (${reason}). Name a file in a folder that it may write to, as statePath.`, { param: "statePath", cause: error });
}

class SqliteOutbox implements Outbox {
  private readonly database: DatabaseSync;
  private readonly path: string;

  constructor(database: DatabaseSync, path: string) {
    this.database = database;
    this.path = path;
  }

  add(message: Message, channels: readonly string[], now: number): number {
    return this.write(() => {
      const insert = this.database.prepare("INSERT INTO messages (id, channel, message, added_at, state, due_at) VALUES (?, ?, ?, ?, 'waiting', ?) ON CONFLICT DO NOTHING");
      // Of a message that is over, `due_at` tells when it was last said: what is still said must not be forgotten, or it would be sent anew.
      const saidAgain = this.database.prepare("UPDATE messages SET due_at = ? WHERE id = ? AND channel = ? AND state = 'over' AND due_at < ?");
      let added = 0;
      for (const channel of channels) {
        const isNew = Number(insert.run(message.id, channel, JSON.stringify(message), now, now).changes);
        if (isNew === 0) saidAgain.run(now, message.id, channel, now - SAID_AGAIN_MS);
        added += isNew;
      }
      return added;
    });
  }

  claim(channels: readonly string[], now: number, forMs: number): ClaimedDelivery | undefined {
    return this.write(() => {
      const row = this.database.prepare(`SELECT id, channel, message, attempts FROM messages WHERE state = 'waiting' AND due_at <= ? AND claimed_until <= ? AND channel IN (${channels.map(() => "?").join(", ")}) ORDER BY due_at, added_at, id LIMIT 1`)
        .get(now, now, ...channels) as { id: string; channel: string; message: string; attempts: number } | undefined;
      if (row === undefined) return undefined;
      this.database.prepare("UPDATE messages SET claimed_until = ? WHERE id = ? AND channel = ?").run(now + forMs, row.id, row.channel);
      return { message: JSON.parse(row.message) as Message, channel: row.channel, attempts: row.attempts };
    });
  }

  record({ message, channel }: ClaimedDelivery, record: DeliveryRecord, next: number | undefined): void {
    this.write(() => {
      this.database.prepare("INSERT INTO deliveries (record) VALUES (?)").run(JSON.stringify(record));
      this.database.prepare("UPDATE messages SET attempts = ?, state = ?, due_at = ?, claimed_until = 0 WHERE id = ? AND channel = ?")
        .run(record.attempt, next === undefined ? "over" : "waiting", next ?? Date.parse(record.at), message.id, channel);
    });
  }

  prune(before: number): void {
    this.write(() => {
      this.database.prepare("DELETE FROM messages WHERE state = 'over' AND due_at < ?").run(before);
      this.database.prepare("DELETE FROM deliveries WHERE record ->> 'at' < ?").run(new Date(before).toISOString());
    });
  }

  log(limit: number): DeliveryRecord[] {
    return this.database.prepare("SELECT record FROM deliveries ORDER BY number DESC LIMIT ?").all(limit).map((row) => JSON.parse(row["record"] as string) as DeliveryRecord);
  }

  waiting(channels: readonly string[]): number {
    return Number(this.database.prepare(`SELECT count(*) AS waiting FROM messages WHERE state = 'waiting' AND channel IN (${channels.map(() => "?").join(", ")})`).get(...channels)?.["waiting"] ?? 0);
  }

  close(): void {
    this.database.close();
  }

  private write<T>(change: () => T): T {
    try {
      return transaction(this.database, change);
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }
}
