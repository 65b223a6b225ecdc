import type { Clock } from "../../../base/clock.ts";
import { TollgateError } from "../../../base/errors.ts";
import { InFlight, type InFlightItem } from "../../../base/in-flight.ts";
import { entryOf, type AttemptFacts, type Charge, type Entry, type HoldRecord } from "../../../domain/ledger/entry.ts";
import type { EntryText } from "../../../domain/ledger/entry-lines.ts";
import { counterId } from "../../../domain/ledger/counter-id.ts";
import type { Balance, Journal, OpenHold } from "../../../domain/ledger/ports.ts";
import type { Ask, Hold } from "../../../domain/limits/ask.ts";
import type { Books, OpenAttempt, Opening, RateStanding, Refusal } from "../../../domain/limits/books.ts";
import { amountOf, decide, type Decision, type Standing } from "../../../domain/limits/decide.ts";
import type { ChargeSet, Limit } from "../../../domain/limits/limit.ts";
import { SlidingCounter, type SlidingPart } from "../../../domain/limits/sliding.ts";
import { scopeText, type Scope } from "../../../domain/scopes/scope.ts";
import { spanAt } from "../../../domain/windows/span.ts";
import { LIFETIME, type WindowSpec } from "../../../domain/windows/window.ts";
import { Bucket, MoneyCounter, SlotCounter, type Counter } from "./counters.ts";

/** A limit with its counter; `spent` and `held` are refreshed for each decision. */
interface Check extends Standing {
  readonly counter: Counter;
  spent: bigint;
  held: bigint;
}

interface CompiledSet {
  readonly checks: readonly Check[];
  /** Each counter once, however many limits look at it. */
  readonly counters: readonly { readonly counter: Counter; readonly limit: Limit | undefined }[];
  readonly soft: readonly Check[];
  readonly payer: MoneyCounter | undefined;
}

interface Reserved {
  readonly counter: SlidingCounter;
  readonly part: SlidingPart;
  readonly measure: Limit["measure"];
  readonly amount: bigint;
}

interface MemoryAttempt extends OpenAttempt, InFlightItem {
  /** As the journal keeps it. */
  journalled: OpenHold | undefined;
  readonly buckets: Bucket[];
  readonly slots: readonly SlotCounter[];
  readonly reserved: readonly Reserved[];
  softCrossed: readonly Limit[];
  readonly soft: readonly Check[];
  closed: boolean;
}

const NONE: readonly never[] = [];

export interface MemoryBooksOptions {
  readonly clock: Clock;
  readonly journal: Journal;
  /** Balances that the ledger holds, by counter id. */
  readonly stored: ReadonlyMap<string, bigint>;
  /** Told each entry once it is in the journal, in order. */
  readonly onEntry: OnEntry;
}

/** @param text the entry's JSON, as it stands in the journal */
export type OnEntry = (entry: Entry, sequence: number, text: EntryText) => void;

/**
 * Counters in memory: deciding and holding is one function call, durable with the turn's journal write (GATE 1.4).
 * A hold lives exactly as long as its attempt, without a timer.
 */
export class MemoryBooks implements Books {
  private readonly clock: Clock;
  private readonly journal: Journal;
  private readonly stored: (id: string) => bigint;
  private readonly onEntry: OnEntry;
  private readonly counters = new Map<string, Counter>();
  private readonly compiled = new WeakMap<ChargeSet, CompiledSet>();
  private readonly attempts = new InFlight<MemoryAttempt>();
  private dirty = new Set<Bucket>();
  /** Windows that had ended when their entries were replayed. */
  private readonly past = new Map<string, Bucket>();
  private closes = 0;
  /** Costs above their holds, counted for the metrics. */
  overages = 0;

  constructor(options: MemoryBooksOptions) {
    this.clock = options.clock;
    this.journal = options.journal;
    this.stored = (id) => options.stored.get(id) ?? 0n;
    this.onEntry = options.onEntry;
  }

