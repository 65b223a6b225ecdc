import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isBusy } from "../../stores/sqlite/schema.ts";

/**
 * Who lives: each instance of books holds an exclusive lock on a file of its own, which ends with its process, however
 * it ends. Files are made, taken and removed only by who holds the ledger's write lock, so nobody meets a file half-way.
 */
export class Owners {
  private readonly folder: string;
  readonly id: string;
  private lock: DatabaseSync | undefined;

  /** @param id never used before */
  constructor(folder: string, id: string) {
    this.folder = folder;
    this.id = id;
  }

  /** Call it inside a transaction that writes. */
  enter(): void {
    mkdirSync(this.folder, { recursive: true });
    this.lock = locked(this.path(this.id));
  }

  /** True if the process of that owner is dead. Call it inside a transaction that writes. */
  isDead(owner: string): boolean {
    if (owner === this.id) return false;
    const path = this.path(owner);
    if (!existsSync(path)) return true;
    try {
      locked(path).close();
      return true;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  }

  /** Removes what dead owners left, once nothing of theirs is held. Call it inside a transaction that writes. */
  tidy(holders: ReadonlySet<string>): void {
    for (const owner of readdirSync(this.folder)) if (!holders.has(owner) && this.isDead(owner)) rmSync(this.path(owner), { force: true });
  }

  /** Call it inside a transaction that writes. @param holds true if attempts are still open: the file stays, for a sweep */
  leave(holds: boolean): void {
    if (!holds && this.lock !== undefined) rmSync(this.path(this.id), { force: true });
    this.drop();
  }

  /** Ends the lock and nothing else, as the death of the process would. */
  drop(): void {
    if (this.lock?.isOpen === true) this.lock.close();
    this.lock = undefined;
  }

  private path(owner: string): string {
    return join(this.folder, owner);
  }
}

function locked(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
