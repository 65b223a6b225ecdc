import { counterId } from "../../../domain/ledger/counter-id.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import { SlidingCounter } from "../../../domain/limits/sliding.ts";
import { scopeText, type Scope } from "../../../domain/scopes/scope.ts";
import { spanAt } from "../../../domain/windows/span.ts";
import type { WindowSpec } from "../../../domain/windows/window.ts";

/** Money of one window of one counter. Attempts keep the bucket they were admitted in, whatever the clock says later (GATE 6.1). */
export class Bucket {
  readonly id: string;
  readonly scope: string;
  readonly spec: WindowSpec;
  readonly start: number;
  readonly end: number;
  /** Settled, as decisions see it. */
  spent: bigint;
  held = 0n;
  /** Settled and in the journal: what may be stored as a balance. */
  posted: bigint;

  constructor(scope: Scope, model: string | undefined, spec: WindowSpec, at: number, stored: (id: string) => bigint) {
    const span = spanAt(spec, at);
    this.id = counterId(scope, model, spec, span.start);
    this.scope = scopeText(scope);
    this.spec = spec;
    this.start = span.start;
    this.end = span.end;
    this.spent = stored(this.id);
    this.posted = this.spent;
  }

  balance(): Balance {
    return { counter: this.id, scope: this.scope, spent: this.posted, spec: JSON.stringify(this.spec), start: this.start };
  }
}

/** The windows of one budget, one after the other. */
export class MoneyCounter {
  readonly scope: Scope;
  readonly model: string | undefined;
  readonly spec: WindowSpec;
  private readonly stored: (id: string) => bigint;
  private current: Bucket;

  constructor(scope: Scope, model: string | undefined, spec: WindowSpec, now: number, stored: (id: string) => bigint) {
    this.scope = scope;
    this.model = model;
    this.spec = spec;
    this.stored = stored;
    this.current = new Bucket(scope, model, spec, now, stored);
  }

  /** The bucket of this instant: a window that has ended is simply left (GATE promise 8). */
  at(now: number): Bucket {
    if (now >= this.current.end) this.current = new Bucket(this.scope, this.model, this.spec, now, this.stored);
    return this.current;
  }
}

export class SlotCounter {
  inUse = 0n;
}

export type Counter = MoneyCounter | SlidingCounter | SlotCounter;
