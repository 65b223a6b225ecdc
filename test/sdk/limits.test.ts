import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { createTollgate } from "../../src/app/sdk.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { HELLO, MODEL, sdkUnderTest, type SdkUnderTest } from "./instance.ts";

let sdk: SdkUnderTest | undefined;

async function start(options: Parameters<typeof sdkUnderTest>[0] = {}): Promise<SdkUnderTest> {
  sdk = await sdkUnderTest(options);
  return sdk;
}

afterEach(async () => {
  await sdk?.stop();
  sdk = undefined;
});

const failure = (promise: Promise<unknown>): Promise<{ code?: string; scope?: string; message?: string }> => promise.then(() => ({ code: "none" }), (error: { code?: string }) => error);

describe("maxBudget", () => {
  test("counts from the start of the process, whenever it is set, and a raise admits again at once", async () => {
    const { tollgate, spent } = await start({ provider: { standard: { promptTokens: 10, completionTokens: 100 } } });
    await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100 });
    expect(spent()).toBe(61_500n);
    tollgate.maxBudget = "0.00007";
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100 }))).toMatchObject({ code: "budget_exceeded", scope: "process", currentCost: 0.0000615, maxBudget: 0.00007 });
    tollgate.maxBudget = 1;
    await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100 });
    tollgate.maxBudget = Infinity;
    await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100 });
    expect(spent()).toBe(3n * 61_500n);
  });

  test.each([-1, Number.NaN, "-0.1", "a lot", 0.0000000001, "1e30", {} as string])("%s is no amount", async (amount) => {
    const { tollgate } = await start();
    expect(() => { tollgate.maxBudget = amount; }).toThrow(expect.objectContaining({ code: "invalid_amount" }) as Error);
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO, maxBudget: amount }))).toMatchObject({ code: "invalid_amount" });
  });

  test("money that other calls hold is waited for, up to the time-out: then budget_held", async () => {
    const { tollgate, provider } = await start({ maxBudget: "0.0001" });
    provider.enqueue({ headDelayMs: 300, completionTokens: 10 }, { completionTokens: 10 });
    const first = tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 120 });
    await expect.poll(() => provider.requests.length).toBe(1);
    const late = await failure(tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 120, timeoutMs: 50 }));
    expect(late).toMatchObject({ code: "budget_held", scope: "process" });
    expect(BudgetExceededError.isInstance(late)).toBe(true);
    const patient = tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 120 });
    await first;
    await patient;
    expect(provider.requests).toHaveLength(2);
  });

  test("waiting ends with the caller's signal", async () => {
    const { tollgate, provider } = await start({ maxBudget: "0.0001" });
    provider.enqueue({ headDelayMs: 200, completionTokens: 10 });
    const first = tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 120 });
    await expect.poll(() => provider.requests.length).toBe(1);
    const waiting = failure(tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 120, signal: AbortSignal.timeout(20) }));
    expect(await waiting).toMatchObject({ name: "TimeoutError" });
    await first;
    expect(provider.requests).toHaveLength(1);
  });

  test("2.3 a model without a price is refused under a hard budget, and marked without one", async () => {
    const { tollgate, provider } = await start();
    const response = await tollgate.completion({ model: "openai/no-such-model", messages: HELLO });
    expect(response.cost).toMatchObject({ total: "0", unpriced: true, estimated: true });
    expect(await failure(tollgate.completion({ model: "openai/no-such-model", messages: HELLO, maxBudget: 1 }))).toMatchObject({ code: "unpriced" });
    expect(provider.requests).toHaveLength(1);
  });

  test("2.2 what has no upper bound is refused under a hard budget", async () => {
    const { tollgate, provider } = await start({ maxBudget: 1 });
    expect(await failure(tollgate.completion({ model: MODEL, messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }] }] }))).toMatchObject({ code: "cost_not_boundable" });
    expect(provider.requests).toHaveLength(0);
  });
});

