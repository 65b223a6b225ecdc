import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { formatNanoUsd } from "../../src/base/money.ts";
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

const failure = (promise: Promise<unknown>): Promise<{ code?: string; name?: string; message?: string }> => promise.then(() => ({ code: "none" }), (error: { code?: string }) => error);
const SLOW = { chunks: 200, chunkDelayMs: 2 };

describe("a stream", () => {
  test.each([1, 2, 3, 4, 5])("chopped at random bytes costs what the provider bills, and the text is whole (seed %i)", async (seed) => {
    const { tollgate, provider } = await start({ provider: { seed, standard: { chop: true } } });
    for (let round = 0; round < 10; round += 1) {
      const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true, n: 2 });
      const texts = ["", ""];
      for await (const chunk of stream) for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? "";
      const response = await stream.finalResponse();
      expect(response.choices.map((choice) => choice.message.content)).toEqual(texts);
      expect(response.cost.total).toBe(formatNanoUsd(provider.bill().entries[round]?.nanoUsd ?? -1n));
    }
  });

  test("has one reader", async () => {
    const { tollgate } = await start();
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    for await (const _ of stream) { /* to the end */ }
    expect(() => stream[Symbol.asyncIterator]()).toThrow("one reader");
  });

  test("that breaks off throws to its reader; finalCost resolves with the hold, finalResponse rejects", async () => {
    const { tollgate, spent } = await start({ provider: { standard: { fault: "close_mid_body" } } });
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true, max_tokens: 50 });
    const read = async (): Promise<void> => { for await (const _ of stream) { /* on */ } };
    expect(await failure(read())).toMatchObject({ code: "upstream_failed" });
    expect(await stream.finalCost()).toMatchObject({ total: formatNanoUsd(spent()), estimated: true });
    expect(await failure(stream.finalResponse())).toMatchObject({ code: "upstream_failed" });
  });

  test("with an error event throws it as the provider's", async () => {
    const { tollgate } = await start({ provider: { standard: { fault: "error_event" } } });
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    const read = async (): Promise<void> => { for await (const _ of stream) { /* on */ } };
    expect(await failure(read())).toMatchObject({ name: "ProviderError", message: expect.stringContaining("in the middle") as string });
    expect((await stream.finalCost()).estimated).toBe(true);
  });

  test("abort and `await using` cancel the request and settle; nothing rejects unheard", async () => {
    const { tollgate, provider, entries } = await start({ provider: { standard: SLOW } });
    const unheard: unknown[] = [];
    const listen = (reason: unknown): void => void unheard.push(reason);
    process.on("unhandledRejection", listen);
    {
      await using stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
      for await (const _ of stream) { await stream.abort(); }
    }
    {
      await using _unread = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    }
    await pause(5);
    process.off("unhandledRejection", listen);
    expect(entries.map((entry) => entry.status)).toEqual(["client_gone", "client_gone"]);
    expect(unheard).toEqual([]);
    await expect.poll(() => provider.open()).toBe(0);
  });

  test("passes on as lines of JSON; cancelling them cancels the request", async () => {
    const { tollgate, entries } = await start({ provider: { standard: SLOW } });
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    const reader = stream.toReadableStream().getReader();
    const { value } = await reader.read();
    expect(JSON.parse(new TextDecoder().decode(value))).toMatchObject({ object: "chat.completion.chunk" });
    await reader.cancel();
    expect(entries[0]?.status).toBe("client_gone");
  });

  test("a slow reader slows its provider down instead of filling memory, and loses nothing", async () => {
    const { tollgate, provider } = await start({ provider: { standard: { chunks: 20_000, textBytes: 4_000_000 } } });
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    await pause(300);
    expect(provider.open()).toBe(1);
    let size = 0;
    for await (const chunk of stream) size += Buffer.byteLength(chunk.choices[0]?.delta.content ?? "");
    expect(size).toBeGreaterThan(3_900_000);
    expect((await stream.finalCost()).total).toBe(formatNanoUsd(provider.bill().totalNanoUsd));
  });
});

