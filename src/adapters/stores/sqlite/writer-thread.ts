import type { Batch } from "../../../domain/ledger/store.ts";
import { errorOf, type WriterRequest } from "./messages.ts";
import { WorkerCalls } from "./worker-calls.ts";

const FIRST_RESTART_MS = 50;
const LONGEST_RESTART_MS = 5_000;

type WithoutId<Request> = Request extends { readonly id: number } ? Omit<Request, "id"> : never;
export type WriterCall = WithoutId<Exclude<WriterRequest, { readonly type: "close" }>> ;

export interface WriterListeners {
  committed(lastSequence: number): void;
  /** A commit that failed and is tried again, or the end of the thread. */
  problem(error: Error): void;
  /** False from the end of the thread until the next one has committed what that one may have lost. */
  health?(healthy: boolean): void;
}

/**
 * The thread that writes the ledger, whichever it is: one that ends is replaced, and told again what it had not
 * committed. Entries are written once by their ids, balances are absolute, so nothing is lost and nothing counts twice.
 */
export class WriterThread {
  private readonly path: string;
  private readonly listeners: WriterListeners;
  private thread: WorkerCalls;
  private uncommitted: Batch[] = [];
  /** Told once the next thread is there, while there is none. */
  private waiting: (() => void)[] | undefined;
  private timer: NodeJS.Timeout | undefined;
  private restartMs = FIRST_RESTART_MS;
  private closed = false;

  constructor(path: string, listeners: WriterListeners) {
    this.path = path;
    this.listeners = listeners;
    this.thread = this.begin();
  }

  /** Never moved to the thread: this side keeps it until it is committed. */
  write(batch: Batch): void {
    this.uncommitted.push(batch);
    this.thread.post({ type: "write", batch });
  }

  post(message: object): void {
    this.thread.post(message);
  }

  /** A call that the thread's end leaves without an answer is made again to the next one. */
  async call(request: WriterCall): Promise<unknown> {
    for (let again = false; ; again = true) {
      if (this.waiting !== undefined) await new Promise<void>((resolve) => this.waiting?.push(resolve));
      const { thread } = this;
      try {
        return await thread.call(again ? { ...request, again } : request);
      } catch (error) {
        if (!thread.hasEnded || this.closed) throw error;
      }
    }
  }

  /** What cannot be written any more is in the journal, and is replayed at the next start. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    const told = this.waiting;
    this.waiting = undefined;
    for (const go of told ?? []) go();
    try {
      if (!this.thread.hasEnded) await this.thread.call({ type: "close" });
    } finally {
      await this.thread.terminate();
    }
  }

  private begin(): WorkerCalls {
    const thread = new WorkerCalls("writer-worker", this.path, {
      notice: (notice) => {
        if (notice.type === "problem") this.listeners.problem(errorOf(notice.error));
        if (notice.type !== "committed") return;
        this.uncommitted.splice(0, notice.batches);
        this.listeners.committed(notice.lastSequence);
      },
      ended: (error) => {
        if (!this.closed) this.restart(error);
      },
    });
    return thread;
  }

  private restart(error: Error): void {
    this.waiting ??= [];
    this.listeners.health?.(false);
    this.listeners.problem(error);
    this.timer = setTimeout(() => {
      this.thread = this.begin();
      for (const batch of this.uncommitted) this.thread.post({ type: "write", batch });
      const told = this.waiting ?? [];
      this.waiting = undefined;
      for (const go of told) go();
      this.thread.call({ type: "commit", patient: true }).then(() => {
        this.restartMs = FIRST_RESTART_MS;
        this.listeners.health?.(true);
      }, () => {});
    }, this.restartMs);
    this.restartMs = Math.min(this.restartMs * 2, LONGEST_RESTART_MS);
  }
}
