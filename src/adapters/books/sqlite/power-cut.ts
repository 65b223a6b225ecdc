import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";

const SYNC_AFTER_MS = 200;

/**
 * Makes commits outlast a power cut, 200 ms after the first of them at the latest. `synchronous=NORMAL` syncs the
 * write-ahead log only when it is copied into the ledger; syncing the log from a thread of the pool does what a FULL
 * commit would, without stopping this thread or holding the write lock meanwhile.
 */
export class PowerCutGuard {
  private readonly path: string;
  private readonly onProblem: (error: Error) => void;
  private descriptor: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private syncing = false;
  private dirty = false;
  private closed = false;

  constructor(ledgerPath: string, onProblem: (error: Error) => void) {
    this.path = `${ledgerPath}-wal`;
    this.onProblem = onProblem;
  }

  committed(): void {
    this.dirty = true;
    // The process may end meanwhile: what is committed outlasts it anyway.
    if (this.timer === undefined && !this.closed) this.timer = setTimeout(() => this.sync(), SYNC_AFTER_MS).unref();
  }

  /** Returns once everything committed so far would outlast a power cut. */
  flush(): void {
    if (!this.dirty && !this.syncing) return;
    fdatasyncSync(this.open());
    this.dirty = false;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    if (this.descriptor !== undefined && !this.syncing) closeSync(this.descriptor);
    if (!this.syncing) this.descriptor = undefined;
  }

  private sync(): void {
    this.timer = undefined;
    if (this.syncing || !this.dirty) return;
    let descriptor: number;
    try {
      descriptor = this.open();
    } catch (error) {
      this.onProblem(error as Error);
      return;
    }
    this.syncing = true;
    this.dirty = false;
    fdatasync(descriptor, (error) => {
      this.syncing = false;
      if (error !== null) {
        this.dirty = true;
        this.onProblem(error);
      }
      if (this.closed) this.close();
      else if (this.dirty) this.committed();
    });
  }

  /** While one connection is open the log stays the same file. */
  private open(): number {
    this.descriptor ??= openSync(this.path, "r+");
    return this.descriptor;
  }
}
