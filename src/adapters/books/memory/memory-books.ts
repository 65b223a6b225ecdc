import type { Clock } from "../../../base/clock.ts";
import { TollgateError } from "../../../base/errors.ts";
import { InFlight } from "../../../base/in-flight.ts";
import { entryOf, type AttemptFacts, type Charge, type Entry, type HoldRecord } from "../../../domain/ledger/entry.ts";
import type { EntryText } from "../../../domain/ledger/entry-lines.ts";
import type { Balance, History, Journal, OpenHold } from "../../../domain/ledger/ports.ts";
import type { Ask, Hold } from "../../../domain/limits/ask.ts";
import type { Books, CounterStanding, OpenAttempt, Opening, RateStanding } from "../../../domain/limits/books.ts";
import { amountOf, decide } from "../../../domain/limits/decide.ts";
import type { ChargeSet, Limit } from "../../../domain/limits/limit.ts";
import { SlidingCounter } from "../../../domain/limits/sliding.ts";
import type { Scope } from "../../../domain/scopes/scope.ts";
import { LIFETIME, type WindowSpec } from "../../../domain/windows/window.ts";
import { SlotCounter, type Bucket } from "./counters.ts";
import { Compiler, type Check, type CompiledSet } from "./compiled-sets.ts";
import { attach, correctBy, correctRate, crossed, refresh, refusalOf, watch, type MemoryAttempt, type Reserved } from "./memory-attempt.ts";
import { CounterBook } from "./scope-counters.ts";
import { counts, Seeding, type Unposted } from "./seeding.ts";

const NONE: readonly never[] = [];

export interface MemoryBooksOptions {
  readonly clock: Clock;
  readonly journal: Journal;
  /** What the ledger holds. */
  readonly stored: readonly Balance[];
  readonly history: History;
  /** Told each entry once it is in the journal, in order. */
  readonly onEntry: OnEntry;
}

/** @param text the entry's JSON, as it stands in the journal */
export type OnEntry = (entry: Entry, sequence: number, text: EntryText) => void;

/** What changed since it was last taken, for the ledger. */
export interface BalanceChanges {
  /** Absolute, and covering exactly the entries told so far. */
  readonly balances: readonly Balance[];
  readonly forgotten: readonly string[];
}

/**
 * Counters in memory: deciding and holding is one function call, durable with the turn's journal write (GATE 1.4).
 * A hold lives exactly as long as its attempt, without a timer.
 */
export class MemoryBooks implements Books {
  private readonly clock: Clock;
  private readonly journal: Journal;
  private readonly history: History;
  private readonly onEntry: OnEntry;
  private readonly book: CounterBook;
  private readonly compiler: Compiler;
  private readonly seeding: Seeding;
  private readonly attempts = new InFlight<MemoryAttempt>();
  /** Charged and not yet in the journal. */
  private readonly unposted = new InFlight<Unposted>();
  /** Posts that ask the ledger whether they are replays. */
  private readonly asking = new Map<string, (() => void)[]>();
  private dirty = new Set<Bucket>();
  /** Costs above their holds, counted for the metrics. */
  overages = 0;

  constructor(options: MemoryBooksOptions) {
    this.clock = options.clock;
    this.journal = options.journal;
    this.history = options.history;
    this.onEntry = options.onEntry;
    this.book = new CounterBook(options.stored);
    this.compiler = new Compiler(this.book);
    this.seeding = new Seeding({
      clock: options.clock, history: options.history, book: this.book, unposted: this.unposted,
      seeded: (bucket) => {
        this.dirty.add(bucket);
        this.attempts.forEach((attempt) => attach(attempt, bucket));
      },
    });
  }

  open(ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[], then: (opening: Opening) => void): void {
    this.openKnown(ask, facts, charges, then, false);
  }

