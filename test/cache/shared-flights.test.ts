import { afterEach, describe, expect, test } from "vitest";
import { MemoryCache } from "../../src/adapters/cache/memory/memory-cache.ts";
import { createTollgate } from "../../src/app/sdk.ts";
import { formatNanoUsd } from "../../src/base/money.ts";
import { HELLO, MODEL, sdkUnderTest, type SdkUnderTest } from "../sdk/instance.ts";

let sdk: SdkUnderTest | undefined;

async function start(options: Parameters<typeof sdkUnderTest>[0] = {}): Promise<SdkUnderTest> {
  sdk = await sdkUnderTest({ cache: new MemoryCache(), provider: { standard: { headDelayMs: 60 } }, ...options });
  return sdk;
}

afterEach(async () => {
  await sdk?.stop();
  sdk = undefined;
});

const ASKED = { model: MODEL, messages: HELLO, max_tokens: 100 } as const;
const N = 50;

describe("identical calls at the same time", () => {
  test(`${N} of them reach the provider once, and the ledger's sum is the provider's bill`, async () => {
    const { tollgate, provider, entries, spent } = await start();
    const answers = await Promise.all(Array.from({ length: N }, (_, i) => tollgate.completion({ ...ASKED, user: `u-${i}` })));
    expect(provider.requests).toHaveLength(1);
    const billed = provider.bill().totalNanoUsd;
    expect(spent()).toBe(billed);
    expect(entries.map((entry) => entry.saved).filter((saved) => saved !== undefined)).toEqual(Array.from({ length: N - 1 }, () => billed.toString()));
    expect(new Set(entries.map((entry) => entry.customer)).size).toBe(N);
    expect(new Set(answers.map(({ cost }) => cost.callId)).size).toBe(N);
    expect(answers.filter(({ cost }) => cost.total === "0" && cost.saved === formatNanoUsd(billed))).toHaveLength(N - 1);
  });

  test("each has an answer of its own", async () => {
    const { tollgate } = await start();
    const answers = await Promise.all([1, 2, 3].map(() => tollgate.completion(ASKED)));
    const texts = answers.map((answer) => answer.choices[0]?.message.content);
    expect(new Set(texts).size).toBe(1);
    for (const answer of answers) if (answer.choices[0] !== undefined) answer.choices[0].message.content = "changed";
    expect((await tollgate.completion(ASKED)).choices[0]?.message.content).toBe(texts[0]);
  });

  test("share: false asks by itself, as does every stream", async () => {
    const { tollgate, provider, spent } = await start();
    await Promise.all([1, 2, 3].map(() => tollgate.completion({ ...ASKED, cache: { share: false } })));
    expect(provider.requests).toHaveLength(3);
    await Promise.all([1, 2].map(async () => (await tollgate.completion({ ...ASKED, stream: true })).finalCost()));
    expect(provider.requests).toHaveLength(5);
    expect(spent()).toBe(provider.bill().totalNanoUsd);
  });

  test("a call whose provider fails takes nobody with it: the others ask by themselves", async () => {
    const { tollgate, provider, spent } = await start();
    provider.enqueue({ status: 400, headDelayMs: 30 });
    const [first, ...others] = await Promise.allSettled(Array.from({ length: 4 }, () => tollgate.completion(ASKED)));
    expect(first).toMatchObject({ status: "rejected", reason: { code: "upstream_refused" } });
    expect(others.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(provider.requests).toHaveLength(4);
    expect(spent()).toBe(provider.bill().totalNanoUsd);
  });

  test("a call that is given up is taken over by one of the others, for all of them", async () => {
    const { tollgate, provider } = await start();
    const leaving = new AbortController();
    const first = tollgate.completion({ ...ASKED, signal: leaving.signal });
    await expect.poll(() => provider.requests.length).toBe(1);
    const others = Array.from({ length: 5 }, () => tollgate.completion(ASKED));
    leaving.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    const totals = (await Promise.all(others)).map(({ cost }) => cost.total);
    expect(provider.requests).toHaveLength(2);
    expect(totals.filter((total) => total === "0")).toHaveLength(4);
  });

  test("so is one that its own budget refuses, or whose own time is up", async () => {
    const { tollgate, provider } = await start();
    const poor = tollgate.completion({ ...ASKED, maxBudget: "0.000001" });
    const rich = tollgate.completion(ASKED);
    await expect(poor).rejects.toMatchObject({ code: "budget_exceeded" });
    expect((await rich).cost.total).not.toBe("0");
    const hurried = tollgate.completion({ ...ASKED, temperature: 1, timeoutMs: 20, maxRetries: 0 });
    hurried.catch(() => {});
    await expect.poll(() => provider.requests.length).toBe(2);
    const patient = tollgate.completion({ ...ASKED, temperature: 1 });
    await expect(hurried).rejects.toMatchObject({ code: "upstream_timeout" });
    expect((await patient).cost.total).not.toBe("0");
    expect(provider.requests).toHaveLength(3);
  });

  test("who waits may leave, or run out of time, and pays nothing; the others get their answer", async () => {
    const { tollgate, provider, entries } = await start({ provider: { standard: { headDelayMs: 150 } } });
    const first = tollgate.completion(ASKED);
    await expect.poll(() => provider.requests.length).toBe(1);
    const leaving = new AbortController();
    const left = tollgate.completion({ ...ASKED, signal: leaving.signal });
    const late = tollgate.completion({ ...ASKED, timeoutMs: 10 });
    late.catch(() => {});
    const patient = tollgate.completion(ASKED);
    setTimeout(() => leaving.abort(new Error("enough")), 5);
    await expect(left).rejects.toThrow("enough");
    await expect(late).rejects.toMatchObject({ code: "upstream_timeout" });
    expect((await patient).id).toBe((await first).id);
    expect(provider.requests).toHaveLength(1);
    expect(entries.map((entry) => entry.status)).toEqual(["ok", "cached"]);
  });

  test("an answer that is not to be kept is nobody else's: each asks", async () => {
    const { tollgate, provider, spent } = await start();
    provider.enqueue({ usage: "none", headDelayMs: 30 });
    const answers = await Promise.all([1, 2, 3].map(() => tollgate.completion(ASKED)));
    expect(provider.requests).toHaveLength(3);
    expect(answers.every(({ cost }) => cost.saved === undefined)).toBe(true);
    expect(spent()).toBeGreaterThanOrEqual(provider.bill().totalNanoUsd);
  });

  test("two instances with one cache share their flights, each with its own books", async () => {
    const cache = new MemoryCache();
    const { tollgate, provider, entries } = await start({ cache });
    const others: string[] = [];
    const second = createTollgate({ cache, defaults: { apiBase: `${provider.url}/v1`, apiKey: "sk-other" }, onEntry: ({ cost, saved }) => others.push(`${cost} ${saved !== undefined}`) });
    const [a, b] = await Promise.all([tollgate.completion(ASKED), second.completion(ASKED)]);
    expect(b.id).toBe(a.id);
    expect([provider.requests.length, entries.length, others]).toEqual([1, 1, ["0 true"]]);
    await second.close();
  });

  test("a cache that loses everything still lets identical calls share", async () => {
    const { tollgate, provider } = await start({ cache: { get: async () => undefined, set: async () => {} } });
    await Promise.all([1, 2, 3].map(() => tollgate.completion(ASKED)));
    expect(provider.requests).toHaveLength(1);
    await tollgate.flush();
    await tollgate.completion(ASKED);
    expect(provider.requests).toHaveLength(2);
  });
});
