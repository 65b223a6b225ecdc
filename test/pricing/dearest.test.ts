import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { estimatingBook } from "../../src/adapters/prices/dearest.ts";
import { listModels } from "../../src/adapters/prices/list-models.ts";
import { createPriceBook } from "../../src/adapters/prices/price-book.ts";
import type { Rate } from "../../src/domain/pricing/price.ts";
import { chat, startWorld, type World } from "../support/world.ts";

const AT = Date.UTC(2026, 10, 25);
const isAbove = (one: Rate, other: Rate): boolean => one.pico * other.per > other.pico * one.per;

describe("GATE 2.3: the dearest price of a provider", () => {
  test("has no rate below that of any model that the provider lists, and input and output always", () => {
    const book = estimatingBook(createPriceBook());
    for (const { provider, model } of listModels()) {
      const dearest = book.dearest?.(provider, AT);
      const price = book.find(provider, model, AT);
      if (price === undefined || dearest === undefined) continue;
      for (const rates of [price.rates, ...price.tiers.map((tier) => tier.rates)]) {
        for (const [dimension, rate] of Object.entries(rates)) expect(isAbove(rate, dearest.rates[dimension as "input"] as Rate), `${provider}/${model} ${dimension}`).toBe(false);
      }
    }
    expect(book.dearest?.("openai", AT)).toMatchObject({ guessed: true, version: expect.stringMatching(/^dearest@openai\//), rates: { input: {}, output: {} } });
    expect(book.find("openai", "nobody-lists-this", AT)).toBeUndefined();
  });

  test("is the dearest of all for a provider that lists nothing", () => {
    const book = estimatingBook(createPriceBook());
    const any = book.dearest?.("nobody", AT);
    expect(any?.version).toMatch(/^dearest@any\//);
    for (const provider of ["openai", "anthropic"]) expect(isAbove(book.dearest?.(provider, AT)?.rates.output as Rate, any?.rates.output as Rate)).toBe(false);
  });
});

describe("GATE 2.3: by the policy estimate", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ tollgate: "unpriced: estimate", models: (url) => ["openai/nobody-prices-this", "hosted_vllm/my-own"].map((model, index) => `
  - model_name: nameless-${index}
    litellm_params: { model: ${model}, api_key: sk-up, api_base: "${url}/v1" }`).join("") });
  });
  afterAll(() => world.stop());

  test.each([["nameless-0", "openai"], ["nameless-1", "any"]])("%s is held and charged at the dearest rate of %s, marked, and its budget holds", async (model, whose) => {
    const rates = estimatingBook(createPriceBook()).dearest?.(whose === "any" ? "nobody" : whose, Date.now())?.rates;
    const dollars = (input: number, output: number): number => Number(((rates?.input?.pico ?? 0n) * BigInt(input) + (rates?.output?.pico ?? 0n) * BigInt(output)) / 1_000n) / 1e9;
    const key = await world.key({ max_budget: 0.5 });
    const send = () => world.gateway.call("POST", "/v1/chat/completions", chat(model, { max_tokens: 500 }), key);
    world.mock.behave(() => ({ promptTokens: 10, completionTokens: 100 }));
    const first = await send();
    const cost = Number(first.headers.get("x-litellm-response-cost"));
    expect([first.status, first.headers.get("x-tollgate-estimated"), cost - (rates?.request === undefined ? 0 : Number(rates.request.pico) / 1e12)]).toEqual([200, "rate_guessed", expect.closeTo(dollars(10, 100), 8)]);
    const [entry] = (await world.requestDetails(first.headers.get("x-litellm-call-id") as string)).entries;
    expect(entry).toMatchObject({ estimated: "rate_guessed", overage: "0" });
    world.mock.behave(() => ({ promptTokens: 10, completionTokens: "cap" }));
    let last = first;
    for (let index = 0; index < 100 && last.status === 200; index += 1) last = await send();
    expect(last.body["error"]).toMatchObject({ tollgate_code: "budget_exceeded" });
    expect((await world.keyInfo(key)).spend).toBeLessThanOrEqual(0.5);
  });

  test("what has a price keeps it", async () => {
    world.mock.behave(() => ({ promptTokens: 100, completionTokens: 100 }));
    const answer = await world.gateway.call("POST", "/v1/chat/completions", chat());
    expect([answer.headers.get("x-litellm-response-cost"), answer.headers.get("x-tollgate-estimated")]).toEqual(["0.000075", null]);
  });
});
