import fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CUSTOM_PRICE_FIELDS, readCustomPrice, UNSUPPORTED_PRICE_FIELDS } from "../../src/adapters/prices/custom-price.ts";
import { loadLitellmMap, readLitellmMap } from "../../src/adapters/prices/litellm-map.ts";
import { createPriceBook } from "../../src/adapters/prices/price-book.ts";
import { TollgateError } from "../../src/base/errors.ts";
import { divideUp, formatNanoUsd } from "../../src/base/money.ts";
import { costOf, dearestTextRates, type Cost } from "../../src/domain/pricing/cost.ts";
import type { Price, Rates } from "../../src/domain/pricing/price.ts";

const IDENTITY = { id: "fast", provider: "openai", model: "my-model" };
const GPT = { litellm_provider: "openai", mode: "chat", input_cost_per_token: 1.5e-7, output_cost_per_token: 6e-7, cache_read_input_token_cost: 7.5e-8, max_output_tokens: 16384, max_input_tokens: 128000 };

function pico(rates: Rates): Record<string, bigint> {
  return Object.fromEntries(Object.entries(rates).map(([dimension, { pico: of }]) => [dimension, of]));
}

function failure(act: () => unknown): TollgateError {
  try {
    act();
  } catch (error) {
    if (error instanceof TollgateError) return error;
    throw error;
  }
  throw new Error("no error");
}

describe("a custom price", () => {
  test("reads LiteLLM's fields, tiers by threshold, and names its version after the deployment", () => {
    const price = readCustomPrice(
      {
        input_cost_per_token: "0.00000015", output_cost_per_token: "6e-7", cache_read_input_token_cost: "7.5e-8", cache_creation_input_token_cost: "1.875e-7",
        cache_creation_input_token_cost_above_1hr: "3e-7", output_cost_per_reasoning_token: "7e-7", input_cost_per_audio_token: "1e-5", output_cost_per_audio_token: "2e-5",
        input_cost_per_request: "0.001", input_cost_per_token_above_200k_tokens: "3e-7", output_cost_per_token_above_200k_tokens: "9e-7", input_cost_per_token_above_128k_tokens: "2e-7",
        rpm: "10", mode: "chat",
      },
      IDENTITY,
    ) as Price;
    expect(price).toMatchObject({ version: "config/fast", provider: "openai", model: "my-model" });
    expect(pico(price.rates)).toEqual({
      input: 150_000n, output: 600_000n, cache_read: 75_000n, cache_write_5m: 187_500n, cache_write_1h: 300_000n, reasoning: 700_000n, audio_in: 10_000_000n, audio_out: 20_000_000n, request: 1_000_000_000n,
    });
    expect(price.tiers.map((tier) => [tier.aboveInputTokens, pico(tier.rates)])).toEqual([
      [128_000, { input: 200_000n }],
      [200_000, { input: 300_000n, output: 900_000n }],
    ]);
  });

  test("without price fields is none", () => {
    expect(readCustomPrice({}, IDENTITY)).toBeUndefined();
    expect(readCustomPrice({ rpm: "5", input_cost_per_token_priority: "1e-6" }, IDENTITY)).toBeUndefined();
  });

  test("of zero is a price of zero; what has no field has no rate", () => {
    const price = readCustomPrice({ input_cost_per_token: "0" }, IDENTITY) as Price;
    expect(pico(price.rates)).toEqual({ input: 0n });
    expect(costOf(price, [{ dimension: "input", quantity: 5 }])).toMatchObject({ nanoUsd: 0n });
    expect(costOf(price, [{ dimension: "output", quantity: 5 }])).toEqual({ unpriced: "output" });
  });

  test.each(["-1e-7", "NaN", "", "free", "1e-7 USD", "Infinity", "-0", "0x1"])("%j is refused, naming the field", (text) => {
    const error = failure(() => readCustomPrice({ input_cost_per_token: text }, IDENTITY));
    expect(error).toMatchObject({ code: "config_invalid", param: "input_cost_per_token" });
    expect(error.message).toContain("dollars per unit");
  });

  test("every field is either priced or reported as unsupported, none is silent", () => {
    expect(new Set(CUSTOM_PRICE_FIELDS).size).toBe(CUSTOM_PRICE_FIELDS.length);
    for (const field of CUSTOM_PRICE_FIELDS) {
      const read = readCustomPrice({ [field]: "1e-6" }, IDENTITY) !== undefined;
      expect(read, field).toBe(!UNSUPPORTED_PRICE_FIELDS.includes(field));
    }
  });
});

