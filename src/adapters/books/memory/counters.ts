import type { NanoUsd } from "../../../base/money.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import { SlidingCounter } from "../../../domain/limits/sliding.ts";
import { spanAt } from "../../../domain/windows/span.ts";
import type { WindowSpan, WindowSpec } from "../../../domain/windows/window.ts";

/** A window that ended is kept for this long: for admissions whose body was slow, and for late corrections. */
const KEEP_PAST_MS = 3_600_000;

/** Money of one window of one counter. Attempts keep the bucket they were admitted in, whatever the clock says later (GATE 6.1). */
export class Bucket {
  readonly counter: MoneyCounter;
  readonly id: string;
  readonly start: number;
  readonly end: number;
  /** Settled, as decisions see it. */
  spent: NanoUsd;
  held: NanoUsd = 0n;
  /** Settled and in the journal: what may be stored as a balance. */
  posted: NanoUsd;
  /** Attempts and unposted entries that will still change it. */
  users = 0;

  constructor(counter: MoneyCounter, span: WindowSpan, spent: NanoUsd) {
    this.counter = counter;
    this.id = `${counter.name}@${span.start}`;
    this.start = span.start;
    this.end = span.end;
    this.spent = spent;
    this.posted = spent;
  }

  balance(): Balance {
    const { scope, specText } = this.counter;
    return { counter: this.id, scope, spent: this.posted, spec: specText, start: this.start };
  }
}

/** The windows of one budget, one after the other. */
export class MoneyCounter {
  /** Scope as text. */
  readonly scope: string;
  readonly model: string | undefined;
  readonly spec: WindowSpec;
  /** `counterName`: what the identities of its windows begin with. */
  readonly name: string;
  readonly specText: string;
  private current: Bucket;
  private past: Bucket[] = [];
  /** All windows from here on are known: one without a bucket was never charged. */
  private knownFrom: number;

  /** @param stored windows that the ledger has a balance of, by their start */
  constructor(identity: { readonly scope: string; readonly model: string | undefined; readonly spec: WindowSpec; readonly name: string }, at: number, stored: ReadonlyMap<number, NanoUsd>) {
    this.scope = identity.scope;
    this.model = identity.model;
    this.spec = identity.spec;
    this.name = identity.name;
    this.specText = JSON.stringify(identity.spec);
    const span = spanAt(this.spec, at);
    this.current = new Bucket(this, span, stored.get(span.start) ?? 0n);
    this.knownFrom = stored.size === 0 ? span.start : Math.max(...stored.keys());
    for (const [start, spent] of stored) if (start !== span.start) this.past.push(new Bucket(this, spanAt(this.spec, start), spent));
  }

  /** The bucket of this instant: a window that has ended is simply left (GATE promise 8). */
  at(now: number): Bucket {
    if (now >= this.current.end) {
      this.past.push(this.current);
      this.current = new Bucket(this, spanAt(this.spec, now), 0n);
    }
    return this.current;
  }

  /** The bucket that an admission at `at` belongs to, at this instant or before; `undefined` if that window is forgotten or was never known. */
  find(at: number): Bucket | undefined {
    const current = this.at(at);
    if (at >= current.start) return current;
    const known = this.past.find((bucket) => at >= bucket.start && at < bucket.end);
    return known !== undefined || at < this.knownFrom ? known : this.remember(spanAt(this.spec, at), 0n);
  }

  /** Takes up a window that ended before this counter was made. */
  remember(span: WindowSpan, spent: NanoUsd): Bucket {
    const bucket = new Bucket(this, span, spent);
    this.past.push(bucket);
    return bucket;
  }

  /** Gives up windows that ended long ago and that nobody can change any more. @returns their identities */
  forget(now: number): readonly string[] {
    if (this.past.length === 0) return NONE;
    const old = this.past.filter((bucket) => bucket.users === 0 && isForgotten(bucket, now));
    if (old.length > 0) this.past = this.past.filter((bucket) => !old.includes(bucket));
    for (const { end } of old) this.knownFrom = Math.max(this.knownFrom, end);
    return old.map((bucket) => bucket.id);
  }
}

const NONE: readonly string[] = [];

export function isForgotten({ end }: WindowSpan, now: number): boolean {
  return end <= now - KEEP_PAST_MS;
}

export class SlotCounter {
  inUse = 0n;
}

/** Requests or tokens of one window that does not slide: a lifetime, a calendar day. Like every rate it begins empty after a restart. */
export class TallyCounter {
  private readonly spec: WindowSpec;
  private span: WindowSpan;
  private part = { amount: 0n };

  constructor(spec: WindowSpec, now: number) {
    this.spec = spec;
    this.span = spanAt(spec, now);
  }

  /** The part of this instant's window; what was put into an earlier one no longer counts. */
  at(now: number): { amount: bigint } {
    if (now >= this.span.end) {
      this.span = spanAt(this.spec, now);
      this.part = { amount: 0n };
    }
    return this.part;
  }

  get end(): number {
    return this.span.end;
  }
}

export type Counter = MoneyCounter | SlidingCounter | SlotCounter | TallyCounter;
