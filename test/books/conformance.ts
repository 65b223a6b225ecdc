import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ulidTime } from "../../src/base/ids.ts";
import { counterId } from "../../src/domain/ledger/counter-id.ts";
import { adjustmentEntry, correctionOf, entryOf, type AttemptFacts, type Charge, type Entry } from "../../src/domain/ledger/entry.ts";
import type { Ask } from "../../src/domain/limits/ask.ts";
import type { SqliteBooks } from "../../src/adapters/books/sqlite/sqlite-books.ts";
import type { CounterStanding, OpenAttempt, Opening, Refusal } from "../../src/domain/limits/books.ts";
import type { ChargeSet, Limit } from "../../src/domain/limits/limit.ts";
import { GLOBAL_SCOPE, scopeText, type Scope } from "../../src/domain/scopes/scope.ts";
import { spanAt } from "../../src/domain/windows/span.ts";
import { LIFETIME, MINUTE_SLIDING, NOW, type WindowSpec } from "../../src/domain/windows/window.ts";

type Books = Pick<SqliteBooks, "open" | "close" | "post" | "seed" | "standing">;

/** Books under test, with a clock of the test's own and a ledger that can be read. */
export interface BooksWorld {
  readonly books: Books;
  readonly clock: TestClock;
  /** Every entry so far, in the order of ids. */
  entries(): Promise<readonly Entry[]>;
  /** The first difference between ledger, balances and roll-ups. */
  audit(): Promise<string | null>;
  end(): Promise<void>;
}

export class TestClock {
  time = Date.UTC(2026, 10, 24, 12);
  now(): number { return this.time; }
  monotonic(): number { return this.time; }
}

export const KEY: Scope = { kind: "key", id: "K", label: "k" };
export const USER: Scope = { kind: "customer", id: "bob", label: "bob" };
export const GLOBAL_AND_KEY: readonly Scope[] = [GLOBAL_SCOPE, KEY];
export const DAILY: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "d" }, zone: "UTC", weekStart: 0 };
const HOURLY: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "h" }, zone: "UTC", weekStart: 0 };
const MINUTE: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "m" }, zone: "UTC", weekStart: 0 };
const DAY_MS = 86_400_000;

export const askOf = (nano: bigint, cap = 1): Ask => ({
  money: { fixed: 0n, perToken: (nano * 1_000n) / BigInt(cap) }, tokens: { fixed: 10n, perToken: 1n }, inputTokens: 10n, outputPerToken: 1n, declaredCap: cap, maximumOutput: 1_000,
});

export const chargeOf = (cost: bigint, more: Partial<Charge> = {}): Charge => ({
  cost, estimated: null, status: "ok", httpStatus: 200, lines: [], priceVersion: "v", unpriced: false, inputTokens: 5, outputTokens: 1, cachedTokens: 0,
  answeredModel: null, responseId: null, rawUsage: null, durationMs: 1, ...more,
});

export const money = (cap: bigint, window: WindowSpec = LIFETIME, more: Partial<Limit> = {}): Limit => ({ scope: KEY, model: undefined, measure: "nanoUsd", window, cap, hard: true, windowText: undefined, ...more });
const rate = (measure: Limit["measure"], cap: bigint, window: WindowSpec): Limit => money(cap, window, { measure });

let count = 0;
export function factsOf(at: number, scopes: readonly Scope[] = [GLOBAL_SCOPE, KEY], model = "m"): AttemptFacts {
  count += 1;
  const requestId = `${ulidTime(at)}${String(count).padStart(16, "0")}`;
  return {
    requestId, attemptId: `${requestId}.01`, at, scopes: scopes.map(scopeText), keyId: "K", teamId: null, userId: null, customer: null, model, provider: "p", upstreamModel: model,
    deployment: "d", route: "chat", stream: false, tags: ["t"], metadata: null,
  };
}