describe("numbers", () => {
  test("a floating number with up to twelve decimals becomes exactly its shortest text", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (value) => {
      const number = Number(`${value}e-12`);
      const map = readLitellmMap({ m: { litellm_provider: "openai", input_cost_per_token: number, output_cost_per_token: 1 } });
      expect(map.find("openai", ["m"])?.price?.rates.input).toEqual({ pico: BigInt(value), per: 1n });
      expect(map.notes).toEqual([]);
    }));
  });

  test("finer prices than a pico-dollar are exact too, and charged exactly", () => {
    const map = readLitellmMap({ m: { litellm_provider: "openai", input_cost_per_second: 0.0002833333333333333, input_cost_per_token: 1.2345678901234e-7, output_cost_per_token: "2.5e-13" } });
    const price = map.find("openai", ["m"])?.price as Price;
    expect(price.rates).toEqual({ second_in: { pico: 2_833_333_333_333_333n, per: 10_000_000n }, input: { pico: 12_345_678_901_234n, per: 100_000_000n }, output: { pico: 25n, per: 100n } });
    expect(map.notes).toEqual([]);
    expect(costOf(price, [{ dimension: "input", quantity: 1_000_000 }, { dimension: "output", quantity: 4_000 }])).toMatchObject({ nanoUsd: 123_456_790n, lines: [{ pico: 123_456_789_012n }, { pico: 1_000n }] });
  });

  test("the hold of a finer price is never below its cost", () => {
    fc.assert(fc.property(fc.double({ min: 1e-14, max: 1e-4, noNaN: true }), fc.double({ min: 1e-14, max: 1e-4, noNaN: true }), fc.nat(100_000), fc.nat(100_000), (input, output, prompt, completion) => {
      const price = readCustomPrice({ input_cost_per_token: String(input), output_cost_per_token: String(output) }, IDENTITY) as Price;
      const rates = dearestTextRates(price) as { input: bigint; output: bigint };
      const cost = costOf(price, [{ dimension: "input", quantity: prompt }, { dimension: "output", quantity: completion }]) as Cost;
      expect(divideUp(rates.input * BigInt(prompt) + rates.output * BigInt(completion), 1_000n)).toBeGreaterThanOrEqual(cost.nanoUsd);
    }));
  });

  test("beyond 27 decimals they are rounded half to even and noted; what is above zero stays above zero", () => {
    const map = readLitellmMap({ m: { litellm_provider: "openai", input_cost_per_token: 2.5e-27, output_cost_per_token: 3.5e-27, cache_read_input_token_cost: 1e-40 } });
    const per = 10n ** 15n;
    expect(map.find("openai", ["m"])?.price?.rates).toEqual({ input: { pico: 2n, per }, output: { pico: 4n, per }, cache_read: { pico: 1n, per } });
    expect(map.notes.length).toBe(3);
  });
});

describe("a LiteLLM price map", () => {
  test("is found by our provider names, keys with and without the provider's prefix", () => {
    const litellmMap = readLitellmMap({
      sample_spec: { litellm_provider: "one of", max_tokens: "text" },
      "new-model": GPT,
      "xai/Grok-9": { ...GPT, litellm_provider: "xai" },
      "together_ai/org/Model-X": { ...GPT, litellm_provider: "together_ai" },
      "fireworks_ai/accounts/fireworks/models/x": { ...GPT, litellm_provider: "fireworks_ai" },
      "gemini/gemini-9": { ...GPT, litellm_provider: "gemini" },
      "ollama/llama9": { ...GPT, litellm_provider: "ollama" },
      "snowflake/arctic": { ...GPT, litellm_provider: "snowflake" },
      "ft:gpt-9": GPT,
    });
    const book = createPriceBook({ litellmMap });
    for (const [provider, model] of [["openai", "new-model"], ["xai", "grok-9"], ["together", "org/Model-X"], ["fireworks_ai", "accounts/fireworks/models/x"], ["gemini", "gemini-9"], ["snowflake", "arctic"], ["openai", "ft:gpt-9:acme::1"]] as const) {
      expect(book.find(provider, model, 0)?.rates.input?.pico, model).toBe(150_000n);
      expect(book.find(provider, model, 0)?.provider).toBe(provider);
      expect(book.info(provider, model)).toEqual({ maximumOutput: 16_384, contextWindow: 128_000 });
    }
    expect(book.find("ollama", "llama9", 0)).toBeUndefined();
    expect(book.find("openai", "sample_spec", 0)).toBeUndefined();
    expect(book.find("openai", "new-model-2", 0)).toBeUndefined();
  });

  test("prices long contexts, keeps the hour's cache write in step, and takes the dearest web search", () => {
    const price = readLitellmMap({
      c: {
        litellm_provider: "anthropic", input_cost_per_token: 3e-6, output_cost_per_token: 1.5e-5, cache_creation_input_token_cost: 3.75e-6, cache_creation_input_token_cost_above_1hr: 6e-6,
        input_cost_per_token_above_200k_tokens: 6e-6, cache_creation_input_token_cost_above_200k_tokens: 7.5e-6, search_context_cost_per_query: { search_context_size_low: 0.01, search_context_size_high: 0.014 },
      },
    }).find("anthropic", ["c"])?.price as Price;
    expect(price.rates.web_search?.pico).toBe(14_000_000_000n);
    expect(price.tiers.map((tier) => [tier.aboveInputTokens, pico(tier.rates)])).toEqual([[200_000, { input: 6_000_000n, cache_write_5m: 7_500_000n, cache_write_1h: 12_000_000n }]]);
  });

  test("zeros are unknown, not free, unless the model's name says free", () => {
    const zero = { litellm_provider: "openrouter", input_cost_per_token: 0, output_cost_per_token: 0 };
    const map = readLitellmMap({ "openrouter/a": zero, "openrouter/a:free": zero, "openrouter/b": { litellm_provider: "openrouter", mode: "chat" } });
    expect(map.find("openrouter", ["a"])?.price).toBeUndefined();
    expect(map.find("openrouter", ["a:free"])?.price).toBeDefined();
    expect(map.find("openrouter", ["b"])?.price).toBeUndefined();
    expect(map.notes).toEqual(["openrouter/a: left unpriced, all its rates are zero"]);
  });

  test("prices by ranges are left unpriced with a note, not read by halves", () => {
    const map = readLitellmMap({ q: { litellm_provider: "dashscope", input_cost_per_token: 1e-6, tiered_pricing: [{ range: [0, 1000], input_cost_per_token: 2e-6 }] } });
    expect(map.find("dashscope", ["q"])?.price).toBeUndefined();
    expect(map.notes[0]).toContain("tiered_pricing");
  });

  test.each<[string, unknown, string]>([
    ["a list", [], "JSON object"],
    ["nothing", null, "JSON object"],
    ["no models", {}, "no model"],
    ["an entry that is no object", { "gpt-9": 5 }, '"gpt-9"'],
    ["a negative rate", { "gpt-9": { ...GPT, input_cost_per_token: -1e-7 } }, '"gpt-9" has input_cost_per_token'],
    ["an infinite rate", { "gpt-9": { ...GPT, output_cost_per_token: Infinity } }, '"gpt-9" has output_cost_per_token'],
    ["a rate as text", { "gpt-9": { ...GPT, output_cost_per_token: "cheap" } }, '"gpt-9" has output_cost_per_token'],
    ["a negative search", { "gpt-9": { ...GPT, search_context_cost_per_query: { low: -1 } } }, "search_context_cost_per_query.low"],
  ])("%s is refused, naming the entry", (_name, json, message) => {
    const error = failure(() => readLitellmMap(json));
    expect(error.code).toBe("price_map_invalid");
    expect(error.message).toContain(message);
  });

  test("a member named __proto__ is a model like any other", () => {
    const map = readLitellmMap(JSON.parse('{"__proto__": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}, "a": {"litellm_provider": "__proto__", "input_cost_per_token": 1e-6}}'));
    expect(map.find("openai", ["__proto__"])?.price?.rates.input?.pico).toBe(1_000_000n);
    expect(({} as Record<string, unknown>).litellm_provider).toBeUndefined();
    expect(map.find("openai", ["a"])).toBeUndefined();
  });
});