  open(ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[], then: (opening: Opening) => void): void {
    const monotonic = this.clock.monotonic();
    const sets: CompiledSet[] = [];
    const checks: Check[] = [];
    for (const charge of charges) {
      const set = this.compile(charge, facts.at);
      sets.push(set);
      for (const check of set.checks) {
        this.refresh(check, facts.at, monotonic);
        checks.push(check);
      }
    }
    const decision = decide(ask, checks);
    if (decision.outcome !== "admitted") {
      then({ kind: "refused", refusal: this.refusal(decision, facts.at, monotonic) });
      return;
    }
    const attempt = this.hold(ask, facts, decision.hold, decision.sendCap, sets, monotonic);
    this.attempts.add(attempt);
    const record: HoldRecord = { type: "hold", facts, held: decision.hold.nanoUsd.toString() };
    const text = JSON.stringify(record);
    this.journal.append(text, (error) => {
      if (error === undefined) {
        if (!attempt.closed) {
          attempt.journalled = { record: text, place: -1 };
          this.journal.opened(attempt.journalled);
        }
        then({ kind: "open", attempt });
        return;
      }
      this.release(attempt);
      for (const bucket of attempt.buckets) bucket.held -= attempt.hold.nanoUsd;
      for (const { counter, part, amount } of attempt.reserved) counter.correct(part, -amount);
      then({ kind: "failed", error: new TollgateError("journal_unavailable", "The journal cannot be written, so nothing was sent. Free space on the data folder's disk and try again.", { cause: error }) });
    });
  }

  close(open: OpenAttempt, charge: Charge, then: (error: Error | undefined) => void): void {
    const attempt = open as MemoryAttempt;
    // Exactly once: a second settlement of the same attempt changes nothing.
    if (attempt.closed) {
      then(undefined);
      return;
    }
    this.closes += 1;
    this.release(attempt);
    for (const bucket of attempt.buckets) {
      bucket.held -= attempt.hold.nanoUsd;
      bucket.spent += charge.cost;
    }
    for (const reserved of attempt.reserved) this.correct(reserved, charge);
    if (attempt.soft.length > 0) attempt.softCrossed = this.crossed(attempt.soft, attempt.facts.at);
    if (charge.cost > attempt.hold.nanoUsd) this.overages += 1;
    const entry = entryOf(attempt.facts, attempt.hold.nanoUsd, charge);
    const text: EntryText = JSON.stringify(entry);
    let answered = false;
    this.journal.append(`{"type":"settle","entry":${text}}`, (error, sequence) => {
      if (error === undefined) {
        if (attempt.journalled !== undefined) this.journal.closed(attempt.journalled);
        for (const bucket of attempt.buckets) {
          bucket.posted += charge.cost;
          this.dirty.add(bucket);
        }
        this.onEntry(entry, sequence, text);
      }
      if (answered) return;
      answered = true;
      then(error);
    }, true);
  }

  /**
   * Counts an entry that was found in the journal at start and is not yet in the ledger, in the windows of its admission.
   * @param limitsOf the limits that stand on a scope (text) today
   */
  replay(entry: Entry, sequence: number, limitsOf: (scope: string) => readonly Limit[]): void {
    const cost = BigInt(entry.cost);
    const now = this.clock.now();
    const seen = new Set<Bucket>();
    for (const text of entry.scopes.split(",")) {
      seen.add(this.moneyCounter(scopeFromText(text), undefined, LIFETIME, now).at(now));
      for (const limit of limitsOf(text)) {
        if (limit.measure !== "nanoUsd" || (limit.model !== undefined && limit.model !== entry.model)) continue;
        seen.add(this.bucketAt(limit, entry.at, now));
      }
    }
    for (const bucket of seen) {
      bucket.spent += cost;
      bucket.posted += cost;
      this.dirty.add(bucket);
    }
    this.onEntry(entry, sequence, JSON.stringify(entry));
  }

  /**
   * Makes the counters of new limits, with the history of their scopes and their open attempts (GATE 6.3).
   * @param spent what the ledger says a scope was charged in a span, committed up to now
   */
  async seed(limits: readonly Limit[], spent: (scope: string, model: string | undefined, from: number, to: number) => Promise<bigint>): Promise<void> {
    for (const limit of limits) {
      if (limit.measure !== "nanoUsd") continue;
      const key = counterKey(limit.scope, limit.model, limit.window);
      if (this.counters.has(key)) continue;
      const now = this.clock.now();
      const span = spanAt(limit.window, now);
      let sum = 0n;
      // A settlement in between might be in the sum or not: read again until none was.
      for (let round = 0; round < 50; round += 1) {
        const before = this.closes;
        sum = await spent(scopeText(limit.scope), limit.model, span.start, span.end);
        if (before === this.closes) break;
      }
      if (this.counters.has(key)) continue;
      const bucket = this.moneyCounter(limit.scope, limit.model, limit.window, now).at(now);
      bucket.spent = sum;
      bucket.posted = sum;
      this.dirty.add(bucket);
      this.attempts.forEach((attempt) => this.attach(attempt, limit, bucket));
    }
  }