  /** @param seeded its windows were seeded a moment ago; one that is still unknown ended long ago */
  private openKnown(ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[], then: (opening: Opening) => void, seeded: boolean): void {
    const monotonic = this.clock.monotonic();
    const sets: CompiledSet[] = [];
    const checks: Check[] = [];
    let known = true;
    for (const charge of charges) {
      const set = this.compiler.compile(charge, facts.at);
      if (set === undefined) {
        this.openSeeded(ask, facts, charges, then);
        return;
      }
      sets.push(set);
      for (const check of set.checks) {
        if (!refresh(check, facts.at, monotonic)) known = false;
        checks.push(check);
      }
    }
    if (!known && !seeded) {
      this.openSeeded(ask, facts, charges, then);
      return;
    }
    const decision = decide(ask, checks);
    if (decision.outcome !== "admitted") {
      then({ kind: "refused", refusal: refusalOf(decision, facts.at, monotonic) });
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
      this.giveBack(attempt);
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
    const { nanoUsd } = attempt.hold;
    this.release(attempt);
    for (const bucket of attempt.buckets) {
      bucket.held -= nanoUsd;
      bucket.spent += charge.cost;
    }
    for (const reserved of attempt.reserved) correctRate(reserved, charge);
    if (attempt.soft.length > 0) attempt.softCrossed = crossed(attempt.soft, attempt.facts.at);
    if (charge.cost > nanoUsd) this.overages += 1;
    this.journalEntry(entryOf(attempt.facts, nanoUsd, charge), charge.cost, attempt.buckets, then, attempt);
  }

  post(entry: Entry, charges: readonly ChargeSet[], then: (error: Error | undefined, posted: boolean) => void): void {
    const waiting = this.asking.get(entry.id);
    if (waiting !== undefined) {
      waiting.push(() => this.post(entry, charges, then));
      return;
    }
    if (this.stands(entry)) {
      then(undefined, false);
      return;
    }
    this.asking.set(entry.id, []);
    const done = (error: Error | undefined, posted: boolean): void => {
      then(error, posted);
      const others = this.asking.get(entry.id) ?? [];
      this.asking.delete(entry.id);
      for (const other of others) other();
    };
    this.isNew(entry, charges).then((isNew) => {
      if (!isNew || this.stands(entry)) done(undefined, false);
      else this.postNew(entry, done);
    }, (error: Error) => done(error, false));
  }

  /** Counts an entry that was found in the journal at start and is not yet in the ledger, in the windows of its admission. */
  replay(entry: Entry, sequence: number): void {
    const cost = BigInt(entry.cost);
    const buckets = this.bucketsOf(entry);
    for (const bucket of buckets) {
      bucket.spent += cost;
      bucket.posted += cost;
      this.dirty.add(bucket);
    }
    // The counter that it adjusts died before its first balance. One of the scope tells the next start that there is a history to look up.
    if (buckets.length === 0) this.dirty.add(this.book.scope(entry.scopes, this.clock.now()).lifetime.at(entry.at));
    this.onEntry(entry, sequence, JSON.stringify(entry));
  }

  /** Charges what recovery found owing: it counts at once, and is stored as soon as the journal takes it. */
  charge(entry: Entry, hold?: OpenHold): void {
    this.postNew(entry, () => {}, hold);
  }

  seed(limits: readonly Limit[], then: (error: Error | undefined) => void): void {
    this.seeding.seed(limits).then(() => then(undefined), then);
  }

  standing(scope: Scope, model: string | undefined, window: WindowSpec, then: (error: Error | undefined, standing: CounterStanding) => void): void {
    this.seed([window, LIFETIME].map((spec) => watch({ scope, model, window: spec })), (error) => then(error, this.standingNow(scope, model, window)));
  }

  /** The same at once, for a window that has decided or was seeded; one that never was is all zero. */
  standingNow(scope: Scope, model: string | undefined, window: WindowSpec): CounterStanding {
    const now = this.clock.now();
    const bucket = this.book.find(scope, model, window, now)?.at(now);
    const lifetime = this.book.find(scope, model, LIFETIME, now)?.at(now);
    return { spent: bucket?.spent ?? 0n, held: bucket?.held ?? 0n, lifetime: lifetime?.spent ?? 0n };
  }

  takeChanges(): BalanceChanges {
    const now = this.clock.now();
    const balances: Balance[] = [];
    const forgotten: string[] = [];
    for (const bucket of this.dirty) {
      balances.push(bucket.balance());
      forgotten.push(...bucket.counter.forget(now));
    }
    this.dirty = new Set();
    return { balances, forgotten };
  }

  /** All live money counters, for an audit. */
  allBalances(): Balance[] {
    const now = this.clock.now();
    return Array.from(this.book.all(), (counter) => counter.at(now).balance());
  }

  get openAttempts(): number {
    return this.attempts.size;
  }

  /** A limit that never decided needs its history first: then everything begins anew. */
  private openSeeded(ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[], then: (opening: Opening) => void): void {
    const limits = charges.flatMap((charge) => (charge.payer === undefined ? charge.limits : [...charge.limits, watch({ ...charge.payer, model: undefined })]));
    // The admission's own window may have ended meanwhile: it still decides (GATE 6.1).
    this.seeding.seed(limits, facts.at).then(() => undefined, (error: Error) => error).then((error) => {
      if (error === undefined) this.openKnown(ask, facts, charges, then, true);
      else then({ kind: "failed", error: new TollgateError("journal_unavailable", "The ledger cannot be read, so a new limit does not know what was spent, and nothing was sent. Try again in a moment.", { cause: error }) });
    });
  }

  private hold(ask: Ask, facts: AttemptFacts, hold: Hold, sendCap: number | undefined, sets: readonly CompiledSet[], monotonic: number): MemoryAttempt {
    const buckets: Bucket[] = [];
    const slots: SlotCounter[] = [];
    const reserved: Reserved[] = [];
    let soft: readonly Check[] = NONE;
    let rates: RateStanding[] | readonly never[] = NONE;
    let payerSpent: bigint | undefined;
    for (const set of sets) {
      for (const scope of set.scopes) {
        scope.used = true;
        for (const counter of scope.counters) {
          if (counter.model !== undefined && counter.model !== facts.model) continue;
          const bucket = counter.find(facts.at);
          if (bucket === undefined) continue;
          bucket.held += hold.nanoUsd;
          bucket.users += 1;
          buckets.push(bucket);
        }
      }
      for (const { counter, measure } of set.rates) {
        if (counter instanceof SlotCounter) {
          counter.inUse += 1n;
          slots.push(counter);
          continue;
        }
        const amount = amountOf(ask, measure, BigInt(hold.cap));
        if (counter instanceof SlidingCounter) {
          reserved.push({ sliding: counter, part: counter.add(monotonic, amount), measure, amount });
        } else {
          const part = counter.at(facts.at);
          part.amount += amount;
          reserved.push({ sliding: undefined, part, measure, amount });
        }
      }
      for (const { limit, spent, held } of set.checks) {
        if (limit.measure === "nanoUsd" || !limit.hard) continue;
        const standing = { limit, remaining: limit.cap - spent - held - amountOf(ask, limit.measure, BigInt(hold.cap)) };
        if (rates.length === 0) rates = [standing];
        else (rates as RateStanding[]).push(standing);
      }
      if (set.soft.length > 0) soft = soft.length === 0 ? set.soft : [...soft, ...set.soft];
      if (set.payer !== undefined) payerSpent = set.payer.find(facts.at)?.spent;
    }
    const softCrossed = soft.length === 0 ? NONE : crossed(soft, facts.at);
    return { place: -1, journalled: undefined, facts, hold, sendCap, softCrossed, rates, payerSpent, soft, buckets, slots, reserved, closed: false };
  }

  private release(attempt: MemoryAttempt): void {
    attempt.closed = true;
    this.attempts.delete(attempt);
    for (const slot of attempt.slots) slot.inUse -= 1n;
  }

  /** As if it had never been admitted. */
  private giveBack(attempt: MemoryAttempt): void {
    this.release(attempt);
    for (const bucket of attempt.buckets) {
      bucket.held -= attempt.hold.nanoUsd;
      bucket.users -= 1;
    }
    for (const reserved of attempt.reserved) correctBy(reserved, -reserved.amount);
  }

  /** The entry counts already: it is stored as soon as the journal has it. */
  private journalEntry(entry: Entry, cost: bigint, buckets: Bucket[], then: (error: Error | undefined) => void, attempt?: { readonly journalled: OpenHold | undefined }): void {
    const unposted: Unposted = { place: -1, entry, buckets };
    this.unposted.add(unposted);
    const text: EntryText = JSON.stringify(entry);
    let answered = false;
    this.journal.append(`{"type":"settle","entry":${text}}`, (error, sequence) => {
      if (error === undefined) {
        this.unposted.delete(unposted);
        if (attempt?.journalled !== undefined) this.journal.closed(attempt.journalled);
        for (const bucket of buckets) {
          bucket.posted += cost;
          bucket.users -= 1;
          this.dirty.add(bucket);
        }
        this.seeding.posted(entry, sequence);
        this.onEntry(entry, sequence, text);
      }
      if (answered) return;
      answered = true;
      then(error);
    }, true);
  }

  private stands(entry: Entry): boolean {
    let stands = false;
    this.unposted.forEach((one) => { stands ||= one.entry.id === entry.id; });
    this.attempts.forEach((one) => { stands ||= one.facts.attemptId === entry.id; });
    return stands;
  }

  private async isNew(entry: Entry, charges: readonly ChargeSet[]): Promise<boolean> {
    if (await this.history.has(entry.id)) return false;
    await this.seeding.seed(charges.flatMap((charge) => charge.limits));
    return true;
  }

  private postNew(entry: Entry, then: (error: Error | undefined, posted: boolean) => void, journalled?: OpenHold): void {
    const cost = BigInt(entry.cost);
    const buckets = this.bucketsOf(entry);
    if (entry.kind === "adjustment" && buckets.length === 0) {
      then(new Error(`There is no counter ${entry.counter} to adjust.`), false);
      return;
    }
    for (const bucket of buckets) {
      bucket.spent += cost;
      bucket.users += 1;
    }
    this.journalEntry(entry, cost, buckets, (error) => then(error, true), { journalled });
  }

  private bucketsOf(entry: Entry): Bucket[] {
    const now = this.clock.now();
    const buckets: Bucket[] = [];
    for (const text of entry.scopes.split(",")) {
      const scope = this.book.scope(text, now);
      scope.used = true;
      for (const counter of scope.counters) {
        const bucket = counter.find(entry.at);
        if (bucket !== undefined && counts(bucket, entry)) buckets.push(bucket);
      }
    }
    return buckets;
  }
}
