import OpenAI from "openai";
import { expect, test } from "vitest";
import { startWorld, until } from "../support/world.ts";

const IN_FLIGHT = 200;

test.each([
  ["about what is used", 110],
  ["ten times what is used", 1_000],
])("promise 2, GATE 3.2: with 200 clients on a $0.05 key and max_tokens of %s, never past $0.05 and at least 97%% of it usable", { timeout: 120_000 }, async (_title, maxTokens) => {
  const world = await startWorld({});
  try {
    world.mock.behave((request) => ({ headDelayMs: 20, completionTokens: Math.min(100, Number(request.body.max_tokens)) }));
    const key = await world.key({ max_budget: 0.05 });
    // The clients' own retries: they read x-should-retry and retry-after as told.
    const client = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: key, maxRetries: 1_000 });
    await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
      for (;;) {
        try {
          await client.chat.completions.create({ model: "gpt-4o-mini", max_tokens: maxTokens, messages: [{ role: "user", content: "Tell me a story of a gate." }] });
        } catch (error) {
          expect(error).toBeInstanceOf(OpenAI.UnprocessableEntityError);
          return;
        }
      }
    }));
    await until(async () => (await world.keyInfo(key)).tollgate.held === 0, "holds are gone");
    const spent = BigInt(Math.round((await world.keyInfo(key)).spend * 1e9));
    expect(spent).toBeLessThanOrEqual(50_000_000n);
    expect(spent).toBeGreaterThanOrEqual(48_500_000n);
    expect(spent).toBe(world.mock.bill().totalNanoUsd);
  } finally {
    await world.stop();
  }
});
