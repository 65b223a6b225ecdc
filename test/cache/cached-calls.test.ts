import { afterEach, describe, expect, test, vi } from "vitest";
import { MemoryCache } from "../../src/adapters/cache/memory/memory-cache.ts";
import { createTollgate } from "../../src/app/sdk.ts";
import { formatNanoUsd } from "../../src/base/money.ts";
import type { CallRecord } from "../../src/surfaces/sdk/call-record.ts";
import { HELLO, MODEL, sdkUnderTest, type SdkUnderTest } from "../sdk/instance.ts";
import { startMockProvider } from "../support/mock-provider.ts";

let sdk: SdkUnderTest | undefined;

async function start(options: Parameters<typeof sdkUnderTest>[0] = {}): Promise<SdkUnderTest> {
  sdk = await sdkUnderTest({ cache: new MemoryCache(), ...options });
  return sdk;
}

afterEach(async () => {
  vi.useRealTimers();
  await sdk?.stop();
  sdk = undefined;
});

const ASKED = { model: MODEL, messages: HELLO, max_tokens: 100 } as const;

/** What a call answered, without what differs between a purchase and a hit. */
const without = <Answer extends { cost: unknown }>({ cost: _cost, ...answer }: Answer): Omit<Answer, "cost"> => answer;

async function events<Event>(stream: AsyncIterable<Event>): Promise<Event[]> {
  const all: Event[] = [];
  for await (const event of stream) all.push(structuredClone(event));
  return all;
}

