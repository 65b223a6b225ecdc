import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { CallRecord } from "../../src/surfaces/sdk/call-record.ts";
import { CustomLogger } from "../../src/surfaces/sdk/custom-logger.ts";
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

describe("successCallbacks", () => {
  test("are told the call with its cost, the response and both times", async () => {
    const { tollgate } = await start();
    const told: unknown[][] = [];
    tollgate.successCallbacks = [(...all) => told.push(all)];
    const response = await tollgate.completion({ model: MODEL, messages: HELLO, user: "u", tags: ["t"], metadata: { feature: "search" } });
    await tollgate.flush();
    const [call, answer, startTime, endTime] = told[0] as [CallRecord, typeof response, Date, Date];
    expect(call).toMatchObject({
      id: response.cost.callId, type: "completion", model: MODEL, messages: HELLO, responseCost: response.cost.totalUsd, cost: response.cost, usage: response.usage,
      cacheHit: false, metadata: { feature: "search" }, user: "u", tags: ["t"], stream: false, attempt: 1, response: answer,
    });
    expect(answer).toEqual(response);
    expect(endTime.getTime()).toBeGreaterThanOrEqual(startTime.getTime());
  });

  test("see frozen copies: nothing they do reaches the caller, and nothing the caller does reaches them", async () => {
    const told: unknown[] = [];
    const { tollgate } = await start({ onCallbackError: (error) => told.push(error) });
    const messages = [{ role: "user" as const, content: "Hello" }];
    let seen: CallRecord | undefined;
    tollgate.successCallbacks = [(call) => { seen = call; (call.response as { id: string }).id = "changed"; }];
    const response = await tollgate.completion({ model: MODEL, messages });
    messages[0]!.content = "changed";
    await tollgate.flush();
    expect(response.id).not.toBe("changed");
    expect(told).toEqual([expect.any(TypeError)]);
    expect(seen?.messages).toEqual(HELLO);
    expect(Object.isFrozen(seen) && Object.isFrozen(seen?.cost) && Object.isFrozen((seen?.messages as unknown[])[0])).toBe(true);
    expect(Object.isFrozen(response)).toBe(false);
  });

  test("that throw, reject or hang break and delay nothing, and each failure is told once", async () => {
    const told: string[] = [];
    const { tollgate } = await start({ onCallbackError: (error, info) => told.push(`${info.callback}: ${(error as Error).message}`) });
    let ran = 0;
    tollgate.successCallbacks = [
      () => { throw new Error("thrown"); },
      async () => { await pause(1); throw new Error("rejected"); },
      () => new Promise(() => {}),
      () => { ran += 1; },
    ];
    const started = performance.now();
    const response = await tollgate.completion({ model: MODEL, messages: HELLO });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(response.choices).toHaveLength(1);
    await expect.poll(() => told.length).toBe(2);
    await pause(10);
    expect(told.sort()).toEqual(["successCallbacks: rejected", "successCallbacks: thrown"]);
    expect(ran).toBe(1);
    tollgate.successCallbacks = [];
    sdk = undefined;
  }, 20_000);

  test("for a stream once, after its end, with the assembled response", async () => {
    const { tollgate, provider } = await start({ provider: { standard: { chunkDelayMs: 10 } } });
    const told: CallRecord[] = [];
    tollgate.successCallbacks = [(call) => told.push(call)];
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    expect({ told: told.length, open: provider.open() }).toEqual({ told: 0, open: 1 });
    const response = await stream.finalResponse();
    await tollgate.flush();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ stream: true, responseCost: response.cost.totalUsd, response });
  });
});

