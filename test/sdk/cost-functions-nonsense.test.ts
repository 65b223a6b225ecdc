import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { completionCost, costPerToken, getModelInfo, modelCost, registerModel, tokenCounter, createTollgate } from "../../src/app/sdk.ts";
import { HELLO, MODEL, sdkUnderTest, type SdkUnderTest } from "./instance.ts";

let sdk: SdkUnderTest | undefined;
afterEach(async () => {
  await sdk?.stop();
  sdk = undefined;
});

const code = (run: () => unknown): string => {
  try {
    run();
    return "none";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: { code?: string }) => error.code ?? String(error));

describe("completionCost", () => {
  const answer = { model: "gpt-4o-mini-2024-07-18", usage: { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500, prompt_tokens_details: { cached_tokens: 400 } } };

  test("prices a provider's answer, cached input at its own rate", () => {
    expect(completionCost(answer)).toBe(0.00042);
    expect(completionCost({ model: "gpt-4o-mini", usage: { input_tokens: 1_000, output_tokens: 500, total_tokens: 1_500 } } as never)).toBe(0.00045);
    expect(completionCost({ usage: answer.usage }, { model: MODEL })).toBe(0.00042);
  });

  test("of an answer of Tollgate's own it is what was charged", async () => {
    sdk = await sdkUnderTest({ provider: { standard: { promptTokens: 7, completionTokens: 3 } } });
    const response = await sdk.tollgate.completion({ model: MODEL, messages: HELLO });
    expect(completionCost(response)).toBe(response.cost.totalUsd);
    const { cost: _cost, ...plain } = response;
    expect(completionCost(plain)).toBe(response.cost.totalUsd);
  });

  test("from texts it counts tokens first", async () => {
    expect(await completionCost({ model: MODEL, prompt: "Hello world", completion: "Hello" })).toBe((2 * 150 + 600) / 1e9);
  });

  test("an unknown model, missing or impossible usage is an error and never $0", async () => {
    expect(code(() => completionCost({ model: "nobody-knows-it", usage: answer.usage }))).toBe("unpriced");
    expect(code(() => completionCost({ model: "openai/nobody-knows-it", usage: answer.usage }))).toBe("unpriced");
    expect(code(() => completionCost({ model: MODEL }))).toBe("invalid_request");
    expect(code(() => completionCost({ model: MODEL, usage: { prompt_tokens: -5, completion_tokens: 1 } }))).toBe("invalid_request");
    expect(code(() => completionCost({ usage: answer.usage }))).toBe("invalid_request");
    expect(code(() => completionCost(null as never))).toBe("invalid_request");
    expect(await codeOf(completionCost({ model: "openai/nobody-knows-it", prompt: "a", completion: "b" }))).toBe("unpriced");
  });
});

describe("costPerToken", () => {
  test("tells input and output, with cached and reasoning tokens inside them", () => {
    expect(costPerToken({ model: MODEL, promptTokens: 1_000, completionTokens: 500 })).toEqual([0.00015, 0.0003]);
    expect(costPerToken({ model: MODEL, promptTokens: 1_000, cacheReadInputTokens: 400 })).toEqual([0.00012, 0]);
  });

  test.each([-1, Number.NaN, 1.5, 1e12, "3" as never])("%s is no count of tokens", (promptTokens) => {
    expect(code(() => costPerToken({ model: MODEL, promptTokens }))).toBe("invalid_request");
  });

  test("parts above their whole and unknown models are refused", () => {
    expect(code(() => costPerToken({ model: MODEL, promptTokens: 1, cacheReadInputTokens: 2 }))).toBe("invalid_request");
    expect(code(() => costPerToken({ model: "openai/no", promptTokens: 1 }))).toBe("unpriced");
  });
});

describe("modelCost and getModelInfo", () => {
  test("speak LiteLLM's field names", () => {
    expect(getModelInfo("gpt-4o-mini")).toMatchObject({ key: MODEL, litellm_provider: "openai", input_cost_per_token: 1.5e-7, output_cost_per_token: 6e-7, cache_read_input_token_cost: 7.5e-8, max_output_tokens: 16_384 });
    expect(modelCost[MODEL]).toEqual(getModelInfo(MODEL));
    const names = Object.keys(modelCost);
    expect(names.length).toBeGreaterThan(500);
    expect(names.some((name) => name.startsWith("anthropic/claude"))).toBe(true);
    expect(Object.values(modelCost).every((info) => info !== undefined)).toBe(true);
    expect("nobody" in modelCost).toBe(false);
    expect(code(() => getModelInfo("openai/nobody"))).toBe("unpriced");
    expect(code(() => { (modelCost as Record<string, unknown>)["x"] = 1; })).not.toBe("none");
  });
});