describe("withContext", () => {
  test("says who pays, across awaits; the call and the innermost context win, tags add up", async () => {
    const { tollgate, entries } = await start({ defaults: { user: "nobody", tags: ["d"] } });
    await tollgate.withContext({ user: "outer", tags: ["o"], metadata: { a: 1, b: 1 } }, async () => {
      await pause(1);
      await tollgate.withContext({ user: "inner", tags: ["i", "o"], metadata: { b: 2 } }, () => tollgate.completion({ model: MODEL, messages: HELLO }));
      await tollgate.completion({ model: MODEL, messages: HELLO, user: "call" });
    });
    await tollgate.completion({ model: MODEL, messages: HELLO });
    expect(entries.map((entry) => [entry.customer, entry.tags, entry.metadata])).toEqual([["inner", '["d","o","i"]', '{"a":1,"b":2}'], ["call", '["d","o"]', '{"a":1,"b":1}'], ["nobody", '["d"]', null]]);
  });

  test("a context's budget holds for all calls inside, and inner contexts only narrow it", async () => {
    const { tollgate, spent, provider } = await start({ provider: { standard: { promptTokens: 1, completionTokens: "cap" } } });
    await tollgate.withContext({ maxBudget: "0.0005" }, () => tollgate.withContext({ maxBudget: 100 }, async () => {
      const results = await Promise.all(Array.from({ length: 50 }, () => failure(tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 64 }))));
      expect(new Set(results.map((result) => result.code))).toEqual(new Set(["none", "budget_exceeded"]));
      expect(results.find((result) => result.code === "budget_exceeded")?.scope).toBe("context");
    }));
    expect(spent()).toBeLessThanOrEqual(500_000n);
    const before = provider.requests.length;
    await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 64 });
    expect(provider.requests).toHaveLength(before + 1);
  });

  test("two runs of one context have a budget each", async () => {
    const { tollgate } = await start({ provider: { standard: { promptTokens: 10, completionTokens: 100 } } });
    const run = (): Promise<unknown> => tollgate.withContext({ maxBudget: "0.0001" }, () => tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100 }));
    await run();
    await run();
  });
});

describe("sessions", () => {
  test("count money under one id over all calls and contexts", async () => {
    const { tollgate } = await start({ provider: { standard: { promptTokens: 10, completionTokens: 100 } } });
    const session = { id: "run-1", maxBudget: "0.00013" };
    await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100, session });
    expect(await failure(tollgate.withContext({ session: { ...session, maxBudget: "0.00007" } }, () => tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100 })))).toMatchObject({ code: "budget_exceeded", scope: "session" });
    await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100, session: { id: "run-2", maxBudget: "0.00013" } });
  });
});

describe("budgets", () => {
  test("of each user, of one tag, of one model", async () => {
    const { tollgate } = await start({
      provider: { standard: { promptTokens: 10, completionTokens: 100 } },
      budgets: [{ user: "*", maxBudget: "0.0001" }, { tag: "batch", maxBudget: 0 }, { model: "openai/gpt-4o", maxBudget: 0, duration: "30d" }],
    });
    const ask = { model: MODEL, messages: HELLO, max_tokens: 100 };
    await tollgate.completion({ ...ask, user: "a" });
    expect(await failure(tollgate.completion({ ...ask, user: "a" }))).toMatchObject({ code: "budget_exceeded", scope: "customer" });
    await tollgate.completion({ ...ask, user: "b|,%" });
    expect(await failure(tollgate.completion({ ...ask, tags: ["batch"] }))).toMatchObject({ code: "budget_exceeded", scope: "tag" });
    expect(await failure(tollgate.completion({ ...ask, model: "openai/gpt-4o" }))).toMatchObject({ code: "budget_exceeded", scope: "global", window: "30d", resetsAt: expect.any(Date) as Date });
    await tollgate.completion(ask);
  });

  test("a wrong one is told at once", () => {
    expect(() => createTollgate({ budgets: [{ maxBudget: 1, duration: "often" }] })).toThrow(expect.objectContaining({ code: "invalid_duration" }) as Error);
  });
});