describe("failureCallbacks", () => {
  test("say what a failed call cost: nothing for a refusal, the hold for an answer that broke off", async () => {
    const { tollgate, provider, spent } = await start({ maxBudget: 1 });
    const told: [CallRecord, { code?: string }][] = [];
    tollgate.failureCallbacks = [(call, error) => told.push([call, error as { code?: string }])];
    await expect(tollgate.completion({ model: MODEL, messages: HELLO, maxBudget: "0.000001" })).rejects.toThrow("Budget has been exceeded");
    provider.enqueue({ fault: "close_mid_body" });
    await expect(tollgate.completion({ model: MODEL, messages: HELLO, max_tokens: 100 })).rejects.toMatchObject({ code: "upstream_failed" });
    await tollgate.flush();
    expect(told.map(([call, error]) => [call.responseCost, error.code])).toEqual([[null, "budget_exceeded"], [Number(spent()) / 1e9, "upstream_failed"]]);
    expect(spent()).toBeGreaterThan(0n);
  });

  test("hear of a stream that was left, with its cost", async () => {
    const { tollgate, spent } = await start({ provider: { standard: { chunks: 50, chunkDelayMs: 2 } } });
    const told: [CallRecord, { code?: string }][] = [];
    tollgate.failureCallbacks = [(call, error) => told.push([call, error as { code?: string }])];
    const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
    for await (const _ of stream) break;
    await tollgate.flush();
    expect(told.map(([call, error]) => [call.responseCost, error.code])).toEqual([[Number(spent()) / 1e9, "aborted"]]);
  });
});

describe("inputCallbacks", () => {
  test("patch the call in order, before it is estimated and routed", async () => {
    const { tollgate, provider, entries } = await start();
    tollgate.inputCallbacks = [
      () => ({ max_tokens: 7, metadata: { step: 1 } }),
      async (call) => ({ model: "openai/gpt-4o", metadata: { ...call.metadata, step: 2, was: call.model } }),
      () => undefined,
    ];
    await tollgate.completion({ model: MODEL, messages: HELLO });
    expect(provider.requests[0]?.body).toMatchObject({ model: "gpt-4o", max_tokens: 7 });
    expect(entries[0]).toMatchObject({ model: "openai/gpt-4o", metadata: `{"step":2,"was":"${MODEL}"}` });
  });

  test("that throw or take more than a second are skipped and told", async () => {
    const told: string[] = [];
    const { tollgate, provider } = await start({ onCallbackError: (error, info) => told.push(`${info.callback}: ${(error as Error).message}`) });
    tollgate.inputCallbacks = [() => { throw new Error("thrown"); }, () => new Promise(() => {}), () => ({ max_tokens: 9 })];
    await tollgate.completion({ model: MODEL, messages: HELLO });
    expect(provider.requests[0]?.body.max_tokens).toBe(9);
    expect(told).toEqual(["inputCallbacks: thrown", "inputCallbacks: An input callback took more than 1000 ms and was skipped."]);
  });
});

test("a CustomLogger follows a call with a retry, and a stream, through all its methods", async () => {
  const { tollgate, provider } = await start();
  const told: string[] = [];
  class Log extends CustomLogger {
    override logPreApiCall(call: CallRecord): void { told.push(`pre ${call.attempt}`); }
    override logPostApiCall(call: CallRecord): void { told.push(`post ${call.attempt} ${call.responseCost === 0 ? "free" : "paid"}`); }
    override logStreamEvent(): void { told.push("event"); }
    override logSuccessEvent(call: CallRecord): void { told.push(`success ${call.attempt}`); }
    override logFailureEvent(): void { told.push("failure"); }
  }
  tollgate.callbacks.push(new Log());
  provider.enqueue({ status: 500, headers: { "retry-after-ms": "1" } });
  await tollgate.completion({ model: MODEL, messages: HELLO });
  await tollgate.flush();
  expect(told).toEqual(["pre 1", "post 1 free", "pre 2", "post 2 paid", "success 2"]);
  told.length = 0;
  const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
  await stream.finalCost();
  await tollgate.flush();
  expect(told.slice(0, 2)).toEqual(["pre 1", "event"]);
  expect(told.at(-1)).toBe("success 1");
});

test("waitUntil gets every detached callback, to keep a serverless function alive", async () => {
  const kept: Promise<unknown>[] = [];
  const { tollgate } = await start({ waitUntil: (promise) => kept.push(promise) });
  let done = false;
  tollgate.successCallbacks = [async () => { await pause(5); done = true; }];
  await tollgate.completion({ model: MODEL, messages: HELLO });
  expect(kept).toHaveLength(1);
  await Promise.all(kept);
  expect(done).toBe(true);
});
