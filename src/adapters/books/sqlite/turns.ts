import { performance } from "node:perf_hooks";
import { isBusy } from "../../stores/sqlite/schema.ts";
import type { LedgerFile } from "./ledger-file.ts";

/** One call of the books, to be done in a transaction with others. */
export interface Operation {
  readonly writes: boolean;
  /** Runs inside the transaction; what it returns is called once that is committed. */
  run(): () => void;
  /** Told that the transaction failed. @returns true if the operation must be tried again */
  failed(error: Error): boolean;
}

const OPERATIONS_MAX = 256;
/** What another process may hold the write lock for before nobody is left waiting. */
const BUSY_MS = 10_000;
const RETRY_FAILED_MS = 250;
/** Others that write are known of for this long after their last commit. */
const OTHERS_MS = 1_000;
/** Nobody's turns follow each other for longer than this while others write; then the lock is free for `PAUSE_MS`. */
const RUN_MS = 5;
const PAUSE_MS = 2;

/**
 * Gathers the operations of one turn of the event loop into one transaction. The thread never waits for the write
 * lock: a busy file is tried again after a few random milliseconds, and a process that sees others write pauses now and
 * then, so that none of them is kept out.
 */
export class Turns {
  private readonly ledger: LedgerFile;
  private readonly begun: () => void;
  private readonly committed: () => void;
  private queue: Operation[] = [];
  private failing: Operation[] = [];
  private scheduled = false;
  private retry: NodeJS.Timeout | undefined;
  private lastProblem: Error | undefined;
  private busySince: number | undefined;
  private othersUntil = 0;
  private lastTurnAt = 0;
  /** Since when turns have followed each other without a gap in which another process could have begun. */
  private runSince = 0;
  private waiting: { resolve(): void; reject(error: Error): void }[] = [];
  /** For the bench: how often the file was busy. */
  busyCount = 0;

  /**
   * @param begun called inside each transaction, before its operations
   * @param committed called after each that wrote
   */
  constructor(ledger: LedgerFile, begun: () => void, committed: () => void) {
    this.ledger = ledger;
    this.begun = begun;
    this.committed = committed;
  }

  add(operation: Operation): void {
    this.queue.push(operation);
    this.schedule();
  }

  /** Resolves once everything added so far is committed. @throws what keeps it from being committed */
  idle(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.settleWaiting();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.queue.length === 0) return;
    this.scheduled = true;
    const now = performance.now();
    if (now < this.othersUntil && now - this.runSince > RUN_MS && now - this.lastTurnAt < PAUSE_MS) setTimeout(() => this.turn(), PAUSE_MS);
    else setImmediate(() => this.turn());
  }

  private turn(): void {
    this.scheduled = false;
    const batch = this.queue.splice(0, OPERATIONS_MAX);
    if (batch.length > 0) {
      const now = performance.now();
      if (now - this.lastTurnAt >= PAUSE_MS) this.runSince = now;
      this.transact(batch);
      this.lastTurnAt = performance.now();
    }
    this.schedule();
    this.settleWaiting();
  }

  private transact(batch: readonly Operation[]): void {
    const writes = batch.some((operation) => operation.writes);
    const answers: (() => void)[] = [];
    try {
      this.ledger.begin(writes);
      this.busySince = undefined;
      if (this.ledger.othersWrote) this.othersUntil = performance.now() + OTHERS_MS;
      this.begun();
      for (const operation of batch) answers.push(operation.run());
      this.ledger.commit();
    } catch (error) {
      this.ledger.rollback();
      this.undone(batch, error as Error);
      return;
    }
    this.lastProblem = undefined;
    if (writes) this.committed();
    for (const answer of answers) {
      try {
        answer();
      } catch (error) {
        // The caller's own defect must not keep the others from their answers.
        queueMicrotask(() => { throw error; });
      }
    }
  }

  private undone(batch: readonly Operation[], error: Error): void {
    if (isBusy(error)) {
      this.busyCount += 1;
      const now = performance.now();
      this.busySince ??= now;
      if (now - this.busySince < BUSY_MS) {
        this.again(batch);
        return;
      }
      this.busySince = undefined;
    } else if (batch.length > 1 && !isOfTheDisk(error)) {
      // One of them cannot be done: the others must not suffer for it.
      for (const operation of batch) this.transact([operation]);
      return;
    }
    this.lastProblem = error;
    this.failing.push(...batch.filter((operation) => operation.failed(error)));
    if (this.failing.length > 0) this.retry ??= setTimeout(() => this.retryFailing(), RETRY_FAILED_MS);
  }

  /** Tried again in their order, after 1 to 2 ms. */
  private again(batch: readonly Operation[]): void {
    this.queue = [...batch, ...this.queue];
    this.scheduled = true;
    setTimeout(() => this.turn(), 1 + Math.random());
  }

  private retryFailing(): void {
    this.retry = undefined;
    this.queue = [...this.failing, ...this.queue];
    this.failing = [];
    this.schedule();
  }

  private settleWaiting(): void {
    if (this.waiting.length === 0) return;
    const problem = this.failing.length > 0 ? this.lastProblem : undefined;
    if (problem === undefined && (this.queue.length > 0 || this.failing.length > 0)) return;
    const waiting = this.waiting;
    this.waiting = [];
    for (const { resolve, reject } of waiting) problem === undefined ? resolve() : reject(problem);
  }
}

/** Full, read-only, or failing: no operation is to blame. */
function isOfTheDisk(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && [8, 10, 11, 13, 14, 26].includes(code & 0xff);
}
