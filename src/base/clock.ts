/** Where time comes from. Passed in everywhere, so that tests and simulations own it. */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch; decides windows and dates prices. */
  now(): number;
  /** Milliseconds that never step, since some fixed instant; rate limits and time-outs run on it. */
  monotonic(): number;
}

/** A clock whose wall time never steps back: a step is clamped and reported once for each time it happens. */
export class SteadyClock implements Clock {
  private last = 0;
  private clamped = false;
  private readonly source: Clock;
  private readonly onStepBack: (byMs: number) => void;

  constructor(source: Clock, onStepBack: (byMs: number) => void) {
    this.source = source;
    this.onStepBack = onStepBack;
  }

  /** Wall time never earlier than what was answered before, nor than `atLeast(…)`. */
  now(): number {
    const now = this.source.now();
    if (now >= this.last) {
      this.last = now;
      this.clamped = false;
      return now;
    }
    if (!this.clamped) {
      this.clamped = true;
      this.onStepBack(this.last - now);
    }
    return this.last;
  }

  monotonic(): number {
    return this.source.monotonic();
  }

  /** Raises the floor, for example to the newest entry that the ledger holds. */
  atLeast(epochMs: number): void {
    if (epochMs > this.last) this.last = epochMs;
  }
}