export const opened = (books: Books, ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[]): Promise<Opening> => new Promise((resolve) => { books.open(ask, facts, charges, resolve); });
export const closed = (books: Books, attempt: OpenAttempt, charge: Charge): Promise<Error | undefined> => new Promise((resolve) => { books.close(attempt, charge, resolve); });
export const posted = (books: Books, entry: Entry, charges: readonly ChargeSet[] = []): Promise<boolean> =>
  new Promise((resolve, reject) => { books.post(entry, charges, (error, done) => (error === undefined ? resolve(done) : reject(error))); });
export const seeded = (books: Books, limits: readonly Limit[]): Promise<void> => new Promise((resolve, reject) => { books.seed(limits, (error) => (error === undefined ? resolve() : reject(error))); });
export const standingOf = (books: Books, scope: Scope, window: WindowSpec, model?: string): Promise<CounterStanding> =>
  new Promise((resolve, reject) => { books.standing(scope, model, window, (error, standing) => (error === undefined ? resolve(standing) : reject(error))); });

export function admitted(opening: Opening): OpenAttempt {
  if (opening.kind !== "open") throw new Error(`not admitted: ${JSON.stringify(opening, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value))}`);
  return opening.attempt;
}

function refused(opening: Opening): Refusal {
  if (opening.kind !== "refused") throw new Error(`not refused but ${opening.kind}`);
  return opening.refusal;
}

