import { counterId } from "../../../domain/ledger/counter-id.ts";
import type { Standing } from "../../../domain/limits/decide.ts";
import type { ChargeSet, Limit } from "../../../domain/limits/limit.ts";
import { SlidingCounter } from "../../../domain/limits/sliding.ts";
import { scopeText } from "../../../domain/scopes/scope.ts";
import { MoneyCounter, SlotCounter, TallyCounter, type Counter } from "./counters.ts";
import type { CounterBook, ScopeCounters } from "./scope-counters.ts";

/** A limit with its counter; `spent` and `held` are refreshed for each decision. */
export interface Check extends Standing {
  readonly counter: Counter;
  spent: bigint;
  held: bigint;
}

type RateCounter = SlidingCounter | SlotCounter | TallyCounter;

/** A charge set with its counters at hand, so that a request looks nothing up. */
export interface CompiledSet {
  readonly checks: readonly Check[];
  readonly scopes: readonly ScopeCounters[];
  /** Each counter of requests, tokens or slots once, however many limits look at it. */
  readonly rates: readonly { readonly counter: RateCounter; readonly measure: Limit["measure"] }[];
  readonly soft: readonly Check[];
  /** The window whose spend is told to the client. */
  readonly payer: MoneyCounter | undefined;
}

export class Compiler {
  private readonly book: CounterBook;
  private readonly rates = new Map<string, RateCounter>();
  private readonly compiled = new WeakMap<ChargeSet, CompiledSet>();

  constructor(book: CounterBook) {
    this.book = book;
  }

  /** @returns `undefined` while a budget of the set has a history that it does not know yet */
  compile(charge: ChargeSet, now: number): CompiledSet | undefined {
    const known = this.compiled.get(charge);
    if (known !== undefined) return known;
    const rates = new Map<RateCounter, Limit["measure"]>();
    const checks: Check[] = [];
    for (const limit of charge.limits) {
      const counter = limit.measure === "nanoUsd" ? this.moneyCounter(limit, now) : this.rateCounter(limit, now);
      if (counter === undefined) return undefined;
      if (counter instanceof SlidingCounter || counter instanceof SlotCounter || counter instanceof TallyCounter) rates.set(counter, limit.measure);
      checks.push({ limit, counter, spent: 0n, held: 0n });
    }
    const scopes = charge.scopes.map((scope) => this.book.scope(scopeText(scope), now));
    const payer = charge.payer === undefined ? undefined : this.moneyCounter({ ...charge.payer, model: undefined }, now);
    if (charge.payer !== undefined && payer === undefined) return undefined;
    const set: CompiledSet = { checks, scopes, rates: Array.from(rates, ([counter, measure]) => ({ counter, measure })), soft: checks.filter((check) => !check.limit.hard), payer };
    this.compiled.set(charge, set);
    return set;
  }

  private moneyCounter({ scope, model, window }: Pick<Limit, "scope" | "model" | "window">, now: number): MoneyCounter | undefined {
    const known = this.book.find(scope, model, window, now);
    if (known !== undefined || this.book.scope(scopeText(scope), now).used) return known;
    return this.book.add(scope, model, window, now, 0n).counter;
  }

  private rateCounter(limit: Limit, now: number): RateCounter {
    const key = `${limit.measure}|${counterId(limit.scope, limit.model, limit.window, 0)}`;
    let counter = this.rates.get(key);
    if (counter === undefined) {
      counter = limit.measure === "slots" ? new SlotCounter() : limit.window.kind === "sliding" ? new SlidingCounter(limit.window.spanMs) : new TallyCounter(limit.window, now);
      this.rates.set(key, counter);
    }
    return counter;
  }
}