describe("a signal", () => {
  test("aborted before: nothing is sent", async () => {
    const { tollgate, provider, entries } = await start();
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO, signal: AbortSignal.abort() }))).toMatchObject({ name: "AbortError" });
    expect([provider.requests.length, entries.length]).toEqual([0, 0]);
  });

  test("during a plain call: the request is cancelled and its hold charged", async () => {
    const { tollgate, provider, entries } = await start({ provider: { standard: { headDelayMs: 5_000 } } });
    const controller = new AbortController();
    const call = failure(tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100, signal: controller.signal }));
    await expect.poll(() => provider.requests.length).toBe(1);
    controller.abort();
    expect(await call).toMatchObject({ name: "AbortError" });
    expect(entries.map(({ status, estimated, cost, held }) => ({ status, estimated, full: cost === held && cost !== "0" }))).toEqual([{ status: "client_gone", estimated: "client_gone", full: true }]);
    await expect.poll(() => provider.open()).toBe(0);
  });

  test("during a stream: the reader gets the reason; after the end it changes nothing", async () => {
    const { tollgate, entries } = await start({ provider: { standard: SLOW } });
    const controller = new AbortController();
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true, signal: controller.signal });
    const read = async (): Promise<void> => { for await (const _ of stream) controller.abort(); };
    expect(await failure(read())).toMatchObject({ name: "AbortError" });
    controller.abort();
    expect((await stream.finalCost()).callId).toBe(entries[0]?.requestId);
    expect(entries).toHaveLength(1);
  });

  test("ends the pause before another try", async () => {
    const { tollgate, provider } = await start({ provider: { standard: { status: 503, headers: { "retry-after": "30" } } } });
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO, signal: AbortSignal.timeout(50) }))).toMatchObject({ name: "TimeoutError" });
    expect(provider.requests).toHaveLength(1);
  });
});

describe("the time-out", () => {
  test("ends a call that is never answered: the hold is charged, and it is not tried again", async () => {
    const { tollgate, provider, entries } = await start({ provider: { standard: { fault: "never_answer" } } });
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100, timeoutMs: 60 }))).toMatchObject({ code: "upstream_timeout" });
    expect(provider.requests).toHaveLength(1);
    expect(entries.map(({ status, cost, held }) => [status, cost === held])).toEqual([["timeout", true]]);
  });

  test("ends a stream that hangs", async () => {
    const { tollgate } = await start({ provider: { standard: { fault: "hang_mid_body" } } });
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true, timeoutMs: 100 });
    expect(await failure(stream.finalResponse())).toMatchObject({ code: "upstream_timeout" });
  });

  test("a retry-after beyond it fails at once with the provider's answer", async () => {
    const { tollgate } = await start({ provider: { standard: { status: 429, headers: { "retry-after": "3600" } } } });
    const started = performance.now();
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO, timeoutMs: 5_000 }))).toMatchObject({ name: "ProviderError", status: 429 });
    expect(performance.now() - started).toBeLessThan(4_500);
  });
});

describe("tries", () => {
  test("a connection that breaks before any answer is tried again; what was lost is charged and shown", async () => {
    const { tollgate, provider, entries, spent } = await start();
    provider.enqueue({ fault: "close_before_head" });
    const response = await tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 50 });
    expect(entries.map((entry) => entry.estimated)).toEqual(["no_status", null]);
    expect(response.cost).toMatchObject({ total: formatNanoUsd(spent()), estimated: true, lines: [expect.objectContaining({ dimension: "lost_attempt" }), expect.anything(), expect.anything()] });
  });

  test("nobody listens: tried again, costs nothing, and says so", async () => {
    const { tollgate, entries } = await start({ defaults: { apiBase: "http://127.0.0.1:9/v1", maxRetries: 1 } });
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO }))).toMatchObject({ code: "upstream_unreachable" });
    expect(entries.map(({ status, cost }) => [status, cost])).toEqual([["not_connected", "0"], ["not_connected", "0"]]);
  });

  test("400 is not tried again; a redirect is not followed", async () => {
    const { tollgate, provider } = await start();
    provider.enqueue({ status: 400 }, { status: 302, headers: { location: "/elsewhere" }, body: "" });
    expect(await failure(tollgate.completion({ model: MODEL, messages: HELLO }))).toMatchObject({ name: "ProviderError", status: 400 });
    expect((await failure(tollgate.completion({ model: MODEL, messages: HELLO }))).code).toBe("upstream_failed");
    expect(provider.requests).toHaveLength(2);
  });
});

test("an injected fetch is used for every call", async () => {
  const urls: string[] = [];
  const answer = { id: "x", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices: [], usage: { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 } };
  const { tollgate } = await start({ fetch: async (url) => { urls.push(String(url)); return Response.json(answer); } });
  const response = await tollgate.completion({ model: MODEL, messages: HELLO, apiBase: "https://example.com/v1" });
  expect(urls).toEqual(["https://example.com/v1/chat/completions"]);
  expect(response.cost.total).toBe("0.00000855");
});
