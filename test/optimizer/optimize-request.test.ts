import { expect, test } from "vitest";
import { CostOptimizer } from "../../src/app/books/cost-optimizer.ts";
import { fingerprintPrompts } from "../../src/app/books/fingerprint-prompts.ts";
import { FINGERPRINT } from "../../src/domain/optimizer/waste.ts";
import { HELLO, sdkUnderTest } from "../sdk/instance.ts";

const MODELS = ["openai/gpt-4o", "openai/gpt-4o-mini"];

test("a request is sent to the cheapest model that fits, capped so that it cannot pass its budget, and tracked", async () => {
  const sdk = await sdkUnderTest();
  const tracked: unknown[] = [];
  const optimizer = new CostOptimizer({ models: MODELS, tollgate: sdk.tollgate, tracker: { logCost: (response, labels) => tracked.push([response.cost.callId, labels.user]) } });
  try {
    const answer = await optimizer.optimizeRequest({ messages: HELLO, task: "greeting", budget: "0.00005", maxOutputTokens: 1_000, user: "ann" }).catch((error: unknown) => error);
    expect(answer).toMatchObject({ code: "no_model_fits" });
    expect(sdk.provider.requests.length).toBe(0);
    const { model, response, cost, maxOutputTokens } = await optimizer.optimizeRequest({ messages: HELLO, task: "greeting", budget: "0.00045", maxOutputTokens: 1_000, user: "ann" });
    expect(model).toBe("openai/gpt-4o-mini");
    // 0.00045 dollars less the bound of the input, at $0.60 per million tokens out.
    expect(maxOutputTokens).toBeGreaterThan(64);
    expect(maxOutputTokens).toBeLessThan(750);
    expect(cost).toBeLessThanOrEqual(0.00045);
    expect(sdk.spent()).toBe(BigInt(Math.round(response.cost.totalUsd * 1e9)));
    expect(tracked).toEqual([[response.cost.callId, "ann"]]);
    await expect(optimizer.optimizeRequest({ messages: HELLO, budget: "0.000001" })).rejects.toMatchObject({ code: "no_model_fits" });
    expect(sdk.entries.length).toBe(1);
  } finally {
    await sdk.stop();
  }
});

test("fingerprints of prompts are equal for equal prompts and hold nothing of them", async () => {
  const sdk = await sdkUnderTest({ inputCallbacks: [fingerprintPrompts({ secret: "s3cret" })] });
  try {
    for (const content of ["one", "one", "two"]) await sdk.tollgate.completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content }], metadata: { feature: "x" } });
    const prints = sdk.entries.map((entry) => (JSON.parse(entry.metadata ?? "{}") as Record<string, string>)[FINGERPRINT]);
    expect(prints[0]).toMatch(/^[\w-]{22}$/);
    expect(prints[1]).toBe(prints[0]);
    expect(prints[2]).not.toBe(prints[0]);
    expect(sdk.entries.every((entry) => entry.metadata?.includes("feature"))).toBe(true);
  } finally {
    await sdk.stop();
  }
});
