/** What one request put into a sliding window; corrected at settlement (GATE 7.2). */
export interface SlidingPart {
  /** Monotonic milliseconds of the latest request in it. */
  lastMs: number;
  readonly firstMs: number;
  amount: bigint;
  live: boolean;
}

/** A part may gather requests of this many milliseconds once a window has many parts: finer than a second (GATE 7.1). */
const GATHER_MS = 250;
const PARTS_EXACT = 64;

/**
 * A sliding window as a queue of parts. A part counts until its *latest* request is older than the span, so what is
 * gathered in it counts fully until then: never too little, and no burst of twice the limit at a boundary.
 */
export class SlidingCounter {
  private readonly spanMs: number;
  private readonly parts: SlidingPart[] = [];
  private first = 0;
  private sum = 0n;

  constructor(spanMs: number) {
    this.spanMs = spanMs;
  }

  /** Forgets what is older than the span, and answers what the window holds. */
  at(nowMs: number): bigint {
    const { parts } = this;
    while (this.first < parts.length) {
      const part = parts[this.first] as SlidingPart;
      if (nowMs - part.lastMs < this.spanMs) break;
      this.sum -= part.amount;
      part.live = false;
      this.first += 1;
    }
    if (this.first === parts.length && this.first > 0) {
      parts.length = 0;
      this.first = 0;
    } else if (this.first > 256) {
      parts.splice(0, this.first);
      this.first = 0;
    }
    return this.sum;
  }

  /** Puts an amount in at `nowMs`; call `at(nowMs)` before. */
  add(nowMs: number, amount: bigint): SlidingPart {
    this.sum += amount;
    const last = this.parts[this.parts.length - 1];
    if (last !== undefined && this.parts.length - this.first > PARTS_EXACT && nowMs - last.firstMs < GATHER_MS) {
      last.amount += amount;
      last.lastMs = nowMs;
      return last;
    }
    const part: SlidingPart = { firstMs: nowMs, lastMs: nowMs, amount, live: true };
    this.parts.push(part);
    return part;
  }

  /** Changes what a request put in, where it still counts. */
  correct(part: SlidingPart, by: bigint): void {
    part.amount += by;
    if (part.live) this.sum += by;
  }

  /** Milliseconds until `amount` fits under `cap`, if nothing else comes. */
  fitsInMs(nowMs: number, amount: bigint, cap: bigint): number {
    let rest = this.at(nowMs);
    for (let i = this.first; i < this.parts.length && rest + amount > cap; i += 1) {
      const part = this.parts[i] as SlidingPart;
      rest -= part.amount;
      if (rest + amount <= cap) return Math.max(0, part.lastMs + this.spanMs - nowMs);
    }
    return rest + amount <= cap ? 0 : this.spanMs;
  }

  get empty(): boolean {
    return this.first === this.parts.length;
  }
}