describe("GATE 5.8: a cache hit costs $0 and says what it saved", () => {
  test("the answer is the same, the provider hears nothing, the ledger has one entry of $0 with saved, to the nano-dollar", async () => {
    const { tollgate, provider, entries } = await start();
    const bought = await tollgate.completion(ASKED);
    const hit = await tollgate.completion({ ...ASKED, user: "ann", tags: ["search"], metadata: { a: 1 } });
    expect(without(hit)).toEqual(without(bought));
    expect(provider.requests).toHaveLength(1);
    const billed = provider.bill().totalNanoUsd;
    expect(billed).toBeGreaterThan(0n);
    expect(bought.cost.saved).toBeUndefined();
    expect(hit.cost).toEqual({ callId: entries[1]?.requestId, total: "0", totalUsd: 0, lines: [], estimated: false, priceVersion: bought.cost.priceVersion, saved: formatNanoUsd(billed) });
    expect(entries.map(({ cost, held, saved, status, kind }) => ({ cost, held, saved, status, kind }))).toEqual([
      { cost: billed.toString(), held: expect.any(String) as string, saved: undefined, status: "ok", kind: "charge" },
      { cost: "0", held: "0", saved: billed.toString(), status: "cached", kind: "charge" },
    ]);
    expect(entries[1]).toMatchObject({ customer: "ann", tags: '["search"]', metadata: '{"a":1}', route: "chat_completions", inputTokens: 0, outputTokens: 0, httpStatus: null, estimated: null, unpriced: false });
  });

  test("embeddings and responses too", async () => {
    const { tollgate, provider, entries } = await start();
    const vector = await tollgate.embedding({ model: "openai/text-embedding-3-small", input: ["one", "two"] });
    const again = await tollgate.embedding({ model: "openai/text-embedding-3-small", input: ["one", "two"] });
    expect(without(again)).toEqual(without(vector));
    expect(again.cost).toMatchObject({ total: "0", saved: vector.cost.total });
    const response = await tollgate.responses({ model: MODEL, input: "Hello", max_output_tokens: 50 });
    const repeated = await tollgate.responses({ model: MODEL, input: "Hello", max_output_tokens: 50 });
    expect(without(repeated)).toEqual(without(response));
    expect(repeated.output_text).toBe(response.output_text);
    expect(repeated.cost).toMatchObject({ total: "0", saved: response.cost.total });
    expect(provider.requests).toHaveLength(2);
    expect(entries.map(({ route, cost, saved }) => [route, saved === undefined ? cost !== "0" : cost])).toEqual([["embeddings", true], ["embeddings", "0"], ["responses", true], ["responses", "0"]]);
  });

  test("a streamed answer is played again event by event, with and without usage, and puts together the same answer", async () => {
    const { tollgate, provider, entries, spent } = await start();
    for (const options of [{}, { stream_options: { include_usage: true } }]) {
      const first = await tollgate.completion({ ...ASKED, ...options, stream: true });
      const bought = await events(first);
      const second = await tollgate.completion({ ...ASKED, ...options, stream: true });
      expect(await events(second)).toEqual(bought);
      expect(bought.some((chunk) => chunk.usage != null)).toBe("stream_options" in options);
      expect(await second.finalCost()).toMatchObject({ total: "0", saved: (await first.finalCost()).total });
      expect(without(await second.finalResponse())).toEqual(without(await first.finalResponse()));
    }
    const streamed = await tollgate.responses({ model: MODEL, input: "Hello", stream: true });
    const bought = await events(streamed);
    const replayed = await tollgate.responses({ model: MODEL, input: "Hello", stream: true });
    expect((await events(replayed)).slice(0, -1)).toEqual(bought.slice(0, -1));
    // The last event's response is the one that is given its cost.
    const { cost: _bought, ...last } = await streamed.finalResponse();
    const { cost: _hit, ...lastAgain } = await replayed.finalResponse();
    expect(lastAgain).toEqual(last);
    expect(await replayed.finalCost()).toMatchObject({ total: "0", saved: (await streamed.finalCost()).total });
    expect(provider.requests).toHaveLength(3);
    expect(spent()).toBe(provider.bill().totalNanoUsd);
    expect(entries.filter((entry) => entry.status === "cached").map((entry) => entry.stream)).toEqual([true, true, true]);
  });

  test("plain answers and streams are kept apart: each is given back exactly as it came", async () => {
    const { tollgate, provider } = await start();
    await tollgate.completion(ASKED);
    await (await tollgate.completion({ ...ASKED, stream: true })).finalCost();
    await tollgate.completion(ASKED);
    await (await tollgate.completion({ ...ASKED, stream: true })).finalCost();
    expect(provider.requests).toHaveLength(2);
  });

  test("several choices and tool calls come back as they were", async () => {
    const tool = { id: "chatcmpl-1", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices: [0, 1].map((index) => ({ index, finish_reason: "tool_calls", logprobs: null, message: { role: "assistant", content: null, refusal: null, tool_calls: [{ id: `call_${index}`, type: "function", function: { name: "f", arguments: '{"a":"ü\\n😀"}' } }] } })), usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 } };
    const { tollgate } = await start({ fetch: async () => new Response(JSON.stringify(tool), { headers: { "content-type": "application/json" } }) });
    const ask = { ...ASKED, n: 2, tools: [{ type: "function" as const, function: { name: "f", parameters: {} } }] };
    const bought = await tollgate.completion(ask);
    const hit = await tollgate.completion(ask);
    expect(without(hit)).toEqual(without(bought));
    expect(without(hit)).toEqual(tool);
    expect(hit.cost.saved).toBe(bought.cost.total);
  });

  test("callbacks hear of it as a success with cacheHit and $0, and of no API call", async () => {
    const { tollgate } = await start();
    const heard: [string, boolean, number | null, string | undefined][] = [];
    const tell = (name: string) => (call: CallRecord): void => void heard.push([name, call.cacheHit, call.responseCost, call.cost?.saved]);
    tollgate.callbacks = [{ logPreApiCall: tell("pre"), logPostApiCall: tell("post"), logSuccessEvent: tell("success"), logFailureEvent: tell("failure"), logStreamEvent() {} }];
    const bought = await tollgate.completion(ASKED);
    await tollgate.flush();
    await tollgate.completion(ASKED);
    await tollgate.flush();
    const paid = bought.cost.totalUsd;
    expect(heard).toEqual([["pre", false, null, undefined], ["post", false, paid, undefined], ["success", false, paid, undefined], ["success", true, 0, bought.cost.total]]);
  });

  test("a spent budget still answers from the cache, and refuses what is not there", async () => {
    const { tollgate, spent } = await start({ provider: { standard: { promptTokens: 10, completionTokens: 100 } }, maxBudget: 1 });
    await tollgate.completion(ASKED);
    tollgate.maxBudget = formatNanoUsd(spent());
    expect((await tollgate.completion(ASKED)).cost.total).toBe("0");
    expect((await tollgate.completion({ ...ASKED, maxBudget: 0 })).cost.total).toBe("0");
    await expect(tollgate.completion({ ...ASKED, temperature: 0.1 })).rejects.toMatchObject({ code: "budget_exceeded", scope: "process" });
    expect(spent()).toBe(61_500n);
  });

  test("limits on the number of calls count hits: an agent's loop ends on cached answers too", async () => {
    const { tollgate, provider } = await start();
    const session = { id: "run-1", maxIterations: 3 };
    for (let i = 0; i < 3; i += 1) await tollgate.completion({ ...ASKED, session });
    await expect(tollgate.completion({ ...ASKED, session })).rejects.toMatchObject({ code: "budget_exceeded", scope: "session" });
    expect(provider.requests).toHaveLength(1);
  });
});

