import { expect, test } from "vitest";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { HELLO, MODEL, sdkUnderTest } from "./instance.ts";

test("a run's cap on calls is exact under parallel calls of every kind, over contexts, and refuses for good before anything is sent", async () => {
  const sdk = await sdkUnderTest();
  try {
    const session = { id: "run-1", maxIterations: 10 };
    const results = await Promise.allSettled(Array.from({ length: 40 }, (_, at) => sdk.tollgate.withContext({ session }, async () => {
      if (at % 3 === 0) return sdk.tollgate.embedding({ model: "openai/text-embedding-3-small", input: "Hello" });
      if (at % 3 === 1) return sdk.tollgate.responses({ model: MODEL, input: "Hello" });
      const stream = await sdk.tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
      return stream.finalCost();
    })));
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(10);
    expect([sdk.provider.requests.length, sdk.entries.length]).toEqual([10, 10]);
    const refused = results.flatMap((result) => (result.status === "rejected" ? [BudgetExceededError.from(result.reason)] : []));
    expect(refused.length).toBe(30);
    expect(refused.every((error) => error?.code === "budget_exceeded" && error.scope === "session")).toBe(true);
    // Another run has calls of its own, and a larger cap lets this one go on.
    await sdk.tollgate.completion({ model: MODEL, messages: HELLO, session: { id: "run-2", maxIterations: 1 } });
    await sdk.tollgate.completion({ model: MODEL, messages: HELLO, session: { id: "run-1", maxIterations: 11 } });
    await expect(sdk.tollgate.completion({ model: MODEL, messages: HELLO, session: { id: "run-1", maxIterations: 11 } })).rejects.toMatchObject({ scope: "session" });
    await expect(sdk.tollgate.completion({ model: MODEL, messages: HELLO, session: { id: "run-3", maxIterations: 0 } })).rejects.toMatchObject({ scope: "session" });
  } finally {
    await sdk.stop();
  }
});

test("a call counts once however often it is tried again, and refused calls do not count", async () => {
  const sdk = await sdkUnderTest();
  try {
    const session = { id: "run-1", maxIterations: 2, maxBudget: 1 };
    sdk.provider.enqueue({ status: 500, headers: { "retry-after-ms": "1" } }, { status: 503, headers: { "retry-after-ms": "1" } });
    await sdk.tollgate.completion({ model: MODEL, messages: HELLO, session });
    expect(sdk.entries.length).toBe(3);
    await expect(sdk.tollgate.completion({ model: MODEL, messages: HELLO, session, maxBudget: 0 })).rejects.toMatchObject({ scope: "call" });
    await sdk.tollgate.completion({ model: MODEL, messages: HELLO, session });
    await expect(sdk.tollgate.completion({ model: MODEL, messages: HELLO, session })).rejects.toMatchObject({ scope: "session" });
    expect(sdk.entries.length).toBe(4);
  } finally {
    await sdk.stop();
  }
});

test("a run's money and calls hold over tracked clients, too: every request of theirs counts", async () => {
  const sdk = await sdkUnderTest();
  try {
    const fetch = sdk.tollgate.track(globalThis.fetch);
    const statuses = await Promise.all(Array.from({ length: 6 }, () => sdk.tollgate.withContext({ session: { id: "run-1", maxIterations: 4 } }, async () => (await fetch(`${sdk.provider.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ model: "gpt-4o-mini", messages: HELLO }) })).status)));
    expect(statuses.toSorted()).toEqual([200, 200, 200, 200, 422, 422]);
  } finally {
    await sdk.stop();
  }
});