describe("registerModel", () => {
  test("changes the prices of its instance alone, and calls are charged by them", async () => {
    sdk = await sdkUnderTest({ provider: { standard: { promptTokens: 10, completionTokens: 10 } } });
    const { tollgate } = sdk;
    expect(code(() => tollgate.costPerToken({ model: "openai/our-model", promptTokens: 1 }))).toBe("unpriced");
    tollgate.registerModel({ "openai/our-model": { input_cost_per_token: "0.001", output_cost_per_token: 0.002, max_output_tokens: 100, litellm_provider: "openai", mode: "chat" } });
    const response = await tollgate.completion({ model: "openai/our-model", messages: HELLO, maxBudget: 10 });
    expect(response.cost.total).toBe("0.03");
    expect(tollgate.getModelInfo("openai/our-model")).toMatchObject({ input_cost_per_token: 0.001, max_output_tokens: 100 });
    expect(Object.keys(tollgate.modelCost)).toContain("openai/our-model");
    expect(code(() => createTollgate().getModelInfo("openai/our-model"))).toBe("unpriced");
    expect(code(() => getModelInfo("openai/our-model"))).toBe("unpriced");
  });

  test("custom prices win over the book", () => {
    const tollgate = createTollgate();
    tollgate.registerModel({ [MODEL]: { input_cost_per_token: 1, output_cost_per_token: 2 } });
    expect(tollgate.costPerToken({ model: "gpt-4o-mini", promptTokens: 2, completionTokens: 3 })).toEqual([2, 6]);
    expect(createTollgate().costPerToken({ model: MODEL, promptTokens: 1_000 })).toEqual([0.00015, 0]);
  });

  test("of the package it counts for every instance of the process", () => {
    registerModel({ "process-wide-model": { input_cost_per_token: 0.5, output_cost_per_token: 0.5 } });
    expect(createTollgate().costPerToken({ model: "process-wide-model", promptTokens: 2 })).toEqual([1, 0]);
    expect(costPerToken({ model: "openai/process-wide-model", promptTokens: 2 })).toEqual([1, 0]);
  });

  test.each([
    [{ m: { input_cost_per_token: -1 } }, "invalid_amount"], [{ m: { input_cost_per_token: Number.NaN } }, "invalid_amount"], [{ m: { input_cost_per_token: Infinity } }, "invalid_amount"],
    [{ m: { input_cost_per_tokn: 1 } }, "unknown_field"], [{ m: { output_cost_per_image: 1 } }, "unsupported_field"], [{ m: { max_output_tokens: -3, input_cost_per_token: 1 } }, "invalid_request"],
    [{ m: null }, "invalid_request"], [null, "invalid_request"], [{ "": { input_cost_per_token: 1 } }, "invalid_request"],
  ])("%j is refused, and nothing of it is registered", (models, expected) => {
    const tollgate = createTollgate();
    expect(code(() => tollgate.registerModel({ "openai/good": { input_cost_per_token: 1, output_cost_per_token: 1 }, ...(models as object | null ?? {}) } as never) as unknown ?? (models === null ? tollgate.registerModel(null as never) : undefined))).toBe(expected);
    if (models !== null) expect(code(() => tollgate.getModelInfo("openai/good"))).toBe("unpriced");
  });
});

describe("tokenCounter", () => {
  test("uses OpenAI's encodings, and texts that look like special tokens are texts", async () => {
    expect(await tokenCounter({ model: MODEL, text: "Hello world" })).toEqual({ tokens: 2, method: "o200k_base", upperBound: false });
    expect(await tokenCounter({ model: "openai/gpt-4", text: "Hello world" })).toMatchObject({ method: "cl100k_base" });
    expect((await tokenCounter({ model: MODEL, text: "<|endoftext|>" })).tokens).toBeGreaterThan(1);
    expect(await tokenCounter({ model: MODEL, messages: [{ role: "user", content: "Hello" }] })).toMatchObject({ tokens: 8 });
  });

  test("says that Claude and Gemini are bounded by bytes", async () => {
    expect(await tokenCounter({ model: "anthropic/claude-sonnet-4-5", text: "Hello" })).toEqual({ tokens: 5, method: "bytes", upperBound: true });
    expect(await tokenCounter({ model: "gemini/gemini-2.5-flash", text: "é" })).toMatchObject({ tokens: 2, method: "bytes" });
  });

  test("asks their own counters when asked to", async () => {
    const seen: { url: string | undefined; body: unknown; key: unknown }[] = [];
    const server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
        seen.push({ url: request.url, body: JSON.parse(Buffer.concat(chunks).toString()), key: request.headers["x-api-key"] ?? request.headers["x-goog-api-key"] });
        response.end(JSON.stringify(request.url?.includes("count_tokens") === true ? { input_tokens: 11 } : { totalTokens: 12 }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const apiBase = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    const messages = [{ role: "system", content: "Be brief." }, ...HELLO];
    expect(await tokenCounter({ model: "anthropic/claude-sonnet-4-5", messages, countTokens: true, apiKey: "k", apiBase })).toEqual({ tokens: 11, method: "provider", upperBound: false });
    expect(await tokenCounter({ model: "gemini/gemini-2.5-flash", messages, countTokens: true, apiKey: "k", apiBase })).toMatchObject({ tokens: 12 });
    expect(seen[0]).toMatchObject({ url: "/v1/messages/count_tokens", key: "k", body: { model: "claude-sonnet-4-5", system: "Be brief.", messages: HELLO } });
    expect(seen[1]).toMatchObject({ url: "/v1/models/gemini-2.5-flash:countTokens", key: "k" });
    server.close();
    expect(await codeOf(tokenCounter({ model: MODEL, messages, countTokens: true }))).toBe("invalid_request");
  });

  test("refuses what it cannot count", async () => {
    expect(await codeOf(tokenCounter({ model: MODEL }))).toBe("invalid_request");
    expect(await codeOf(tokenCounter({ model: MODEL, text: "a", messages: [] }))).toBe("invalid_request");
    expect(await codeOf(tokenCounter({ model: MODEL, messages: [null] }))).toBe("invalid_request");
    expect(await codeOf(tokenCounter({ model: MODEL, messages: [{ role: "user", content: [{ type: "image_url" }] }] }))).toBe("cost_not_boundable");
  });
});