  /** What a scope stands at: settled in the window, held, and settled for ever (GATE 6.5). */
  standing(scope: Scope, spec: WindowSpec): { spent: bigint; held: bigint; lifetime: bigint } {
    const now = this.clock.now();
    const bucket = this.moneyCounter(scope, undefined, spec, now).at(now);
    const lifetime = this.moneyCounter(scope, undefined, LIFETIME, now).at(now);
    return { spent: bucket.spent, held: bucket.held, lifetime: lifetime.spent };
  }

  /** Balances changed since the last call: absolute, and covering exactly the entries told so far. */
  takeBalances(): Balance[] {
    const balances: Balance[] = [];
    for (const bucket of this.dirty) balances.push(bucket.balance());
    this.dirty = new Set();
    return balances;
  }

  /** All live money counters, for an audit. */
  allBalances(): Balance[] {
    const now = this.clock.now();
    const balances: Balance[] = [];
    for (const counter of this.counters.values()) if (counter instanceof MoneyCounter) balances.push(counter.at(now).balance());
    return balances;
  }

  get openAttempts(): number {
    return this.attempts.size;
  }

  private compile(charge: ChargeSet, now: number): CompiledSet {
    const known = this.compiled.get(charge);
    if (known !== undefined) return known;
    const counters = new Map<Counter, Limit | undefined>();
    for (const scope of charge.scopes) counters.set(this.moneyCounter(scope, undefined, LIFETIME, now), undefined);
    const checks: Check[] = charge.limits.map((limit) => {
      const counter = this.counterOf(limit, now);
      if (!counters.has(counter)) counters.set(counter, limit);
      return { limit, counter, spent: 0n, held: 0n };
    });
    const set: CompiledSet = {
      checks, counters: [...counters].map(([counter, limit]) => ({ counter, limit })),
      soft: checks.filter((check) => !check.limit.hard),
      payer: charge.payer === undefined ? undefined : this.moneyCounter(charge.payer.scope, undefined, charge.payer.window, now),
    };
    this.compiled.set(charge, set);
    return set;
  }

  private counterOf(limit: Limit, now: number): Counter {
    if (limit.measure === "nanoUsd") return this.moneyCounter(limit.scope, limit.model, limit.window, now);
    const key = `${limit.measure}|${counterKey(limit.scope, limit.model, limit.window)}`;
    let counter = this.counters.get(key);
    if (counter === undefined) {
      counter = limit.measure === "slots" ? new SlotCounter() : new SlidingCounter(limit.window.kind === "sliding" ? limit.window.spanMs : 60_000);
      this.counters.set(key, counter);
    }
    return counter;
  }

  private moneyCounter(scope: Scope, model: string | undefined, spec: WindowSpec, now: number): MoneyCounter {
    const key = counterKey(scope, model, spec);
    let counter = this.counters.get(key);
    if (counter === undefined) {
      counter = new MoneyCounter(scope, model, spec, now, this.stored);
      this.counters.set(key, counter);
    }
    return counter as MoneyCounter;
  }

  /** The bucket of the window that `at` falls in; one that has ended already is kept for the rest of the replay. */
  private bucketAt(limit: Limit, at: number, now: number): Bucket {
    const current = this.moneyCounter(limit.scope, limit.model, limit.window, now).at(now);
    if (at >= current.start && at < current.end) return current;
    const past = new Bucket(limit.scope, limit.model, limit.window, at, this.stored);
    const known = this.past.get(past.id);
    if (known !== undefined) return known;
    this.past.set(past.id, past);
    return past;
  }

  private refresh(check: Check, now: number, monotonic: number): void {
    const { counter } = check;
    if (counter instanceof MoneyCounter) {
      const bucket = counter.at(now);
      check.spent = bucket.spent;
      check.held = bucket.held;
    } else if (counter instanceof SlidingCounter) {
      check.spent = counter.at(monotonic);
    } else {
      check.held = counter.inUse;
    }
  }

