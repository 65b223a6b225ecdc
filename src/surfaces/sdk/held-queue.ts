/** How a try of a waiting call went: it is out of the queue, or the same scope still holds it up. */
export type TryOutcome = "left" | "still_held";

interface Waiter {
  readonly tryAgain: () => Promise<TryOutcome>;
  gone: boolean;
}

/** Other processes on the same books, windows that reset and limits that are raised give no sign here. */
const POLL_MS = 100;

/**
 * Calls that a budget cannot admit now because calls in flight hold its rest (GATE 3.1, `budget_held`). They wait for a
 * settlement in that scope, first come, first served: a small call does not overtake a large one for ever.
 */
export class HeldQueue {
  private readonly queues = new Map<string, Waiter[]>();
  private readonly pumping = new Map<string, boolean>();
  private timer: ReturnType<typeof setInterval> | undefined;

  /** Waits in the queue of a scope. @returns a function that leaves the queue */
  wait(scope: string, tryAgain: () => Promise<TryOutcome>): () => void {
    const waiter: Waiter = { tryAgain, gone: false };
    const queue = this.queues.get(scope);
    if (queue === undefined) {
      this.queues.set(scope, [waiter]);
      // A settlement between the refusal and now is not missed.
      queueMicrotask(() => this.wake(scope));
    } else queue.push(waiter);
    this.timer ??= setInterval(() => this.wakeAll(), POLL_MS);
    return () => {
      waiter.gone = true;
    };
  }

  /** Money came back in this scope. */
  wake(scope: string): void {
    if (this.queues.has(scope)) void this.pump(scope);
  }

  wakeAll(): void {
    for (const scope of [...this.queues.keys()]) void this.pump(scope);
  }

  get waiting(): number {
    let count = 0;
    for (const queue of this.queues.values()) for (const waiter of queue) if (!waiter.gone) count += 1;
    return count;
  }

  /** Tries from the front until one is still held up. One pump per scope; a wake in between makes it go on. */
  private async pump(scope: string): Promise<void> {
    if (this.pumping.has(scope)) {
      this.pumping.set(scope, true);
      return;
    }
    this.pumping.set(scope, false);
    const queue = this.queues.get(scope) ?? [];
    while (queue.length > 0) {
      const [first] = queue as [Waiter];
      if (first.gone) {
        queue.shift();
        continue;
      }
      this.pumping.set(scope, false);
      if ((await first.tryAgain()) === "left") queue.shift();
      else if (this.pumping.get(scope) !== true) break;
    }
    this.pumping.delete(scope);
    if (queue.length === 0) this.queues.delete(scope);
    if (this.queues.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }
}
