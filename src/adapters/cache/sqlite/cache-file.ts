import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { TollgateError } from "../../../base/errors.ts";
import type { CacheStats } from "../../../domain/cache/response-cache.ts";
import { bytesOf, isFresh, type StoredAnswer } from "../../../domain/cache/stored-answer.ts";
import { transaction } from "../../stores/sqlite/transaction.ts";
import { isBusy, openDatabase, unreadable } from "./open-database.ts";

/** Of what has expired, so much is removed with each answer that is kept. */
const EXPIRED_AT_ONCE = 100;
/** Uses are written together: a hit must not wait for a disk. */
const USES_AFTER_MS = 1_000;
const USES_MAX = 1_000;
/** Another program writes: so long it is waited for, in turns of the event loop. */
const PATIENCE_MS = 500;

const COLUMNS = "stored_at AS storedAt, expires_at AS expiresAt, cost, price_version AS priceVersion, model, response_id AS responseId, raw_usage AS rawUsage, checksum, body";

type Row = Omit<StoredAnswer, "body"> & { readonly body: Uint8Array; readonly checksum: number };

export interface CacheFileOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** Opens the file, or makes it. @throws TollgateError `cache_unreadable`, `cache_newer`, `file_unwritable` */
export async function openCacheFile(options: CacheFileOptions): Promise<CacheFile> {
  return new CacheFile(await openDatabase(options.path), options);
}

/** The statements of one connection to a cache's file. Nothing on it waits for a lock. */
export class CacheFile {
  private readonly database: DatabaseSync;
  private readonly options: CacheFileOptions;
  private readonly select: StatementSync;
  private readonly insert: StatementSync;
  private readonly remove: StatementSync;
  private readonly removeExpired: StatementSync;
  private readonly removeOldest: StatementSync;
  private readonly touch: StatementSync;
  private readonly totals: StatementSync;
  /** When answers were used, and not yet written. */
  private uses = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(database: DatabaseSync, options: CacheFileOptions) {
    this.database = database;
    this.options = options;
    this.select = database.prepare(`SELECT ${COLUMNS} FROM answers WHERE key = ?`);
    // What is kept now is the newest, also by a clock that is behind another program's.
    this.insert = database.prepare("INSERT INTO answers (key, used_at, bytes, stored_at, expires_at, cost, price_version, model, response_id, raw_usage, checksum, body) VALUES (?, max(?, coalesce((SELECT max(used_at) FROM answers), 0)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.remove = database.prepare("DELETE FROM answers WHERE key = ?");
    this.removeExpired = database.prepare(`DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE expires_at <= ? LIMIT ${EXPIRED_AT_ONCE})`);
    this.removeOldest = database.prepare("DELETE FROM answers WHERE rowid = (SELECT rowid FROM answers ORDER BY used_at, rowid LIMIT 1)");
    this.touch = database.prepare("UPDATE answers SET used_at = ? WHERE key = ? AND used_at < ?");
    this.totals = database.prepare("SELECT entries, bytes FROM totals");
  }

  get(key: string, now: number): StoredAnswer | undefined {
    let row: Row | undefined;
    try {
      row = this.select.get(key) as unknown as Row | undefined;
    } catch (error) {
      // Who comes while a log is being recovered finds nothing.
      if (isBusy(error)) return undefined;
      throw error;
    }
    if (row === undefined) return undefined;
    const { checksum, ...answer } = row;
    // A page that changed behind SQLite's back: this answer is lost, and is not given to anybody.
    if (checksumOf(answer) !== checksum || !isFresh(answer, now)) return undefined;
    this.used(key, now);
    return answer;
  }

  async set(key: string, answer: StoredAnswer, now: number): Promise<void> {
    const bytes = bytesOf(key, answer);
    await this.write(() => {
      this.writeUses();
      this.remove.run(key);
      this.removeExpired.run(now);
      if (bytes > this.options.maxBytes) return;
      const { body, storedAt, expiresAt, cost, priceVersion, model, responseId, rawUsage } = answer;
      this.insert.run(key, now, bytes, storedAt, expiresAt, cost, priceVersion, model, responseId, rawUsage, checksumOf(answer), body);
      for (let held = this.stats(); held.bytes > this.options.maxBytes || held.entries > this.options.maxEntries; held = this.stats()) this.removeOldest.run();
    });
  }

  async clear(): Promise<void> {
    await this.write(() => {
      this.uses.clear();
      this.database.exec("DELETE FROM answers");
    });
  }

  stats(): CacheStats {
    const { entries, bytes } = this.totals.get() as unknown as CacheStats;
    return { entries, bytes };
  }

  close(): void {
    clearTimeout(this.timer);
    if (!this.database.isOpen) return;
    try {
      if (this.uses.size > 0) transaction(this.database, () => this.writeUses());
    } catch {
      // When an answer was last used is worth no error.
    }
    this.database.close();
  }

  /** What a failure means: a file that is damaged, or something that passes. */
  problemOf(error: unknown): TollgateError | Error {
    return unreadable(this.options.path, error) ?? (error instanceof Error ? error : new Error(String(error)));
  }

  private used(key: string, now: number): void {
    this.uses.delete(key);
    this.uses.set(key, now);
    if (this.uses.size >= USES_MAX) this.tryWriteUses();
    else this.timer ??= setTimeout(() => this.tryWriteUses(), USES_AFTER_MS).unref();
  }

  private tryWriteUses(): void {
    try {
      transaction(this.database, () => this.writeUses());
    } catch {
      // Another program writes, or the disk is full: then only the order of forgetting is less exact.
      this.uses.clear();
    }
  }

  private writeUses(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const uses = this.uses;
    this.uses = new Map();
    for (const [key, at] of uses) this.touch.run(at, key, at);
  }

  /** One transaction, tried again while another program writes. @throws SQLite's error */
  private async write(work: () => void): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        transaction(this.database, work);
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > untilMs) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 10));
    }
  }
}

/** Over everything that is given back. */
function checksumOf({ body, storedAt, expiresAt, cost, priceVersion, model, responseId, rawUsage }: StoredAnswer): number {
  return crc32(body, crc32(JSON.stringify([storedAt, expiresAt, cost, priceVersion, model, responseId, rawUsage])));
}