describe("what a call asks of the cache", () => {
  test("without a cache nothing is kept, and a call that asks for one is told", async () => {
    const { tollgate, provider } = await start({ cache: undefined });
    await tollgate.completion(ASKED);
    await tollgate.completion({ ...ASKED, cache: false });
    expect(provider.requests).toHaveLength(2);
    await expect(tollgate.completion({ ...ASKED, cache: true })).rejects.toMatchObject({ code: "config_invalid", param: "cache" });
  });

  test("tollgate.cache can be set, replaced and taken away at any time", async () => {
    const { tollgate, provider } = await start({ cache: undefined });
    expect(tollgate.cache).toBeUndefined();
    tollgate.cache = new MemoryCache();
    await tollgate.completion(ASKED);
    await tollgate.completion(ASKED);
    tollgate.cache = undefined;
    await tollgate.completion(ASKED);
    expect(provider.requests).toHaveLength(2);
    expect(() => { tollgate.cache = {} as MemoryCache; }).toThrow(expect.objectContaining({ code: "invalid_request", param: "cache" }) as Error);
    expect(() => createTollgate({ cache: 5 as never })).toThrow(expect.objectContaining({ code: "invalid_request" }) as Error);
  });

  test("cache: false neither takes nor keeps; read: false asks and replaces; write: false takes and does not keep", async () => {
    const { tollgate, provider } = await start();
    const calls = (): number => provider.requests.length;
    await tollgate.completion({ ...ASKED, cache: false });
    await tollgate.completion({ ...ASKED, cache: { write: false } });
    expect(calls()).toBe(2);
    const kept = await tollgate.completion(ASKED);
    expect((await tollgate.completion({ ...ASKED, cache: { write: false } })).id).toBe(kept.id);
    const fresh = await tollgate.completion({ ...ASKED, cache: { read: false } });
    expect(fresh.id).not.toBe(kept.id);
    expect((await tollgate.completion(ASKED)).id).toBe(fresh.id);
    expect(calls()).toBe(4);
  });

  test("namespaces set callers apart, defaults hold for all calls, and a call's own word wins", async () => {
    const { tollgate, provider } = await start({ defaults: { cache: { namespace: "tenant-1" } } });
    await tollgate.completion(ASKED);
    await tollgate.completion({ ...ASKED, cache: { ttlSeconds: 5 } });
    expect(provider.requests).toHaveLength(1);
    await tollgate.completion({ ...ASKED, cache: { namespace: "tenant-2" } });
    expect(provider.requests).toHaveLength(2);
  });

  test("a context's options hold for everything inside it, the inner one's over the outer's, and a call's own over both", async () => {
    const { tollgate, provider } = await start();
    const inTenant = (namespace: string, cache?: boolean | object): Promise<unknown> => tollgate.withContext({ cache: { namespace } }, () => tollgate.completion({ ...ASKED, ...(cache === undefined ? {} : { cache }) }));
    await inTenant("a");
    await inTenant("b");
    await inTenant("a");
    expect(provider.requests).toHaveLength(2);
    await inTenant("b", { namespace: "a", ttlSeconds: 5 });
    await inTenant("a", false);
    expect(provider.requests).toHaveLength(3);
    await tollgate.withContext({ cache: false }, async () => {
      await tollgate.completion(ASKED);
      await inTenant("a");
      await tollgate.withContext({ cache: { namespace: "b" } }, () => tollgate.withContext({ cache: { maxAgeSeconds: 60 } }, () => tollgate.completion(ASKED)));
    });
    expect(provider.requests).toHaveLength(4);
    expect(() => tollgate.withContext({ cache: { ttlSeconds: 0 } }, () => 1)).toThrow(expect.objectContaining({ code: "invalid_request", param: "cache.ttlSeconds" }) as Error);
    const without = createTollgate();
    expect((await without.withContext({ cache: { namespace: "a" } }, () => without.completion({ ...ASKED, mockResponse: "Hi" }))).cost.total).not.toBe("0");
  });

  test("defaults: { cache: false } leaves it to the calls that ask", async () => {
    const { tollgate, provider } = await start({ defaults: { cache: false } });
    await tollgate.completion(ASKED);
    await tollgate.completion({ ...ASKED, cache: true });
    await tollgate.completion({ ...ASKED, cache: true });
    expect(provider.requests).toHaveLength(2);
  });

  test("an answer lasts as long as its call said, else as the cache says; maxAgeSeconds takes none that is older", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const later = (seconds: number): void => void vi.setSystemTime(Date.now() + seconds * 1_000);
    const { tollgate, provider } = await start({ cache: new MemoryCache({ ttlSeconds: 100 }) });
    await tollgate.completion(ASKED);
    later(50);
    await tollgate.completion(ASKED);
    expect(provider.requests).toHaveLength(1);
    await tollgate.completion({ ...ASKED, cache: { maxAgeSeconds: 49 } });
    expect(provider.requests).toHaveLength(2);
    later(100);
    await tollgate.completion({ ...ASKED, cache: { ttlSeconds: 1_000 } });
    expect(provider.requests).toHaveLength(3);
    later(999);
    await tollgate.completion(ASKED);
    expect(provider.requests).toHaveLength(3);
    later(1);
    await tollgate.completion(ASKED);
    expect(provider.requests).toHaveLength(4);
  });

  test.each([
    [{ ttlSeconds: 0 }, "invalid_request", "cache.ttlSeconds"], [{ ttlSeconds: -1 }, "invalid_request", "cache.ttlSeconds"], [{ ttlSeconds: Number.NaN }, "invalid_request", "cache.ttlSeconds"],
    [{ ttlSeconds: "60" }, "invalid_request", "cache.ttlSeconds"], [{ ttlSeconds: 1e12 }, "invalid_request", "cache.ttlSeconds"], [{ maxAgeSeconds: -1 }, "invalid_request", "cache.maxAgeSeconds"],
    [{ read: "no" }, "invalid_request", "cache.read"], [{ namespace: 5 }, "invalid_request", "cache.namespace"], [{ namespace: "x".repeat(257) }, "invalid_request", "cache.namespace"],
    [{ ttl: 60 }, "unknown_field", "cache.ttl"], ["yes", "invalid_request", "cache"], [null, "invalid_request", "cache"], [[], "invalid_request", "cache"],
  ])("%j is refused by name before anything is sent", async (cache, code, param) => {
    const { tollgate, provider } = await start();
    await expect(tollgate.completion({ ...ASKED, cache: cache as never })).rejects.toMatchObject({ code, param });
    expect(provider.requests).toHaveLength(0);
  });
});

