import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryBooks } from "../../src/adapters/books/memory/memory-books.ts";
import { counterId } from "../../src/domain/ledger/counter-id.ts";
import { adjustmentEntry, correctionOf, type AttemptFacts, type Charge, type Entry } from "../../src/domain/ledger/entry.ts";
import type { Balance, History, Journal } from "../../src/domain/ledger/ports.ts";
import type { Ask } from "../../src/domain/limits/ask.ts";
import type { CounterStanding, OpenAttempt, Opening } from "../../src/domain/limits/books.ts";
import type { ChargeSet, Limit } from "../../src/domain/limits/limit.ts";
import { GLOBAL_SCOPE, type Scope } from "../../src/domain/scopes/scope.ts";
import { LIFETIME, MINUTE_SLIDING, NOW, type WindowSpec } from "../../src/domain/windows/window.ts";

const KEY: Scope = { kind: "key", id: "K", label: "k" };
const DAILY: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "d" }, zone: "UTC", weekStart: 0 };
const HOURLY: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "h" }, zone: "UTC", weekStart: 0 };

/** A journal that writes nothing and can be full. */
class TestJournal implements Journal {
  full = false;
  sequence = 0;
  /** Records that must land wait here while the journal is full. */
  waiting: (() => void)[] = [];
  append(_record: string, then: (error: Error | undefined, sequence: number) => void, mustLand = false): void {
    if (!this.full) {
      then(undefined, ++this.sequence);
      return;
    }
    then(new Error("ENOSPC"), -1);
    if (mustLand) this.waiting.push(() => then(undefined, ++this.sequence));
  }
  free(): void {
    this.full = false;
    for (const land of this.waiting.splice(0)) land();
  }
  opened(): void {}
  closed(): void {}
}

/** A ledger in memory: what it was told before a question is part of the answer, and maybe more. */
class TestLedger {
  readonly told: { entry: Entry; sequence: number }[] = [];
  readonly history: History = {
    spent: async ({ scope, model, from, to, counter }) => {
      await this.beforeView();
      const sum = this.told.filter(({ entry }) => entry.kind === "adjustment" ? entry.counter === counter : entry.scopes.split(",").includes(scope) && (model === undefined || entry.model === model) && entry.at >= from && entry.at < to);
      const lastSequence = this.told.at(-1)?.sequence ?? 0;
      await this.afterView();
      return { nanoUsd: sum.reduce((total, { entry }) => total + BigInt(entry.cost), 0n), lastSequence };
    },
    has: async (id) => this.told.some(({ entry }) => entry.id === id),
  };
  beforeView: () => Promise<void> = async () => {};
  afterView: () => Promise<void> = async () => {};
}

function world(limits: Limit[], stored: readonly Balance[] = [], ledger = new TestLedger()) {
  const clock = { time: Date.UTC(2026, 10, 24, 12), now() { return this.time; }, monotonic() { return this.time; } };
  const journal = new TestJournal();
  const entries: Entry[] = [];
  const books = new MemoryBooks({
    clock, journal, stored, history: ledger.history,
    onEntry: (entry, sequence) => {
      entries.push(entry);
      ledger.told.push({ entry, sequence });
    },
  });
  const set: ChargeSet = { scopes: [GLOBAL_SCOPE, KEY], limits };
  let count = 0;
  const facts = (): AttemptFacts => ({
    requestId: `R${++count}`, attemptId: `R${count}.01`, at: clock.time, scopes: ["global", "key:K"], keyId: "K", teamId: null, userId: null, customer: null,
    model: "m", provider: "p", upstreamModel: "m", deployment: "d", route: "chat", stream: false, tags: [], metadata: null,
  });
  const open = (ask: Ask): Opening => {
    let opening: Opening | undefined;
    books.open(ask, facts(), [set], (result) => { opening = result; });
    return opening as Opening;
  };
  const close = (attempt: OpenAttempt, cost: bigint): void => books.close(attempt, chargeOf(cost), () => {});
  return { clock, journal, entries, books, ledger, open, close, set };
}

const askOf = (nano: bigint, cap = 1): Ask => ({
  money: { fixed: 0n, perToken: nano * 1_000n / BigInt(cap) }, tokens: { fixed: 10n, perToken: 1n }, inputTokens: 10n, outputPerToken: 1n, declaredCap: cap, maximumOutput: 1_000,
});

const chargeOf = (cost: bigint): Charge => ({
  cost, estimated: null, status: "ok", httpStatus: 200, lines: [], priceVersion: "v", unpriced: false, inputTokens: 5, outputTokens: 1, cachedTokens: 0,
  answeredModel: null, responseId: null, rawUsage: null, durationMs: 1,
});