describe("loading a map", () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-prices-"));
  let server: Server;
  let origin = "";

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === "/map.json") response.end(JSON.stringify({ m: GPT }));
      else if (request.url === "/huge.json") response.end(`{"m": "${"x".repeat(100_000)}"}`);
      else if (request.url === "/moved.json") response.writeHead(302, { location: "/map.json" }).end();
      else if (request.url === "/slow.json") response.write("{");
      else response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  test("from a file and from a URL gives the same prices and version", async () => {
    const path = join(folder, "map.json");
    writeFileSync(path, JSON.stringify({ m: GPT }));
    const [file, url] = await Promise.all([loadLitellmMap(path), loadLitellmMap(`${origin}/map.json`)]);
    expect(file.version).toBe(url.version);
    const book = createPriceBook({ litellmMap: url });
    const cost = costOf(book.find("openai", "m", 0) as Price, [{ dimension: "input", quantity: 1_000 }, { dimension: "output", quantity: 12 }]);
    expect("unpriced" in cost ? cost.unpriced : formatNanoUsd(cost.nanoUsd)).toBe("0.0001572");
  });

  test.each<[string, () => string, string]>([
    ["a missing file", () => join(folder, "nope.json"), "cannot be read"],
    ["a file that is no JSON", () => join(folder, "bad.json"), "not valid JSON"],
    ["a file over the size limit", () => join(folder, "large.json"), "larger than 50000 bytes"],
    ["an answer over the size limit", () => `${origin}/huge.json`, "larger than 50000 bytes"],
    ["an answer that never ends", () => `${origin}/slow.json`, "within 200 ms"],
    ["a status other than 200", () => `${origin}/nope.json`, "status 404"],
    ["a redirect", () => `${origin}/moved.json`, "cannot be read"],
    ["an address where nobody listens", () => "http://127.0.0.1:1/map.json", "cannot be read"],
  ])("%s is refused with price_map_invalid", async (_name, source, message) => {
    writeFileSync(join(folder, "bad.json"), "{");
    writeFileSync(join(folder, "large.json"), " ".repeat(60_000));
    const error = await loadLitellmMap(source(), { timeoutMs: 200, sizeMax: 50_000 }).then(() => undefined, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(TollgateError);
    expect(error).toMatchObject({ code: "price_map_invalid" });
    expect((error as Error).message).toContain(message);
  });
});
