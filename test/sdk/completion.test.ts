import { afterEach, describe, expect, test } from "vitest";
import { formatNanoUsd } from "../../src/base/money.ts";
import { BudgetExceededError, ProviderError } from "../../src/surfaces/sdk/errors.ts";
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

describe("completion", () => {
  test("answers in OpenAI's shape, with the cost that the provider bills, to the nano-dollar", async () => {
    const { tollgate, provider, entries } = await start();
    const response = await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 50 });
    expect(response.object).toBe("chat.completion");
    expect(response.choices[0]?.message.role).toBe("assistant");
    const [billed] = provider.bill().entries;
    expect(response.cost.total).toBe(formatNanoUsd(billed?.nanoUsd ?? -1n));
    expect(response.cost.totalUsd).toBe(Number(response.cost.total));
    expect(response.cost).toMatchObject({ estimated: false, priceVersion: expect.stringContaining("gpt-4o-mini") });
    expect(JSON.parse(JSON.stringify(response)).cost).toEqual(response.cost);
    expect(entries.map((entry) => entry.cost)).toEqual([billed?.nanoUsd.toString()]);
    expect(response.cost.callId).toBe(entries[0]?.requestId);
  });

  test("the provider gets its own name of the model, the key, and nothing of Tollgate's", async () => {
    const { tollgate, provider } = await start();
    await tollgate.completion({ model: MODEL, messages: HELLO, user: "u-1", tags: ["a"], metadata: { feature: "search" }, maxBudget: 1, session: { id: "s" }, timeoutMs: 10_000, temperature: 0.5 });
    const [request] = provider.requests;
    expect(request?.body).toEqual({ model: "gpt-4o-mini", messages: HELLO, temperature: 0.5 });
    expect(request?.headers).toMatchObject({ authorization: "Bearer sk-test", "content-type": "application/json", "accept-encoding": "identity" });
  });

  test("user, tags and metadata stand in the books", async () => {
    const { tollgate, entries } = await start({ defaults: { tags: ["team-a"], metadata: { app: "shop" } } });
    await tollgate.completion({ model: MODEL, messages: HELLO, user: "u-1", tags: ["search"], metadata: { feature: "search" } });
    expect(entries[0]).toMatchObject({ customer: "u-1", tags: '["team-a","search"]', metadata: '{"app":"shop","feature":"search"}', model: MODEL, provider: "openai", upstreamModel: "gpt-4o-mini", route: "chat_completions", stream: false });
  });

  test("a provider's error reaches the caller with its status and body, costs nothing, and is in the books", async () => {
    const { tollgate, provider, entries } = await start({ provider: { standard: { status: 401 } } });
    const error = await tollgate.completion({ model: MODEL, messages: HELLO }).catch((caught: unknown) => caught);
    expect(ProviderError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ status: 401, code: "upstream_refused", message: expect.stringContaining("Incorrect API key") });
    expect(provider.requests).toHaveLength(1);
    expect(entries.map(({ cost, status }) => ({ cost, status }))).toEqual([{ cost: "0", status: "upstream_error" }]);
  });

  test("each try is an attempt of one call with an entry of its own", async () => {
    const { tollgate, provider, entries } = await start();
    provider.enqueue({ status: 429, headers: { "retry-after-ms": "1" } }, { status: 503, headers: { "retry-after-ms": "1" } });
    const response = await tollgate.completion({ model: MODEL, messages: HELLO });
    expect(provider.requests).toHaveLength(3);
    expect(entries.map((entry) => entry.id)).toEqual([1, 2, 3].map((number) => `${response.cost.callId}.0${number}`));
    expect(entries.map((entry) => entry.httpStatus)).toEqual([429, 503, 200]);
  });

  test("a budget that is spent refuses before anything is sent", async () => {
    const { tollgate, provider } = await start({ maxBudget: "0.000001" });
    const error = await tollgate.completion({ model: MODEL, messages: HELLO }).catch((caught: unknown) => caught);
    expect(BudgetExceededError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ code: "budget_exceeded", currentCost: 0, maxBudget: 0.000001, scope: "process", window: null, resetsAt: null });
    expect(provider.requests).toHaveLength(0);
  });

  test("a mocked answer is held, metered and charged like a real one, and nothing is sent", async () => {
    const { tollgate, provider, entries } = await start();
    const response = await tollgate.completion({ model: MODEL, messages: HELLO, mockResponse: "It's simple." });
    expect(response.choices[0]?.message.content).toBe("It's simple.");
    expect(response.cost).toMatchObject({ total: "0.0000135", mocked: true });
    expect(entries).toHaveLength(1);
    expect(provider.requests).toHaveLength(0);
  });
});

describe("streams", () => {
  test("read to the end: the same cost as the provider's bill", async () => {
    const { tollgate, provider } = await start({ provider: { standard: { chop: true } } });
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    const cost = await stream.finalCost();
    expect(cost.total).toBe(formatNanoUsd(provider.bill().totalNanoUsd));
    const response = await stream.finalResponse();
    expect(response.choices[0]?.message.content).toBe(text);
    expect(response.usage?.total_tokens).toBeGreaterThan(0);
    expect(response.cost).toEqual(cost);
  });

  test("finalCost reads on by itself when nobody reads", async () => {
    const { tollgate, provider } = await start();
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    expect((await stream.finalCost()).total).toBe(formatNanoUsd(provider.bill().totalNanoUsd));
  });

  test("break cancels the request and settles", async () => {
    const { tollgate, provider, entries } = await start({ provider: { standard: { chunks: 50, chunkDelayMs: 5 } } });
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    for await (const _chunk of stream) break;
    const cost = await stream.finalCost();
    expect(cost.estimated).toBe(true);
    expect(entries.map((entry) => entry.status)).toEqual(["client_gone"]);
    await expect.poll(() => provider.open()).toBe(0);
    expect(provider.bill().entries[0]?.sentFully).toBe(false);
  });
});

describe("maxBudget", () => {
  test("a thousand calls at once: never more than the budget, at least 97 % of it used, nothing refused while money is free", async () => {
    const { tollgate, provider, spent } = await start({ maxBudget: 0.02, provider: { standard: { outputMaximum: 200, headDelayMs: 1 } } });
    const results = await Promise.allSettled(Array.from({ length: 1_000 }, (_, index) => tollgate.completion({ model: MODEL, messages: [{ role: "user", content: `Question ${index}` }], max_tokens: 100 })));
    const refused = results.filter((result) => result.status === "rejected").map((result) => result.reason as unknown);
    expect(refused.every((error) => BudgetExceededError.isInstance(error) && error.code === "budget_exceeded")).toBe(true);
    expect(refused.length).toBeGreaterThan(0);
    expect(spent()).toBe(provider.bill().totalNanoUsd);
    expect(spent()).toBeLessThanOrEqual(20_000_000n);
    expect(spent()).toBeGreaterThanOrEqual(19_400_000n);
  });
});