describe("only whole, successful, believable answers are kept", () => {
  test.each([
    ["an error of the provider", { status: 400 }],
    ["usage that is missing", { usage: "none" }],
    ["usage that cannot be believed", { lie: "negative" }],
  ] as const)("not %s", async (_what, behaviour) => {
    const { tollgate, provider } = await start();
    provider.enqueue(behaviour);
    await tollgate.completion(ASKED).catch(() => {});
    await tollgate.completion(ASKED);
    expect(provider.requests).toHaveLength(2);
    await tollgate.completion(ASKED);
    expect(provider.requests).toHaveLength(2);
  });

  test.each([
    ["that breaks off", { fault: "close_mid_body" }], ["without its end", { fault: "no_done", usage: "cumulative" }], ["with an error inside", { fault: "error_event" }], ["without usage", { usage: "none" }],
  ] as const)("not a stream %s", async (_what, behaviour) => {
    const { tollgate, provider } = await start();
    const ask = async (): Promise<unknown> => (await tollgate.completion({ ...ASKED, stream: true })).finalResponse();
    provider.enqueue(behaviour);
    await ask().catch(() => {});
    await ask();
    expect(provider.requests).toHaveLength(2);
    await ask();
    expect(provider.requests).toHaveLength(2);
  });

  test("not a stream that its reader left", async () => {
    const { tollgate, provider } = await start({ provider: { standard: { chunks: 20, chunkDelayMs: 5 } } });
    const stream = await tollgate.completion({ ...ASKED, stream: true });
    for await (const _chunk of stream) break;
    await (await tollgate.completion({ ...ASKED, stream: true })).finalCost();
    expect(provider.requests).toHaveLength(2);
  });

  test("not a response that says inside that it failed, or is still to come", async () => {
    const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 };
    const { tollgate, entries } = await start({ fetch: async () => Response.json({ id: "r", object: "response", model: "gpt-4o-mini", status: "failed", error: { code: "server_error", message: "x" }, output: [], usage }) });
    for (let i = 0; i < 2; i += 1) await tollgate.responses({ model: MODEL, input: "Hello" });
    expect(entries.map((entry) => entry.saved)).toEqual([undefined, undefined]);
  });

  test("not an answer that a budget's output cap may have cut: a richer caller would get a poorer answer", async () => {
    const { tollgate, provider } = await start({ provider: { standard: { completionTokens: "cap" } }, maxBudget: "0.0001" });
    const poor = await tollgate.completion({ ...ASKED, max_tokens: 1_000 });
    expect(poor.cost.outputCap).toBeLessThan(1_000);
    tollgate.maxBudget = 1;
    const rich = await tollgate.completion({ ...ASKED, max_tokens: 1_000 });
    expect(rich.cost.total).not.toBe("0");
    expect(provider.requests).toHaveLength(2);
  });

  test("an answer without a price is kept; nobody knows what it saves, so it says nothing", async () => {
    const { tollgate, provider } = await start();
    const ask = { model: "openai/no-such-model", messages: HELLO };
    await tollgate.completion(ask);
    expect((await tollgate.completion(ask)).cost).toMatchObject({ total: "0", saved: "0", estimated: false });
    expect(provider.requests).toHaveLength(1);
  });
});