const money = (cap: bigint, window: WindowSpec = LIFETIME, hard = true): Limit => ({ scope: KEY, model: undefined, measure: "nanoUsd", window, cap, hard, windowText: undefined });

function admitted(opening: Opening): OpenAttempt {
  if (opening.kind !== "open") throw new Error(`not admitted: ${JSON.stringify(opening, (_, value) => (typeof value === "bigint" ? value.toString() : value))}`);
  return opening.attempt;
}

describe("books in memory", () => {
  test("promise 1: whatever is opened and closed in any order, settled and held never pass the cap, and holds return to zero", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 100 }), fc.nat()), { maxLength: 200 });
    fc.assert(fc.property(steps, fc.integer({ min: 1, max: 20_000 }), (rows, cap) => {
      const { books, open, close, entries } = world([money(BigInt(cap))]);
      const live: { attempt: OpenAttempt; percent: number }[] = [];
      let settled = 0n;
      for (const [hold, percent, pick] of rows) {
        const before = books.standingNow(KEY, undefined, LIFETIME);
        const opening = open(askOf(BigInt(hold)));
        if (opening.kind === "open") live.push({ attempt: opening.attempt, percent });
        else expect(before.spent + before.held + BigInt(hold) > BigInt(cap)).toBe(true);
        if (live.length > 0 && pick % 3 === 0) {
          const [one] = live.splice(pick % live.length, 1);
          const cost = ((one as (typeof live)[0]).attempt.hold.nanoUsd * BigInt((one as (typeof live)[0]).percent)) / 100n;
          close((one as (typeof live)[0]).attempt, cost);
          settled += cost;
        }
        const { spent, held } = books.standingNow(KEY, undefined, LIFETIME);
        expect(spent + held <= BigInt(cap)).toBe(true);
        expect(spent).toBe(settled);
      }
      for (const { attempt } of live) close(attempt, 0n);
      expect(books.standingNow(KEY, undefined, LIFETIME)).toEqual({ spent: settled, held: 0n, lifetime: settled });
      expect(entries.reduce((sum, entry) => sum + BigInt(entry.cost), 0n)).toBe(settled);
      expect(books.openAttempts).toBe(0);
    }));
  });

  test("promise 4: a second settlement of the same attempt changes nothing", () => {
    const { books, open, close, entries } = world([money(1_000n)]);
    const attempt = admitted(open(askOf(100n)));
    close(attempt, 60n);
    close(attempt, 60n);
    expect(books.standingNow(KEY, undefined, LIFETIME)).toEqual({ spent: 60n, held: 0n, lifetime: 60n });
    expect(entries).toHaveLength(1);
  });

  test("5.1 a cost above the hold counts whole, and the overage stands in the entry", () => {
    const { books, open, close, entries } = world([money(1_000n)]);
    close(admitted(open(askOf(100n))), 130n);
    expect(entries[0]).toMatchObject({ held: "100", cost: "130", overage: "30" });
    expect(books.standingNow(KEY, undefined, LIFETIME).spent).toBe(130n);
    expect(books.overages).toBe(1);
  });

  test("6.1 a settlement after midnight is charged to the day of the admission", () => {
    const { books, clock, open, close } = world([money(1_000n, DAILY)]);
    const attempt = admitted(open(askOf(900n)));
    clock.time += 24 * 3_600_000;
    expect(books.standingNow(KEY, undefined, DAILY)).toMatchObject({ spent: 0n, held: 0n });
    admitted(open(askOf(1_000n)));
    close(attempt, 900n);
    expect(books.standingNow(KEY, undefined, DAILY)).toEqual({ spent: 0n, held: 1_000n, lifetime: 900n });
  });

  test("6.2 a hard and a soft budget on one window share a counter: what is charged once is counted once", () => {
    const { books, open, close } = world([money(1_000n), money(10n, LIFETIME, false)]);
    const first = admitted(open(askOf(100n)));
    expect(first.softCrossed).toHaveLength(0);
    close(first, 50n);
    expect(books.standingNow(KEY, undefined, LIFETIME).spent).toBe(50n);
    expect(admitted(open(askOf(100n))).softCrossed).toHaveLength(1);
  });

  test("4.5 a refused request consumes nothing, of money, requests, tokens or slots", () => {
    const rpm: Limit = { ...money(2n, MINUTE_SLIDING), measure: "requests" };
    const slots: Limit = { ...money(1n, NOW), measure: "slots" };
    const { open, close } = world([rpm, slots]);
    const first = admitted(open(askOf(1n)));
    for (let i = 0; i < 5; i += 1) expect(open(askOf(1n))).toMatchObject({ kind: "refused", refusal: { outcome: "rate_limited", limit: { measure: "slots" } } });
    close(first, 1n);
    close(admitted(open(askOf(1n))), 1n);
    expect(open(askOf(1n))).toMatchObject({ kind: "refused", refusal: { limit: { measure: "requests" }, retryAfterMs: 60_000 } });
  });

  test("7.2 a token reservation becomes what was used", () => {
    const { open, close } = world([{ ...money(130n, MINUTE_SLIDING), measure: "tokens" }]);
    const first = admitted(open(askOf(1n, 100)));
    expect(open(askOf(1n, 100))).toMatchObject({ kind: "refused", refusal: { outcome: "rate_limited" } });
    close(first, 1n);
    admitted(open(askOf(1n, 100)));
  });

  test("8.4 when the hold cannot be journalled nothing is sent and nothing stays held", () => {
    const { books, journal, open } = world([money(1_000n), { ...money(1n, NOW), measure: "slots" }]);
    journal.full = true;
    expect(open(askOf(100n))).toMatchObject({ kind: "failed", error: { code: "journal_unavailable" } });
    expect(books.standingNow(KEY, undefined, LIFETIME)).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
    journal.full = false;
    admitted(open(askOf(100n)));
  });

  test("8.4 when a settlement cannot be journalled its cost stays in the counters", () => {
    const { books, journal, open, close, entries } = world([money(1_000n)]);
    const attempt = admitted(open(askOf(100n)));
    journal.full = true;
    close(attempt, 70n);
    expect(books.standingNow(KEY, undefined, LIFETIME)).toEqual({ spent: 70n, held: 0n, lifetime: 70n });
    expect(entries).toHaveLength(0);
    expect(books.takeChanges().balances).toHaveLength(0);
  });

  test("6.3 a new window on a scope with history starts with its history and the holds of open attempts", async () => {
    const { books, open, close } = world([money(10_000n)]);
    close(admitted(open(askOf(100n))), 100n);
    const running = admitted(open(askOf(200n)));
    await seed(books, [money(300n, DAILY)]);
    expect(books.standingNow(KEY, undefined, DAILY)).toMatchObject({ spent: 100n, held: 200n });
    close(running, 150n);
    expect(books.standingNow(KEY, undefined, DAILY)).toMatchObject({ spent: 250n, held: 0n });
  });

  test("6.3 a window that is seeded under constant load counts each settlement once, whichever side of the ledger's view it falls on", async () => {
    const { books, ledger, journal, open, close } = world([money(1_000_000n)]);
    for (let i = 0; i < 5; i += 1) close(admitted(open(askOf(100n))), 10n);
    ledger.beforeView = async () => close(admitted(open(askOf(100n))), 10n);
    ledger.afterView = async () => {
      close(admitted(open(askOf(100n))), 10n);
      journal.full = true;
      close(waiting, 7n);
    };
    const waiting = admitted(open(askOf(100n)));
    const seeded = seed(books, [money(300n, DAILY)]);
    await seeded;
    expect(books.standingNow(KEY, undefined, DAILY).spent).toBe(books.standingNow(KEY, undefined, LIFETIME).spent);
    journal.free();
    const [daily, lifetime] = ["1day", "lifetime"].map((window) => books.takeChanges().balances.concat(books.allBalances()).findLast((one) => one.counter.startsWith("key:K|*|" + window)));
    expect(daily?.spent).toBe(77n);
    expect(lifetime?.spent).toBe(77n);
  });

  test("6.3 a limit that was never seeded learns its history before it first decides", async () => {
    const { books, open, close, clock } = world([]);
    close(admitted(open(askOf(100n))), 90n);
    const late: ChargeSet = { scopes: [KEY], limits: [money(100n, DAILY)] };
    const facts: AttemptFacts = { ...admitted(open(askOf(1n))).facts, requestId: "L", attemptId: "L.01", at: clock.time };
    const opening = await new Promise<Opening>((resolve) => books.open(askOf(50n), facts, [late], resolve));
    expect(opening).toMatchObject({ kind: "refused", refusal: { outcome: "budget_exceeded", spent: 90n } });
  });

  test("6.3 a limit that is taken away and set again finds what was spent meanwhile, after a restart as well", async () => {
    const first = world([money(1_000n, DAILY)]);
    first.close(admitted(first.open(askOf(100n))), 10n);
    const unlimited: ChargeSet = { scopes: [GLOBAL_SCOPE, KEY], limits: [] };
    const facts: AttemptFacts = { ...admitted(first.open(askOf(1n))).facts, requestId: "U", attemptId: "U.01" };
    first.books.open(askOf(100n), facts, [unlimited], (opening) => first.close(admitted(opening), 20n));
    expect(first.books.standingNow(KEY, undefined, DAILY).spent).toBe(30n);
    const { balances } = first.books.takeChanges();
    const second = world([], balances);
    second.close(admitted(second.open(askOf(100n))), 5n);
    expect(second.books.standingNow(KEY, undefined, DAILY).spent).toBe(35n);
  });

  test("8.3 replayed entries count in every window that their scopes have, of their model and their time", () => {
    const model = { ...money(1_000n, DAILY), model: "m" };
    const first = world([money(1_000n, DAILY), model, { ...model, model: "other" }]);
    first.close(admitted(first.open(askOf(100n))), 10n);
    const { balances } = first.books.takeChanges();
    const second = world([], balances);
    second.books.replay({ ...(first.entries[0] as Entry), id: "R9.01", cost: "7" }, 5);
    expect(second.books.standingNow(KEY, "m", DAILY).spent).toBe(17n);
    expect(second.books.standingNow(KEY, "other", DAILY).spent).toBe(0n);
    expect(second.books.standingNow(KEY, undefined, DAILY)).toEqual({ spent: 17n, held: 0n, lifetime: 17n });
    // Yesterday's window had ended before: it is brought up to date, and today's is not touched.
    second.clock.time += 24 * 3_600_000;
    second.books.replay({ ...(first.entries[0] as Entry), id: "R8.01", cost: "3" }, 6);
    expect(second.books.standingNow(KEY, undefined, DAILY)).toEqual({ spent: 0n, held: 0n, lifetime: 20n });
    expect(second.books.takeChanges().balances.find((one) => one.counter.startsWith("key:K|*|1day"))?.spent).toBe(20n);
  });

  test("6.1 an admission whose body came after the window's end is decided and charged in the window of its admission", () => {
    const { books, clock, open, entries } = world([money(100n, DAILY)]);
    const early: AttemptFacts = { ...admitted(open(askOf(1n))).facts, requestId: "E", attemptId: "E.01" };
    clock.time += 12 * 3_600_000;
    admitted(open(askOf(100n)));
    const set: ChargeSet = { scopes: [KEY], limits: [money(100n, DAILY)] };
    books.open(askOf(99n), early, [set], (opening) => books.close(admitted(opening), chargeOf(60n), () => {}));
    expect(books.standingNow(KEY, undefined, DAILY)).toMatchObject({ spent: 0n, held: 100n });
    expect(entries).toHaveLength(1);
    expect(books.takeChanges().balances.find((one) => one.counter.startsWith("key:K|*|1day"))?.spent).toBe(60n);
  });

  test("8.3 the balance of a window is given up an hour after its end, and not before its last attempt is settled", () => {
    const { books, clock, open, close } = world([money(1_000n, HOURLY)]);
    const attempt = admitted(open(askOf(100n)));
    clock.time += 5 * 3_600_000;
    close(admitted(open(askOf(100n))), 1n);
    expect(books.takeChanges().forgotten).toEqual([]);
    close(attempt, 60n);
    expect(books.takeChanges()).toMatchObject({ forgotten: [expect.stringContaining("key:K|*|3600second@")] });
  });

  test("1.3 an adjustment moves the one counter that it names, once, however often it is posted", async () => {
    const { books, clock, open, close, entries } = world([money(1_000n), money(1_000n, DAILY)]);
    close(admitted(open(askOf(100n))), 80n);
    const counter = counterId(KEY, undefined, DAILY, Date.UTC(2026, 10, 24));
    const entry = adjustmentEntry({ id: "A", at: clock.time, scope: "key:K", counter, by: -80n, metadata: null });
    const posted = await Promise.all([post(books, entry), post(books, entry)]);
    expect([...posted, await post(books, entry)]).toEqual([true, false, false]);
    expect(books.standingNow(KEY, undefined, DAILY)).toEqual({ spent: 0n, held: 0n, lifetime: 80n });
    expect(entries.filter((one) => one.kind === "adjustment")).toHaveLength(1);
  });

  test("1.3 an adjustment whose counter died with the process before its first balance still counts after two restarts", async () => {
    const entry = adjustmentEntry({ id: "A1", at: Date.UTC(2026, 10, 24, 12), scope: "key:K", counter: counterId(KEY, undefined, DAILY, Date.UTC(2026, 10, 24)), by: 7n, metadata: null });
    const ledger = new TestLedger();
    const first = world([], [], ledger);
    first.books.replay(entry, 1);
    const { balances } = first.books.takeChanges();
    const second = world([], balances, ledger);
    const standing = await new Promise<CounterStanding>((resolve) => { second.books.standing(KEY, undefined, DAILY, (_error, value) => resolve(value)); });
    expect(standing).toEqual({ spent: 7n, held: 0n, lifetime: 0n });
  });

  test("1.3 an adjustment of a counter that nobody has is refused and posts nothing", async () => {
    const { books, clock, entries } = world([]);
    await expect(post(books, adjustmentEntry({ id: "A", at: clock.time, scope: "key:K", counter: "key:K|*|1week,UTC,from0@5", by: 1n, metadata: null }))).rejects.toThrow("no counter");
    expect(entries).toEqual([]);
  });

  test("5.6 a settlement after a crash's charge is a correction of the difference, counted once in the window of the admission", async () => {
    const { books, open, close, entries } = world([money(1_000n, DAILY)]);
    close(admitted(open(askOf(100n))), 100n);
    const charged = entries[0] as Entry;
    const correction = correctionOf(charged, { ...charged, cost: "60" }) as Entry;
    expect(correction).toMatchObject({ kind: "correction", cost: "-40", held: "0", overage: "0", inputTokens: 0 });
    expect(await post(books, correction)).toBe(true);
    expect(await post(books, correction)).toBe(false);
    expect(books.standingNow(KEY, undefined, DAILY)).toEqual({ spent: 60n, held: 0n, lifetime: 60n });
    expect(correctionOf(charged, charged)).toBeUndefined();
  });

  test("1.4 a charge that was metered elsewhere counts in the windows of the limits that come with it, exactly once", async () => {
    const { books, open, close, entries } = world([]);
    close(admitted(open(askOf(100n))), 100n);
    const elsewhere: Entry = { ...(entries[0] as Entry), id: "X.01", attemptId: "X.01", cost: "5" };
    const limits: ChargeSet = { scopes: [KEY], limits: [money(1_000n, DAILY)] };
    expect(await post(books, elsewhere, [limits])).toBe(true);
    expect(await post(books, elsewhere, [limits])).toBe(false);
    expect(books.standingNow(KEY, undefined, DAILY)).toEqual({ spent: 105n, held: 0n, lifetime: 105n });
  });

  test("6.5 a standing that is asked for the first time has its history", async () => {
    const { books, open, close } = world([]);
    close(admitted(open(askOf(100n))), 30n);
    const standing = (model: string | undefined) => new Promise((resolve, reject) => books.standing(KEY, model, DAILY, (error, value) => (error === undefined ? resolve(value) : reject(error))));
    expect(await standing(undefined)).toEqual({ spent: 30n, held: 0n, lifetime: 30n });
    expect(await standing("m")).toEqual({ spent: 30n, held: 0n, lifetime: 30n });
    expect(await standing("n")).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
  });

  test("1.1 a lifetime limit of requests never slides: used up is used up, and a refused hold gives its request back", () => {
    const turns: Limit = { ...money(2n), measure: "requests" };
    const { journal, clock, open, close } = world([turns]);
    journal.full = true;
    expect(open(askOf(1n)).kind).toBe("failed");
    journal.full = false;
    close(admitted(open(askOf(1n))), 1n);
    close(admitted(open(askOf(1n))), 1n);
    clock.time += 400 * 24 * 3_600_000;
    expect(open(askOf(1n))).toMatchObject({ kind: "refused", refusal: { outcome: "budget_exceeded", spent: 2n, resetsAt: undefined } });
  });

  test("1.1 a limit of tokens per calendar day begins anew with the day", () => {
    const { clock, open, close } = world([{ ...money(15n, DAILY), measure: "tokens" }]);
    close(admitted(open(askOf(1n))), 1n);
    expect(open(askOf(1n))).toMatchObject({ kind: "refused", refusal: { outcome: "budget_exceeded", resetsAt: Date.UTC(2026, 10, 25) } });
    clock.time += 12 * 3_600_000;
    admitted(open(askOf(1n)));
  });
});

function seed(books: MemoryBooks, limits: Limit[]): Promise<void> {
  return new Promise((resolve, reject) => books.seed(limits, (error) => (error === undefined ? resolve() : reject(error))));
}

function post(books: MemoryBooks, entry: Entry, charges: ChargeSet[] = []): Promise<boolean> {
  return new Promise((resolve, reject) => books.post(entry, charges, (error, posted) => (error === undefined ? resolve(posted) : reject(error))));
}
