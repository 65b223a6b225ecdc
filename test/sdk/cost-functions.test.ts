import { expect, test } from "vitest";
import { completionCost, costPerToken, createTollgate, getModelInfo, modelCost, tokenCounter } from "../../src/app/sdk.ts";

const ANSWER = { id: "x", object: "chat.completion", model: "gpt-4o-mini-2024-07-18", choices: [], usage: { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500, prompt_tokens_details: { cached_tokens: 400 } } };
const code = (name: string): Error => expect.objectContaining({ code: name }) as Error;

test("completionCost prices an answer by its usage, cached tokens at their own rate, and texts by their tokens", async () => {
  // 600 at $0.15, 400 at $0.075, 500 at $0.60 per million.
  expect(completionCost(ANSWER)).toBe(0.00042);
  expect(completionCost({ ...ANSWER, cost: { callId: "01M87S1TEK1T7GP1HTQ3G80EHZ", total: "0.5" } } as never)).toBe(0.5);
  expect(await completionCost({ model: "openai/gpt-4o-mini", prompt: "Hello", completion: "Hello" })).toBe(0.00000075);
  expect(() => completionCost({ ...ANSWER, usage: { prompt_tokens: -1, completion_tokens: 1, total_tokens: 0 } })).toThrow(code("invalid_request"));
  expect(() => completionCost({ ...ANSWER, model: "none-such" })).toThrow(code("unpriced"));
});

test("costPerToken is exact for both sides, and an unknown model is unpriced, never $0", () => {
  expect(costPerToken({ model: "openai/gpt-4o-mini", promptTokens: 1_000, completionTokens: 500 })).toEqual([0.00015, 0.0003]);
  expect(() => costPerToken({ model: "openai/none-such", promptTokens: 1 })).toThrow(code("unpriced"));
  expect(() => costPerToken({ model: "openai/gpt-4o-mini", promptTokens: 1, cacheReadInputTokens: 2 })).toThrow(code("invalid_request"));
});

test("tokenCounter says how it counted: OpenAI's tokenizers, else the bound of bytes", async () => {
  expect(await tokenCounter({ model: "openai/gpt-4o-mini", text: "Hello, world!" })).toMatchObject({ tokens: 4 });
  const claude = await tokenCounter({ model: "anthropic/claude-sonnet-4-5", text: "Hello, world!" });
  expect(claude.tokens).toBeGreaterThanOrEqual(13);
  const hostile = await tokenCounter({ model: "openai/gpt-4o-mini", text: "a".repeat(200_000) });
  expect(hostile.tokens).toBeGreaterThan(1_000);
});

test("registerModel gives prices to an instance under LiteLLM's names; the next call is charged by them; nonsense changes nothing", async () => {
  const tollgate = createTollgate();
  tollgate.registerModel({ "openai/my-model": { input_cost_per_token: "0.000001", output_cost_per_token: 0.000002, max_output_tokens: 100 } });
  expect(tollgate.costPerToken({ model: "openai/my-model", promptTokens: 10, completionTokens: 10 })).toEqual([0.00001, 0.00002]);
  const { cost } = await tollgate.completion({ model: "openai/my-model", messages: [{ role: "user", content: "Hi" }], mockResponse: "Hello" });
  expect(cost.total).toBe("0.00005");
  expect(() => tollgate.registerModel({ "openai/other": { input_cost_per_token: -1 } })).toThrow();
  expect(() => tollgate.registerModel({ "openai/other": { input_cost_per_tokne: 1 } })).toThrow(code("unknown_field"));
  expect(() => tollgate.costPerToken({ model: "openai/other", promptTokens: 1 })).toThrow(code("unpriced"));
  await tollgate.close();
});

test("getModelInfo and modelCost speak LiteLLM's field names", () => {
  expect(getModelInfo("openai/gpt-4o-mini")).toMatchObject({ litellm_provider: "openai", input_cost_per_token: 1.5e-7, output_cost_per_token: 6e-7, max_input_tokens: 128_000 });
  expect(Object.keys(modelCost).length).toBeGreaterThan(300);
  expect(modelCost["openai/gpt-4o-mini"]?.["output_cost_per_token"]).toBe(6e-7);
});
