import type { NanoUsd } from "../../../base/money.ts";
import { counterName, modelInCounterId, nameInCounterId } from "../../../domain/ledger/counter-id.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import { scopeText, type Scope } from "../../../domain/scopes/scope.ts";
import { LIFETIME, type WindowSpec } from "../../../domain/windows/window.ts";
import { MoneyCounter, type Bucket } from "./counters.ts";

/**
 * The money counters of one scope. Once made, a counter takes every charge of its scope, whether a limit looks at it or
 * not: so a limit that is taken away and set again finds the truth.
 */
export class ScopeCounters {
  /** Lifetime first. */
  readonly counters: MoneyCounter[];
  readonly lifetime: MoneyCounter;
  /** The scope was charged at some time; a new window of it has a history to look up. */
  used: boolean;

  constructor(lifetime: MoneyCounter, others: readonly MoneyCounter[], used: boolean) {
    this.lifetime = lifetime;
    this.counters = [lifetime, ...others];
    this.used = used;
  }

  named(name: string): MoneyCounter | undefined {
    for (const counter of this.counters) if (counter.name === name) return counter;
    return undefined;
  }
}

/** All scopes with their counters: those that the ledger has balances of come to life when they are first asked for. */
export class CounterBook {
  private readonly scopes = new Map<string, ScopeCounters>();
  private readonly stored = new Map<string, Balance[]>();

  constructor(balances: readonly Balance[]) {
    for (const balance of balances) {
      const known = this.stored.get(balance.scope);
      if (known === undefined) this.stored.set(balance.scope, [balance]);
      else known.push(balance);
    }
  }

  /** @param text of the scope */
  scope(text: string, now: number): ScopeCounters {
    const known = this.scopes.get(text);
    if (known !== undefined) return known;
    const stored = this.stored.get(text);
    this.stored.delete(text);
    const { lifetime, others } = revived(text, stored ?? [], now);
    const made = new ScopeCounters(lifetime, others, stored !== undefined);
    this.scopes.set(text, made);
    return made;
  }

  find(scope: Scope, model: string | undefined, spec: WindowSpec, now: number): MoneyCounter | undefined {
    return this.scope(scopeText(scope), now).named(counterName(scope, model, spec));
  }

  /** A counter that begins with `spent` in the window of `now`; the caller knows that this is its history. */
  add(scope: Scope, model: string | undefined, spec: WindowSpec, now: number, spent: NanoUsd): Bucket {
    const text = scopeText(scope);
    const counter = new MoneyCounter({ scope: text, model, spec, name: counterName(scope, model, spec) }, now, new Map());
    this.scope(text, now).counters.push(counter);
    const bucket = counter.at(now);
    bucket.spent = spent;
    bucket.posted = spent;
    return bucket;
  }

  /** Counters that have come to life. */
  *all(): IterableIterator<MoneyCounter> {
    for (const { counters } of this.scopes.values()) yield* counters;
  }
}

interface Kept {
  readonly spec: WindowSpec;
  readonly model: string | undefined;
  readonly windows: Map<number, NanoUsd>;
}

function revived(scope: string, balances: readonly Balance[], now: number): { lifetime: MoneyCounter; others: MoneyCounter[] } {
  const byName = new Map<string, Kept>();
  const lifetimeName = `${scope}|*|lifetime`;
  byName.set(lifetimeName, { spec: LIFETIME, model: undefined, windows: new Map() });
  for (const { counter, spec, start, spent } of balances) {
    const name = nameInCounterId(counter);
    let kept = byName.get(name);
    if (kept === undefined) byName.set(name, (kept = { spec: JSON.parse(spec) as WindowSpec, model: modelInCounterId(counter), windows: new Map() }));
    kept.windows.set(start, spent);
  }
  const counters = [...byName].map(([name, { spec, model, windows }]) => new MoneyCounter({ scope, model, spec, name }, now, windows));
  const [lifetime, ...others] = counters as [MoneyCounter, ...MoneyCounter[]];
  return { lifetime, others };
}
