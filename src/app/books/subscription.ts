import { follow, type FollowOptions } from "../../domain/analytics/follow.ts";
import type { CostSource } from "../../domain/analytics/source.ts";
import { trackedEntry, type TrackedEntry } from "./tracked-entry.ts";

const AFTER_FAILURE_MS = 1_000;

/** Entries as they are written. Iterate over it, or give a listener; `close` ends it. */
export class Subscription implements AsyncIterable<TrackedEntry>, AsyncDisposable {
  private readonly entries: AsyncGenerator<TrackedEntry, void, void>;
  private readonly onClose: (() => void)[] = [];
  private waiting: (() => void) | undefined;
  private woken = false;
  private over = false;

  /** @internal */
  constructor(source: CostSource, options: Pick<FollowOptions, "position" | "since" | "filter" | "onProblem"> & { readonly pollMs: number }) {
    const { pollMs } = options;
    this.entries = tracked(follow(source, {
      ...options,
      isOver: () => this.over,
      wait: (after) => this.wait(after === "nothing" ? pollMs : Math.max(pollMs, AFTER_FAILURE_MS)),
    }));
  }

  [Symbol.asyncIterator](): AsyncIterator<TrackedEntry> {
    return this.entries;
  }

  /** @internal Something was written by this process. */
  readonly wake = (): void => {
    this.woken = true;
    this.waiting?.();
  };

  /** @internal */
  closed(then: () => void): void {
    this.onClose.push(then);
  }

  /** Ends the iteration; no entry is told after it. */
  readonly close = async (): Promise<void> => {
    if (this.over) return;
    this.over = true;
    this.waiting?.();
    for (const then of this.onClose) then();
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async wait(ms: number): Promise<void> {
    if (!this.woken && !this.over) {
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
        // Who only listens does not keep the program alive.
        setTimeout(resolve, ms).unref();
      });
      this.waiting = undefined;
    }
    this.woken = false;
  }
}

async function* tracked(entries: ReturnType<typeof follow>): AsyncGenerator<TrackedEntry, void, void> {
  for await (const entry of entries) yield trackedEntry(entry);
}
