import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryBooks } from "../../src/adapters/books/memory/memory-books.ts";
import type { AttemptFacts, Charge, Entry } from "../../src/domain/ledger/entry.ts";
import type { Journal } from "../../src/domain/ledger/ports.ts";
import type { Ask } from "../../src/domain/limits/ask.ts";
import type { OpenAttempt, Opening } from "../../src/domain/limits/books.ts";
import type { ChargeSet, Limit } from "../../src/domain/limits/limit.ts";
import { GLOBAL_SCOPE, type Scope } from "../../src/domain/scopes/scope.ts";
import { LIFETIME, MINUTE_SLIDING, NOW, type WindowSpec } from "../../src/domain/windows/window.ts";

const KEY: Scope = { kind: "key", id: "K", label: "k" };
const DAILY: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "d" }, zone: "UTC", weekStart: 0 };

/** A journal that writes nothing and can be full. */
class TestJournal implements Journal {
  full = false;
  sequence = 0;
  append(_record: string, then: (error: Error | undefined, sequence: number) => void): void {
    if (this.full) then(new Error("ENOSPC"), -1);
    else then(undefined, ++this.sequence);
  }
  opened(): void {}
  closed(): void {}
}

function world(limits: Limit[]) {
  const clock = { time: Date.UTC(2026, 10, 24, 12), now() { return this.time; }, monotonic() { return this.time; } };
  const journal = new TestJournal();
  const entries: Entry[] = [];
  const books = new MemoryBooks({ clock, journal, stored: new Map(), onEntry: (entry) => entries.push(entry) });
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
  return { clock, journal, entries, books, open, close, set };
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
        const before = books.standing(KEY, LIFETIME);
        const opening = open(askOf(BigInt(hold)));
        if (opening.kind === "open") live.push({ attempt: opening.attempt, percent });
        else expect(before.spent + before.held + BigInt(hold) > BigInt(cap)).toBe(true);
        if (live.length > 0 && pick % 3 === 0) {
          const [one] = live.splice(pick % live.length, 1);
          const cost = ((one as (typeof live)[0]).attempt.hold.nanoUsd * BigInt((one as (typeof live)[0]).percent)) / 100n;
          close((one as (typeof live)[0]).attempt, cost);
          settled += cost;
        }
        const { spent, held } = books.standing(KEY, LIFETIME);
        expect(spent + held <= BigInt(cap)).toBe(true);
        expect(spent).toBe(settled);
      }
      for (const { attempt } of live) close(attempt, 0n);
      expect(books.standing(KEY, LIFETIME)).toEqual({ spent: settled, held: 0n, lifetime: settled });
      expect(entries.reduce((sum, entry) => sum + BigInt(entry.cost), 0n)).toBe(settled);
      expect(books.openAttempts).toBe(0);
    }));
  });

  test("promise 4: a second settlement of the same attempt changes nothing", () => {
    const { books, open, close, entries } = world([money(1_000n)]);
    const attempt = admitted(open(askOf(100n)));
    close(attempt, 60n);
    close(attempt, 60n);
    expect(books.standing(KEY, LIFETIME)).toEqual({ spent: 60n, held: 0n, lifetime: 60n });
    expect(entries).toHaveLength(1);
  });

  test("5.1 a cost above the hold counts whole, and the overage stands in the entry", () => {
    const { books, open, close, entries } = world([money(1_000n)]);
    close(admitted(open(askOf(100n))), 130n);
    expect(entries[0]).toMatchObject({ held: "100", cost: "130", overage: "30" });
    expect(books.standing(KEY, LIFETIME).spent).toBe(130n);
    expect(books.overages).toBe(1);
  });

  test("6.1 a settlement after midnight is charged to the day of the admission", () => {
    const { books, clock, open, close } = world([money(1_000n, DAILY)]);
    const attempt = admitted(open(askOf(900n)));
    clock.time += 24 * 3_600_000;
    expect(books.standing(KEY, DAILY)).toMatchObject({ spent: 0n, held: 0n });
    admitted(open(askOf(1_000n)));
    close(attempt, 900n);
    expect(books.standing(KEY, DAILY)).toEqual({ spent: 0n, held: 1_000n, lifetime: 900n });
  });

  test("6.2 a hard and a soft budget on one window share a counter: what is charged once is counted once", () => {
    const { books, open, close } = world([money(1_000n), money(10n, LIFETIME, false)]);
    const first = admitted(open(askOf(100n)));
    expect(first.softCrossed).toHaveLength(0);
    close(first, 50n);
    expect(books.standing(KEY, LIFETIME).spent).toBe(50n);
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
    expect(books.standing(KEY, LIFETIME)).toEqual({ spent: 0n, held: 0n, lifetime: 0n });
    journal.full = false;
    admitted(open(askOf(100n)));
  });

  test("8.4 when a settlement cannot be journalled its cost stays in the counters", () => {
    const { books, journal, open, close, entries } = world([money(1_000n)]);
    const attempt = admitted(open(askOf(100n)));
    journal.full = true;
    close(attempt, 70n);
    expect(books.standing(KEY, LIFETIME)).toEqual({ spent: 70n, held: 0n, lifetime: 70n });
    expect(entries).toHaveLength(0);
    expect(books.takeBalances()).toHaveLength(0);
  });

  test("6.3 a new window on a scope with history starts with its history and the holds of open attempts", async () => {
    const { books, open, close } = world([money(10_000n)]);
    close(admitted(open(askOf(100n))), 100n);
    const running = admitted(open(askOf(200n)));
    await books.seed([money(300n, DAILY)], () => Promise.resolve(100n));
    expect(books.standing(KEY, DAILY)).toMatchObject({ spent: 100n, held: 200n });
    close(running, 150n);
    expect(books.standing(KEY, DAILY)).toMatchObject({ spent: 250n, held: 0n });
  });
});