describe("nobody's answer is anybody else's", () => {
  test("changing one answer changes neither the cache nor the next answer", async () => {
    const { tollgate } = await start();
    const bought = await tollgate.completion(ASKED);
    const text = bought.choices[0]?.message.content;
    for (let i = 0; i < 2; i += 1) {
      const answer = await tollgate.completion(ASKED);
      expect(answer.choices[0]?.message.content).toBe(text);
      if (answer.choices[0] !== undefined) answer.choices[0].message.content = "changed";
      answer.choices.push(...answer.choices);
    }
    if (bought.choices[0] !== undefined) bought.choices[0].message.content = "changed";
    expect((await tollgate.completion(ASKED)).choices).toHaveLength(1);
    const stream = await tollgate.completion({ ...ASKED, stream: true });
    for await (const chunk of stream) chunk.choices.length = 0;
    expect((await (await tollgate.completion({ ...ASKED, stream: true })).finalResponse()).choices).toHaveLength(1);
  });

  test("two providers' answers are two, whatever their model is called", async () => {
    const { tollgate, provider } = await start();
    const other = await startMockProvider();
    await tollgate.completion(ASKED);
    await tollgate.completion({ ...ASKED, apiBase: `${other.url}/v1` });
    expect([provider.requests.length, other.requests.length]).toEqual([1, 1]);
    await other.close();
  });

  test("mocked answers are kept apart by what is mocked", async () => {
    const { tollgate, entries } = await start();
    const say = async (mockResponse: string): Promise<string | null | undefined> => (await tollgate.completion({ ...ASKED, mockResponse })).choices[0]?.message.content;
    expect([await say("a"), await say("b"), await say("a")]).toEqual(["a", "b", "a"]);
    expect(entries.map((entry) => entry.status)).toEqual(["ok", "ok", "cached"]);
  });
});