  private hold(ask: Ask, facts: AttemptFacts, hold: Hold, sendCap: number | undefined, sets: readonly CompiledSet[], monotonic: number): MemoryAttempt {
    const buckets: Bucket[] = [];
    const slots: SlotCounter[] = [];
    const reserved: Reserved[] = [];
    let soft: readonly Check[] = NONE;
    let rates: RateStanding[] | readonly never[] = NONE;
    let payerSpent: bigint | undefined;
    const cap = BigInt(hold.cap);
    for (const set of sets) {
      for (const { counter, limit } of set.counters) {
        if (counter instanceof MoneyCounter) {
          const bucket = counter.at(facts.at);
          bucket.held += hold.nanoUsd;
          buckets.push(bucket);
        } else if (counter instanceof SlidingCounter) {
          const { measure } = limit as Limit;
          const amount = amountOf(ask, measure, cap);
          reserved.push({ counter, part: counter.add(monotonic, amount), measure, amount });
        } else {
          counter.inUse += 1n;
          slots.push(counter);
        }
      }
      for (const { limit, spent, held } of set.checks) {
        if (limit.measure === "nanoUsd" || !limit.hard) continue;
        const standing = { limit, remaining: limit.cap - spent - held - amountOf(ask, limit.measure, cap) };
        if (rates.length === 0) rates = [standing];
        else (rates as RateStanding[]).push(standing);
      }
      if (set.soft.length > 0) soft = soft.length === 0 ? set.soft : [...soft, ...set.soft];
      if (set.payer !== undefined) payerSpent = set.payer.at(facts.at).spent;
    }
    const softCrossed = soft.length === 0 ? NONE : this.crossed(soft, facts.at);
    return { place: -1, journalled: undefined, facts, hold, sendCap, softCrossed, rates, payerSpent, soft, buckets, slots, reserved, closed: false };
  }

  private crossed(soft: readonly Check[], at: number): Limit[] {
    const crossed: Limit[] = [];
    for (const { counter, limit } of soft) {
      const bucket = counter instanceof MoneyCounter ? counter.at(at) : undefined;
      if (bucket !== undefined && bucket.start <= at && bucket.spent >= limit.cap) crossed.push(limit);
    }
    return crossed;
  }

  private release(attempt: MemoryAttempt): void {
    attempt.closed = true;
    this.attempts.delete(attempt);
    for (const slot of attempt.slots) slot.inUse -= 1n;
  }

  /** A token reservation becomes what was used, in the second of its admission (GATE 7.2); unknown usage leaves it as it is. */
  private correct({ counter, part, measure, amount }: Reserved, charge: Charge): void {
    if (measure === "requests") return;
    const unknown = charge.estimated !== null && charge.inputTokens + charge.outputTokens === 0;
    if (unknown) return;
    let used = charge.inputTokens + charge.outputTokens;
    if (measure === "inputTokens") used = charge.inputTokens;
    else if (measure === "outputTokens") used = charge.outputTokens;
    counter.correct(part, BigInt(used) - amount);
  }

  private attach(attempt: MemoryAttempt, limit: Limit, bucket: Bucket): void {
    const { facts, hold } = attempt;
    if (limit.model !== undefined && limit.model !== facts.model) return;
    if (facts.at < bucket.start || facts.at >= bucket.end) return;
    if (!facts.scopes.includes(bucket.scope) || attempt.buckets.includes(bucket)) return;
    bucket.held += hold.nanoUsd;
    attempt.buckets.push(bucket);
  }

  private refusal(decision: Exclude<Decision, { outcome: "admitted" }>, now: number, monotonic: number): Refusal {
    const check = decision.standing as Check;
    const { counter, limit, spent, held } = check;
    const bucket = counter instanceof MoneyCounter ? counter.at(now) : undefined;
    const resetsAt = bucket !== undefined && Number.isFinite(bucket.end) ? bucket.end : undefined;
    const retryAfterMs = counter instanceof SlidingCounter ? counter.fitsInMs(monotonic, decision.needed, limit.cap) : undefined;
    return { outcome: decision.outcome, limit, spent, held, needed: decision.needed, resetsAt, retryAfterMs };
  }
}

function counterKey(scope: Scope, model: string | undefined, spec: WindowSpec): string {
  return counterId(scope, model, spec, 0);
}

function scopeFromText(text: string): Scope {
  const colon = text.indexOf(":");
  return colon === -1 ? { kind: "global", id: "", label: "global" } : { kind: text.slice(0, colon) as Scope["kind"], id: text.slice(colon + 1), label: text };
}
