import { expect, test } from "vitest";
import { MemoryBooks } from "../../src/adapters/books/memory/memory-books.ts";
import type { AttemptFacts, Charge } from "../../src/domain/ledger/entry.ts";
import type { Ask } from "../../src/domain/limits/ask.ts";
import type { OpenAttempt, Opening } from "../../src/domain/limits/books.ts";
import { limitsOf } from "../../src/domain/limits/compile-limits.ts";
import { GLOBAL_SCOPE, type Scope } from "../../src/domain/scopes/scope.ts";
import type { ChargeSet } from "../../src/domain/limits/limit.ts";

const KEYS = 100_000;
const ASK: Ask = { money: { fixed: 1_000_000n, perToken: 0n }, tokens: { fixed: 10n, perToken: 1n }, inputTokens: 10n, outputPerToken: 1n, declaredCap: 1, maximumOutput: 1_000 };
const CHARGE: Charge = {
  cost: 900n, estimated: null, status: "ok", httpStatus: 200, lines: [], priceVersion: "v", unpriced: false, inputTokens: 10, outputTokens: 1, cachedTokens: 0,
  answeredModel: null, responseId: null, rawUsage: null, durationMs: 1,
};

test("GATE 7.5: with 100,000 keys in use every count is exact: none is given up while it counts, in money, requests, tokens or slots", { timeout: 120_000 }, () => {
  const clock = { time: Date.UTC(2026, 10, 24, 12), now() { return this.time; }, monotonic() { return this.time; } };
  let sequence = 0;
  const books = new MemoryBooks({
    clock, stored: [], onEntry: () => {},
    journal: { append: (_record, then) => then(undefined, ++sequence), opened() {}, closed() {} },
    history: { spent: async () => ({ nanoUsd: 0n, lastSequence: 0 }), has: async () => false },
  });
  // Each may have two requests a minute, one at a time, and money for three: each holds 1,000 nano-dollars and costs 900.
  const sets = Array.from({ length: KEYS }, (_, index): ChargeSet => {
    const scope: Scope = { kind: "key", id: `K${index}`, label: `key ${index}` };
    return { scopes: [GLOBAL_SCOPE, scope], limits: limitsOf({ scope, rpm: 2, tpm: 1_000, maxParallelRequests: 1, maxBudgetNanoUsd: 2_900n, tokenRateLimitType: "total", timeZone: "UTC", weekStart: 0 }) };
  });
  let count = 0;
  const open = (index: number): Opening => {
    count += 1;
    const facts: AttemptFacts = {
      requestId: `R${count}`, attemptId: `R${count}.01`, at: clock.time, scopes: ["global", `key:K${index}`], keyId: `K${index}`, teamId: null, userId: null, customer: null,
      model: "m", provider: "p", upstreamModel: "m", deployment: "d", route: "chat_completions", stream: false, tags: [], metadata: null,
    };
    let opening: Opening | undefined;
    books.open(ASK, facts, [sets[index] as ChargeSet], (result) => { opening = result; });
    return opening as Opening;
  };
  const outcomes = (): Map<string, number> => {
    const found = new Map<string, number>();
    for (let index = 0; index < KEYS; index += 1) {
      const opening = open(index);
      const outcome = opening.kind === "refused" ? `${opening.refusal.outcome} ${opening.refusal.limit.measure}` : opening.kind;
      found.set(outcome, (found.get(outcome) ?? 0) + 1);
      if (opening.kind === "open") attempts[index] = opening.attempt;
    }
    return found;
  };
  const attempts: OpenAttempt[] = [];
  const settleAll = (): void => {
    for (const attempt of attempts) books.close(attempt, CHARGE, () => {});
  };
  const all = (outcome: string): Map<string, number> => new Map([[outcome, KEYS]]);

  expect(outcomes()).toEqual(all("open"));
  expect(outcomes()).toEqual(all("rate_limited slots"));
  settleAll();
  // What goes to the ledger is no reason to forget it here.
  books.takeChanges();
  expect(outcomes()).toEqual(all("open"));
  settleAll();
  clock.time += 59_000;
  expect(outcomes()).toEqual(all("rate_limited requests"));
  // A year later the minute is free; the money of a lifetime is not.
  clock.time += 365 * 86_400_000;
  books.takeChanges();
  expect(outcomes()).toEqual(all("open"));
  settleAll();
  expect(outcomes()).toEqual(all("budget_exceeded nanoUsd"));
  for (const index of [0, 1, 49_999, KEYS - 1]) {
    const limit = (sets[index] as ChargeSet).limits.find(({ measure }) => measure === "nanoUsd");
    expect(books.standingNow({ kind: "key", id: `K${index}`, label: "" }, undefined, (limit as NonNullable<typeof limit>).window)).toEqual({ spent: 2_700n, held: 0n, lifetime: 2_700n });
  }
});