describe("a cache that fails is a cache that is not there", () => {
  const broken = (get: () => unknown, set: () => unknown): MemoryCache => ({ get, set }) as unknown as MemoryCache;
  test.each([
    ["throws", broken(() => { throw new Error("no"); }, () => { throw new Error("no"); })],
    ["rejects", broken(async () => { throw new Error("no"); }, async () => { throw new Error("no"); })],
    ["answers nonsense", broken(() => ({ body: "x" }), () => {})],
    ["answers something else", broken(() => 5, () => {})],
  ])("one that %s: the provider answers, and each trouble is told once", async (_what, cache) => {
    const told: unknown[] = [];
    const { tollgate, provider } = await start({ cache, onCallbackError: (error, { callback }) => told.push([callback, (error as Error).message]) });
    for (let i = 0; i < 3; i += 1) {
      expect((await tollgate.completion(ASKED)).cost.total).not.toBe("0");
      await tollgate.flush();
    }
    expect(provider.requests).toHaveLength(3);
    expect(told.length).toBeLessThanOrEqual(1);
  });

  test.each([false, true])("one that spoils what it was given (stream: %s): the provider answers", async (stream) => {
    for (const spoilt of ["", "{", "5", "data: {\n\n", "nonsense"]) {
      const cache = { get: () => ({ body: new TextEncoder().encode(spoilt), storedAt: Date.now(), expiresAt: null, cost: "5", priceVersion: null, model: null, responseId: null, rawUsage: null }), set: () => {} };
      const { tollgate, provider, stop } = await sdkUnderTest({ cache });
      const answered = await tollgate.completion({ ...ASKED, stream });
      const { cost } = "finalResponse" in answered ? await answered.finalResponse() : answered;
      expect([spoilt, cost.saved, provider.requests.length]).toEqual([spoilt, undefined, 1]);
      await stop();
    }
  });

  test("one that never answers holds a call up for a quarter of a second at most", async () => {
    const told: string[] = [];
    const { tollgate } = await start({ cache: broken(() => new Promise(() => {}), () => new Promise(() => {})), onCallbackError: (error) => told.push((error as Error).message) });
    const before = performance.now();
    await tollgate.completion(ASKED);
    expect(performance.now() - before).toBeLessThan(10_000);
    await tollgate.flush();
    expect(told).toEqual(["The cache took more than 250 ms.", "The cache took more than 1000 ms."]);
  });
});