/** What every implementation of `Books` promises; `make` gives new books on an empty ledger. */
export function booksConformance(name: string, make: () => Promise<BooksWorld>): void {
  const inWorld = (title: string, body: (world: ReturnType<typeof handy>) => Promise<void>): void => {
    test(title, async () => {
      const world = await make();
      try {
        await body(handy(world));
        expect(await world.audit()).toBeNull();
      } finally {
        await world.end();
      }
    });
  };

  describe(`every rule of Books, by ${name}`, () => {
    test("promise 1: whatever is opened and closed in any order, settled and held never pass the cap, and holds return to zero", async () => {
      const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 100 }), fc.nat()), { maxLength: 60 });
      await fc.assert(fc.asyncProperty(steps, fc.integer({ min: 1, max: 8_000 }), async (rows, cap) => {
        const world = await make();
        const { open, close, standing, entries } = handy(world);
        const limits = [money(BigInt(cap)), money(BigInt(cap) * 2n, DAILY)];
        const live: { attempt: OpenAttempt; percent: number }[] = [];
        let settled = 0n;
        for (const [hold, percent, pick] of rows) {
          const before = await standing(KEY, LIFETIME);
          const opening = await open(askOf(BigInt(hold)), limits);
          expect(opening.kind === "open").toBe(before.spent + before.held + BigInt(hold) <= BigInt(cap));
          if (opening.kind === "open") live.push({ attempt: opening.attempt, percent });
          if (live.length > 0 && pick % 3 === 0) {
            const [one] = live.splice(pick % live.length, 1) as [(typeof live)[0]];
            const cost = (one.attempt.hold.nanoUsd * BigInt(one.percent)) / 100n;
            await close(one.attempt, cost);
            settled += cost;
          }
          const now = await standing(KEY, LIFETIME);
          expect(now.spent + now.held <= BigInt(cap)).toBe(true);
          expect(now.spent).toBe(settled);
        }
        await Promise.all(live.map(({ attempt }) => close(attempt, 0n)));
        expect(await standing(KEY, LIFETIME)).toEqual({ spent: settled, held: 0n, lifetime: settled });
        expect(await standing(KEY, DAILY)).toEqual({ spent: settled, held: 0n, lifetime: settled });
        const total = (await entries()).reduce((sum, entry) => sum + BigInt(entry.cost), 0n);
        expect(total).toBe(settled);
        expect(await world.audit()).toBeNull();
        await world.end();
      }), { numRuns: 15 });
    });

    inWorld("GATE 1.4: of a hundred asks in one turn exactly those that fit are admitted", async ({ open, close, standing }) => {
      const openings = await Promise.all(Array.from({ length: 100 }, () => open(askOf(100n), [money(1_050n)])));
      expect(openings.filter((opening) => opening.kind === "open")).toHaveLength(10);
      expect(await standing(KEY, LIFETIME)).toEqual({ spent: 0n, held: 1_000n, lifetime: 0n });
      await Promise.all(openings.map((opening) => (opening.kind === "open" ? close(opening.attempt, 7n) : undefined)));
      expect(await standing(KEY, LIFETIME)).toEqual({ spent: 70n, held: 0n, lifetime: 70n });
    });

    inWorld("GATE 3.1: all or nothing: what one limit refuses is held in none", async ({ open, standing }) => {
      const limits = [money(1_000n, DAILY), money(1_000n, LIFETIME, { scope: GLOBAL_SCOPE }), money(50n), rate("requests", 5n, MINUTE_SLIDING)];
      for (let i = 0; i < 10; i += 1) expect(refused(await open(askOf(100n), limits)).outcome).toBe("budget_exceeded");
      expect(await standing(KEY, DAILY)).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
      expect(await standing(GLOBAL_SCOPE, LIFETIME)).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
      for (let i = 0; i < 5; i += 1) admitted(await open(askOf(10n), limits));
    });

    inWorld("GATE 3.1: money that others hold is not now, money that is spent is never, and only the latter shortens an answer", async ({ open, close }) => {
      const first = admitted(await open(askOf(60n), [money(100n)]));
      expect(refused(await open(askOf(60n), [money(100n)]))).toMatchObject({ outcome: "budget_held", spent: 0n, held: 60n, needed: 60n });
      await close(first, 60n);
      expect(refused(await open(askOf(60n), [money(100n)]))).toMatchObject({ outcome: "budget_exceeded", spent: 60n, held: 0n });
      const shortened = admitted(await open(askOf(100n * 100n, 100), [money(60n + 70n * 100n)]));
      expect(shortened).toMatchObject({ sendCap: 70, hold: { cap: 70, nanoUsd: 7_000n } });
    });

    inWorld("GATE 4.6: a refusal names limit, spent, held, what was needed and when the window ends", async ({ open, close, clock }) => {
      const daily = money(100n, DAILY, { windowText: "1d" });
      await close(admitted(await open(askOf(30n), [daily])), 30n);
      admitted(await open(askOf(20n), [daily]));
      const refusal = refused(await open(askOf(60n), [daily]));
      expect(refusal).toMatchObject({ outcome: "budget_held", limit: daily, spent: 30n, held: 20n, needed: 60n, resetsAt: spanAt(DAILY, clock.time).end });
      expect(refused(await open(askOf(500n), [money(100n)])).resetsAt).toBeUndefined();
    });

    inWorld("promise 4: a second settlement of the same attempt changes nothing", async ({ open, close, standing, entries }) => {
      const attempt = admitted(await open(askOf(100n), [money(1_000n)]));
      await Promise.all([close(attempt, 60n), close(attempt, 70n)]);
      await close(attempt, 80n);
      expect(await standing(KEY, LIFETIME)).toEqual({ spent: 60n, held: 0n, lifetime: 60n });
      expect(await entries()).toHaveLength(1);
    });

    inWorld("GATE 5.1: a cost above the hold counts whole, and the overage stands in the entry", async ({ open, close, standing, entries }) => {
      await close(admitted(await open(askOf(100n), [money(1_000n)])), 130n);
      expect((await entries())[0]).toMatchObject({ kind: "charge", held: "100", cost: "130", overage: "30" });
      expect((await standing(KEY, LIFETIME)).spent).toBe(130n);
    });

    inWorld("GATE 5.2: an attempt that cost nothing frees its hold and still has its entry", async ({ open, close, standing, entries, books, facts }) => {
      const attempt = admitted(await open(askOf(100n), [money(100n)]));
      await closed(books, attempt, chargeOf(0n, { status: "not_connected", httpStatus: null, inputTokens: 0, outputTokens: 0 }));
      expect(await standing(KEY, LIFETIME)).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
      expect(await entries()).toMatchObject([{ id: attempt.facts.attemptId, cost: "0", held: "100", status: "not_connected" }]);
      admitted(await opened(books, askOf(100n), facts(), [{ scopes: [GLOBAL_SCOPE, KEY], limits: [money(100n)] }]));
      await close(admitted(await open(askOf(0n), [])), 0n);
    });

    inWorld("the entry says what the attempt was, member by member", async ({ open, close, entries }) => {
      const attempt = admitted(await open(askOf(100n), [money(100n)]));
      await close(attempt, 41n);
      expect(await entries()).toEqual([entryOf(attempt.facts, 100n, chargeOf(41n))]);
    });

    inWorld("GATE 6.1: a settlement after midnight is charged to the day of the admission", async ({ open, close, standing, clock }) => {
      const attempt = admitted(await open(askOf(900n), [money(1_000n, DAILY)]));
      clock.time += DAY_MS;
      expect(await standing(KEY, DAILY)).toMatchObject({ spent: 0n, held: 0n });
      const next = admitted(await open(askOf(1_000n), [money(1_000n, DAILY)]));
      await close(attempt, 900n);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 0n, held: 1_000n, lifetime: 900n });
      await close(next, 1n);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 1n, held: 0n, lifetime: 901n });
    });

    inWorld("GATE 6.2: each window starts at zero without a job that resets it", async ({ open, close, clock, standing }) => {
      for (let minute = 0; minute < 5; minute += 1) {
        await close(admitted(await open(askOf(100n), [money(100n, MINUTE)])), 100n);
        expect(refused(await open(askOf(1n), [money(100n, MINUTE)])).outcome).toBe("budget_exceeded");
        clock.time += 60_000;
      }
      expect(await standing(KEY, MINUTE)).toEqual({ spent: 0n, held: 0n, lifetime: 500n });
    });

    inWorld("GATE 1.2: a hard and a soft budget on one window share a counter: what is charged once is counted once", async ({ open, close, standing }) => {
      const limits = [money(1_000n), money(10n, LIFETIME, { hard: false })];
      await close(admitted(await open(askOf(100n), limits)), 50n);
      expect(await standing(KEY, LIFETIME)).toEqual({ spent: 50n, held: 0n, lifetime: 50n });
    });

    inWorld("GATE 4.7: a soft budget never refuses; an attempt says which ones stand at their cap, its own cost included", async ({ open, close }) => {
      const soft = money(10n, DAILY, { hard: false });
      const first = admitted(await open(askOf(100n), [soft]));
      expect(first.softCrossed).toEqual([]);
      await close(first, 50n);
      expect(first.softCrossed).toEqual([soft]);
      expect(admitted(await open(askOf(100n), [soft])).softCrossed).toEqual([soft]);
    });

    inWorld("GATE 6.3: a cap lowered below what is spent refuses at once, raised it admits at once", async ({ open, close }) => {
      await close(admitted(await open(askOf(50n), [money(100n, DAILY)])), 50n);
      expect(refused(await open(askOf(10n), [money(40n, DAILY)])).outcome).toBe("budget_exceeded");
      admitted(await open(askOf(10n), [money(60n, DAILY)]));
    });

    inWorld("GATE 6.3: a new window on a scope with history starts with its history and the holds of open attempts", async ({ open, close, clock, standing, books }) => {
      await close(admitted(await open(askOf(70n), [])), 70n);
      clock.time += DAY_MS;
      await close(admitted(await open(askOf(100n), [])), 100n);
      const running = admitted(await open(askOf(200n), []));
      const daily = money(10_000n, DAILY);
      await seeded(books, [daily]);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 100n, held: 200n, lifetime: 170n });
      await close(running, 150n);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 250n, held: 0n, lifetime: 320n });
      await seeded(books, [daily]);
      expect((await standing(KEY, DAILY)).spent).toBe(250n);
    });

    inWorld("GATE 6.3: a window that begins inside a quarter of an hour is seeded to the millisecond", async ({ open, close, clock, standing, books }) => {
      clock.time += 7 * 60_000 + 1;
      await close(admitted(await open(askOf(10n), [])), 10n);
      clock.time += 1;
      const since: WindowSpec = { kind: "lifetime", since: clock.time };
      await close(admitted(await open(askOf(20n), [])), 20n);
      await seeded(books, [money(100n, since)]);
      expect(await standing(KEY, since)).toMatchObject({ spent: 20n });
    });

    inWorld("GATE 6.3: a running attempt is attached to the window of its admission, not to the current one", async ({ open, close, clock, standing, books }) => {
      const running = admitted(await open(askOf(200n), []));
      clock.time += DAY_MS;
      await seeded(books, [money(1_000n, DAILY)]);
      expect(await standing(KEY, DAILY)).toMatchObject({ spent: 0n, held: 0n });
      await close(running, 200n);
      expect(await standing(KEY, DAILY)).toMatchObject({ spent: 0n, held: 0n, lifetime: 200n });
    });

    inWorld("GATE 1.2: windows of a scope go on counting while no limit asks about them", async ({ open, close, standing }) => {
      await close(admitted(await open(askOf(10n), [money(100n, DAILY)])), 10n);
      await close(admitted(await open(askOf(20n), [money(100n, HOURLY)])), 20n);
      await close(admitted(await open(askOf(40n), [])), 40n);
      expect((await standing(KEY, DAILY)).spent).toBe(70n);
      expect((await standing(KEY, HOURLY)).spent).toBe(70n);
      expect(refused(await open(askOf(40n), [money(100n, DAILY)])).outcome).toBe("budget_exceeded");
    });

    inWorld("GATE 1.1: a limit with a model counts that model only", async ({ openAs, close, standing }) => {
      const limit = money(100n, DAILY, { model: "m" });
      await close(admitted(await openAs("m", askOf(60n), [limit])), 60n);
      await close(admitted(await openAs("n", askOf(600n), [])), 600n);
      expect(await standing(KEY, DAILY, "m")).toEqual({ spent: 60n, held: 0n, lifetime: 60n });
      expect(await standing(KEY, DAILY)).toMatchObject({ spent: 660n, lifetime: 660n });
      expect(refused(await openAs("m", askOf(60n), [limit])).outcome).toBe("budget_exceeded");
    });

    inWorld("GATE 1.3: an adjustment moves the one counter that it names, once, and no other", async ({ open, close, standing, books, clock }) => {
      await close(admitted(await open(askOf(60n), [money(100n, DAILY)])), 60n);
      const { start } = spanAt(DAILY, clock.time);
      const entry = adjustmentEntry({ id: `${ulidTime(clock.time)}ADJUSTMENT000001`, at: clock.time, scope: "key:K", counter: counterId(KEY, undefined, DAILY, start), by: -60n, metadata: null });
      expect(await posted(books, entry)).toBe(true);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 0n, held: 0n, lifetime: 60n });
      expect(await posted(books, entry)).toBe(false);
      expect((await standing(KEY, DAILY)).spent).toBe(0n);
      admitted(await open(askOf(100n), [money(100n, DAILY)]));
    });

    inWorld("GATE 5.9: an adjustment of a window that nothing was charged in yet presets its spend", async ({ open, standing, books, clock }) => {
      const limit = money(100n, DAILY);
      const { start } = spanAt(DAILY, clock.time);
      const entry = adjustmentEntry({ id: `${ulidTime(clock.time)}ADJUSTMENT000002`, at: clock.time, scope: "key:K", counter: counterId(KEY, undefined, DAILY, start), by: 95n, metadata: "{}" });
      expect(await posted(books, entry, [{ scopes: [KEY], limits: [limit] }])).toBe(true);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 95n, held: 0n, lifetime: 0n });
      expect(refused(await open(askOf(10n), [limit])).outcome).toBe("budget_exceeded");
    });

    inWorld("GATE 5.6: a correction counts in the windows of the admission that it corrects", async ({ open, close, standing, books, clock, entries }) => {
      const attempt = admitted(await open(askOf(100n), [money(1_000n, DAILY)]));
      await close(attempt, 100n);
      clock.time += DAY_MS;
      admitted(await open(askOf(5n), [money(1_000n, DAILY)]));
      const charged = entryOf(attempt.facts, 100n, chargeOf(100n));
      const correction = correctionOf(charged, entryOf(attempt.facts, 100n, chargeOf(40n))) as Entry;
      expect(await posted(books, correction)).toBe(true);
      expect(await posted(books, correction)).toBe(false);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 0n, held: 5n, lifetime: 40n });
      expect((await entries()).map((entry) => entry.kind)).toEqual(["charge", "correction"]);
    });

    inWorld("a charge that was metered elsewhere counts in every window of its scopes, once", async ({ open, standing, books, facts }) => {
      const limit = money(100n, DAILY);
      const entry = entryOf(facts(), 0n, chargeOf(70n));
      const sets = [{ scopes: [GLOBAL_SCOPE, KEY], limits: [limit] }];
      expect(await Promise.all([posted(books, entry, sets), posted(books, entry, sets)])).toEqual([true, false]);
      expect(await standing(KEY, DAILY)).toEqual({ spent: 70n, held: 0n, lifetime: 70n });
      expect(await standing(GLOBAL_SCOPE, LIFETIME)).toMatchObject({ spent: 70n });
      expect(refused(await open(askOf(40n), [limit])).outcome).toBe("budget_exceeded");
    });

    inWorld("a scope that nobody ever charged stands at zero, and scopes do not mix", async ({ open, close, standing }) => {
      await close(admitted(await open(askOf(10n), [money(100n)])), 10n);
      expect(await standing(USER, DAILY)).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
      expect(await standing({ ...KEY, id: "K2" }, LIFETIME)).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
    });

    inWorld("promise 5: amounts beyond 2^53 nano-dollars are exact to the last one", async ({ open, close, standing }) => {
      const huge = 2n ** 53n + 1n;
      const limit = money(4n * huge);
      const [one, two] = [admitted(await open(askOf(huge), [limit])), admitted(await open(askOf(huge + 2n), [limit]))];
      expect(await standing(KEY, LIFETIME)).toMatchObject({ held: 2n * huge + 2n });
      await close(one, huge);
      await close(two, huge + 2n);
      expect(await standing(KEY, LIFETIME)).toEqual({ spent: 2n * huge + 2n, held: 0n, lifetime: 2n * huge + 2n });
      expect(refused(await open(askOf(2n * huge - 1n), [limit])).outcome).toBe("budget_exceeded");
      admitted(await open(askOf(2n * huge - 2n), [limit]));
    });

    inWorld("GATE 4.5, 7.4: a refused request consumes nothing, and a slot is free when its attempt is closed", async ({ open, close }) => {
      const limits = [rate("requests", 2n, MINUTE_SLIDING), rate("slots", 1n, NOW)];
      const first = admitted(await open(askOf(1n), limits));
      for (let i = 0; i < 5; i += 1) expect(refused(await open(askOf(1n), limits))).toMatchObject({ outcome: "rate_limited", limit: { measure: "slots" } });
      await close(first, 1n);
      await close(admitted(await open(askOf(1n), limits)), 1n);
      expect(refused(await open(askOf(1n), limits))).toMatchObject({ limit: { measure: "requests" } });
    });

    inWorld("GATE 4.3: after the time that a refusal names the request fits, and not long before", async ({ open, clock }) => {
      const limits = [rate("requests", 2n, MINUTE_SLIDING)];
      admitted(await open(askOf(1n), limits));
      clock.time += 20_000;
      admitted(await open(askOf(1n), limits));
      clock.time += 10_000;
      const { retryAfterMs } = refused(await open(askOf(1n), limits));
      expect(retryAfterMs).toBeGreaterThanOrEqual(30_000);
      expect(retryAfterMs).toBeLessThan(31_000);
      clock.time += 29_999;
      expect(refused(await open(askOf(1n), limits)).outcome).toBe("rate_limited");
      clock.time += (retryAfterMs as number) - 29_999;
      admitted(await open(askOf(1n), limits));
      expect(refused(await open(askOf(1n), limits)).outcome).toBe("rate_limited");
    });

    inWorld("GATE 7.2: a token reservation becomes what was used; unknown usage leaves it as it is", async ({ open, close, books }) => {
      const limits = [rate("tokens", 230n, MINUTE_SLIDING)];
      const first = admitted(await open(askOf(1n, 100), limits));
      const second = admitted(await open(askOf(1n, 100), limits));
      expect(refused(await open(askOf(1n, 100), limits)).outcome).toBe("rate_limited");
      await close(first, 1n);
      await closed(books, second, chargeOf(1n, { estimated: "no_status", inputTokens: 0, outputTokens: 0 }));
      admitted(await open(askOf(1n, 100), limits));
      expect(refused(await open(askOf(1n, 1), limits)).outcome).toBe("rate_limited");
    });

    inWorld("a limit of requests for ever counts each of them for ever", async ({ open, close, clock }) => {
      const limits = [rate("requests", 3n, LIFETIME)];
      for (let i = 0; i < 3; i += 1) {
        await close(admitted(await open(askOf(1n), limits)), 1n);
        clock.time += DAY_MS;
      }
      expect(refused(await open(askOf(1n), limits))).toMatchObject({ spent: 3n, resetsAt: undefined });
    });

    inWorld("a limit of requests by the day starts again at midnight, and says when", async ({ open, clock }) => {
      const limits = [rate("requests", 1n, DAILY)];
      admitted(await open(askOf(1n), limits));
      expect(refused(await open(askOf(1n), limits))).toMatchObject({ resetsAt: spanAt(DAILY, clock.time).end });
      clock.time += DAY_MS;
      admitted(await open(askOf(1n), limits));
    });

    inWorld("an admitted attempt says what its rates have left and what its payer had spent", async ({ open, close, books, facts }) => {
      await close(admitted(await open(askOf(40n), [])), 40n);
      const limit = rate("requests", 10n, MINUTE_SLIDING);
      const attempt = admitted(await opened(books, askOf(1n), facts(), [{ scopes: [GLOBAL_SCOPE, KEY], limits: [limit], payer: { scope: KEY, window: LIFETIME } }]));
      expect(attempt).toMatchObject({ rates: [{ limit, remaining: 9n }], payerSpent: 40n });
    });
  });
}

function handy(world: BooksWorld) {
  const { books, clock } = world;
  const facts = (scopes?: readonly Scope[]): AttemptFacts => factsOf(clock.time, scopes);
  const openAs = (model: string, ask: Ask, limits: readonly Limit[]): Promise<Opening> =>
    opened(books, ask, factsOf(clock.time, undefined, model), [{ scopes: [GLOBAL_SCOPE, KEY], limits }]);
  return {
    ...world, facts, openAs,
    open: (ask: Ask, limits: readonly Limit[]): Promise<Opening> => openAs("m", ask, limits),
    close: async (attempt: OpenAttempt, cost: bigint): Promise<void> => expect(await closed(books, attempt, chargeOf(cost))).toBeUndefined(),
    standing: (scope: Scope, window: WindowSpec, model?: string): Promise<CounterStanding> => standingOf(books, scope, window, model),
  };
}
