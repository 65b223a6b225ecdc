import { readFileSync } from "node:fs";
import { calcPrice, waitForUpdate } from "@pydantic/genai-prices";
import { describe, expect, test } from "vitest";
import { bookModule, compileInstalledBook, namesModule } from "../../scripts/compile-prices.ts";
import { BOOK_TEXT as bookText } from "../../src/adapters/prices/book.ts";
import { readLitellmMap } from "../../src/adapters/prices/litellm-map.ts";
import type { ModelRow } from "../../src/adapters/prices/model-row.ts";
import { createPriceBook, type CompiledBook } from "../../src/adapters/prices/price-book.ts";
import { BOOK_PROVIDERS } from "../../src/adapters/prices/provider-names.ts";
import { SUPPLEMENT_TEXT } from "../../src/adapters/prices/supplement-rows.ts";
import type { Supplement } from "../../src/adapters/prices/supplement.ts";
import { formatNanoUsd, parseDecimal } from "../../src/base/money.ts";
import { costOf } from "../../src/domain/pricing/cost.ts";
import type { Price } from "../../src/domain/pricing/price.ts";
import type { Dimension, UsageLine } from "../../src/domain/usage/usage.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const book = createPriceBook();
const compiled = JSON.parse(bookText) as CompiledBook;
const supplement = JSON.parse(SUPPLEMENT_TEXT) as Supplement;

function found(provider: string, model: string, at = NOW): Price {
  const price = book.find(provider, model, at);
  if (price === undefined) throw new Error(`${provider}/${model} has no price`);
  return price;
}

/** Rates in dollars per million, the way price lists print them. */
function perMillion(rates: Price["rates"]): Record<string, number> {
  return Object.fromEntries(Object.entries(rates).map(([dimension, { pico, per }]) => [dimension, Number(pico) / Number(per) / 1e6]));
}

describe("the compiled book", () => {
  test("is what the script makes of the installed price list, byte by byte", async () => {
    expect(await compileInstalledBook()).toBe(bookText);
  });

  test("stands in its module as JSON text, and the SDK's model names are those of the book", () => {
    expect(readFileSync(new URL("../../src/adapters/prices/book.ts", import.meta.url), "utf8")).toBe(bookModule(bookText));
    expect(readFileSync(new URL("../../src/surfaces/sdk/known-models.ts", import.meta.url), "utf8")).toBe(namesModule(bookText));
  });

  test("holds whole pico-dollars, one model a line, under 1.5 MB", () => {
    expect(bookText.length).toBeLessThan(1_500_000);
    for (const { models } of Object.values(compiled.providers)) {
      for (const row of models) {
        expect(row.prices.length).toBeGreaterThan(0);
        for (const price of row.prices) {
          for (const rates of [price.rates, ...(price.tiers ?? []).map((tier) => tier.rates)]) {
            for (const cell of Object.values(rates)) for (const value of [cell].flat()) expect(Number.isSafeInteger(value) && (value as number) >= 0).toBe(true);
          }
        }
      }
    }
    expect(bookText.split("\n").filter((line) => line.startsWith('{"id":')).length).toBe(Object.values(compiled.providers).reduce((sum, { models }) => sum + models.length, 0));
  });

  test("gives each id to one model of a provider only", () => {
    for (const provider of BOOK_PROVIDERS) {
      const ids = (compiled.providers[provider]?.models ?? []).flatMap((row) => row.ids);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  // What our own rows say, and the three things that the source cannot say, are tested by themselves below.
  const corrected = new Set(supplement.prices.flatMap((row) => row.ids.map((id) => `${row.provider}/${id}`)));

  test("prices every id like its source, for plain, cached and long requests", async () => {
    const providers = await waitForUpdate();
    expect(providers).not.toBeNull();
    let compared = 0;
    for (const provider of BOOK_PROVIDERS) {
      for (const row of compiled.providers[provider]?.models ?? []) {
        for (const listed of row.ids) {
          if (corrected.has(`${provider}/${listed}`)) continue;
          const id = listed.replace("{yyyymmdd}", "20250102").replace("{yyyy-mm-dd}", "2025-01-02");
          for (const tokens of [1_000, 300_000]) {
            const input = tokens * 2;
            const usage: Partial<Record<Dimension, number>> = { input: tokens, cache_read: tokens, output: 777 };
            const theirs = calcPrice({ input_tokens: input, cache_read_tokens: tokens, output_tokens: 777 }, id, { providerId: provider, timestamp: new Date(NOW) });
            const price = book.find(provider, id, NOW);
            if (price?.rates.input === undefined || price.rates.output === undefined || price.rates.image_out !== undefined) continue;
            if (theirs === null) throw new Error(`${provider}/${id} is priced here and not by the source`);
            const lines = Object.entries(usage).map(([dimension, quantity]) => ({ dimension, quantity })) as UsageLine[];
            const ours = costOf(price, lines);
            if ("unpriced" in ours) throw new Error(`${provider}/${id}: ${ours.unpriced}`);
            expect(Math.abs(Number(formatNanoUsd(ours.nanoUsd)) - theirs.total_price), `${provider}/${id} ${tokens}`).toBeLessThan(1e-9 + theirs.total_price * 1e-9);
            compared += 1;
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(2_500);
  });
});

describe("list prices, to the pico-dollar", () => {
  test.each<[string, string, Record<string, number>]>([
    ["openai", "gpt-4o-mini", { input: 0.15, cache_read: 0.075, output: 0.6 }],
    ["openai", "gpt-4o-mini-2024-07-18", { input: 0.15, cache_read: 0.075, output: 0.6 }],
    ["openai", "gpt-4o", { input: 2.5, cache_read: 1.25, output: 10 }],
    ["openai", "gpt-4.1-nano", { input: 0.1, cache_read: 0.025, output: 0.4 }],
    ["openai", "gpt-5", { input: 1.25, cache_read: 0.125, output: 10 }],
    ["openai", "gpt-5-nano-2025-08-07", { input: 0.05, cache_read: 0.005, output: 0.4 }],
    ["openai", "o4-mini", { input: 1.1, cache_read: 0.275, output: 4.4 }],
    ["openai", "gpt-4o-audio-preview", { input: 2.5, output: 10, audio_in: 40, audio_out: 80 }],
    ["azure", "gpt-4o-2024-08-06", { input: 2.5, cache_read: 1.25, output: 10 }],
    ["anthropic", "claude-sonnet-4-5-20250929", { input: 3, cache_read: 0.3, cache_write_5m: 3.75, cache_write_1h: 6, output: 15 }],
    ["anthropic", "claude-3-5-haiku-20241022", { input: 0.8, cache_read: 0.08, cache_write_5m: 1, cache_write_1h: 1.6, output: 4 }],
    ["anthropic", "claude-opus-4-20250514", { input: 15, cache_read: 1.5, cache_write_5m: 18.75, cache_write_1h: 30, output: 75 }],
    ["gemini", "gemini-2.5-flash", { input: 0.3, cache_read: 0.03, output: 2.5, audio_in: 1 }],
    ["gemini", "gemini-2.5-pro-preview-06-05", { input: 1.25, cache_read: 0.125, output: 10 }],
    ["gemini", "gemini-1.5-flash-002", { input: 0.075, cache_read: 0.01875, output: 0.3 }],
    ["groq", "llama-3.3-70b-versatile", { input: 0.59, output: 0.79 }],
    ["groq", "openai/gpt-oss-safeguard-20b", { input: 0.075, cache_read: 0.0375, output: 0.3 }],
    ["mistral", "mistral-large-latest", { input: 0.5, cache_read: 0.05, output: 1.5 }],
    ["xai", "grok-3-mini", { input: 0.3, cache_read: 0.075, output: 0.5 }],
    ["together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", { input: 0.88, output: 0.88 }],
    ["perplexity", "sonar", { input: 1, output: 1, request: 12_000 }],
    ["openrouter", "google/gemini-2.5-flash-image", { input: 0.3, cache_write_5m: 1 / 12 }],
    ["bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", { input: 3, output: 15 }],
    ["vertex_ai", "claude-sonnet-4@20250514", { input: 3, output: 15 }],
  ])("%s/%s", (provider, model, rates) => {
    expect(perMillion(found(provider, model).rates)).toMatchObject(rates);
  });

  test("nine tokens in and twelve out of gpt-4o-mini cost 0.00000855 $", () => {
    const cost = costOf(found("openai", "gpt-4o-mini"), [{ dimension: "input", quantity: 9 }, { dimension: "output", quantity: 12 }]);
    if ("unpriced" in cost) throw new Error(cost.unpriced);
    expect(formatNanoUsd(cost.nanoUsd)).toBe("0.00000855");
  });

  test("Gemini 2.5 Pro changes every rate at 200,001 tokens of input", () => {
    const price = found("gemini", "gemini-2.5-pro");
    const cost = (quantity: number): string => {
      const of = costOf(price, [{ dimension: "input", quantity }, { dimension: "output", quantity: 1_000 }]);
      if ("unpriced" in of) throw new Error(of.unpriced);
      return formatNanoUsd(of.nanoUsd);
    };
    expect(cost(200_000)).toBe("0.26");
    expect(cost(200_001)).toBe("0.5150025");
  });
});

describe("dates", () => {
  test("o3 became cheaper on 2025-06-10, at midnight UTC", () => {
    const cut = Date.parse("2025-06-10T00:00:00Z");
    const before = found("openai", "o3", cut - 1);
    const after = found("openai", "o3", cut);
    expect(perMillion(before.rates)).toMatchObject({ input: 10, output: 40 });
    expect(perMillion(after.rates)).toMatchObject({ input: 2, output: 8 });
    expect([before.version, after.version]).toEqual(["genai-prices@0.1.8/openai/o3", "genai-prices@0.1.8/openai/o3@2025-06-10"]);
    expect(found("openai", "o3", cut - 1)).toBe(before);
  });

  test("an announced change waits for its day", () => {
    expect(perMillion(found("gemini", "gemini-3.6-flash", Date.parse("2026-12-31T23:59:59.999Z")).rates)).toMatchObject({ input: 0.75, output: 3.75 });
    expect(perMillion(found("gemini", "gemini-3.6-flash", Date.parse("2027-01-01T00:00:00Z")).rates)).toMatchObject({ input: 1.5, output: 7.5 });
  });

  test("peak hours hold from their first to before their last instant, and never before they were introduced", () => {
    const input = (at: string): number | undefined => perMillion(found("deepseek", "deepseek-v4-flash", Date.parse(at)).rates).input;
    expect(input("2026-08-20T00:59:59.999Z")).toBe(0.22);
    expect(input("2026-08-20T01:00:00Z")).toBe(0.44);
    expect(input("2026-08-20T03:59:59.999Z")).toBe(0.44);
    expect(input("2026-08-20T04:00:00Z")).toBe(0.22);
    expect(input("2026-08-20T06:00:00Z")).toBe(0.44);
    expect(input("2026-08-20T10:00:00Z")).toBe(0.22);
    expect(input("2026-08-16T02:00:00Z")).toBe(0.14);
  });

  test("an off-peak discount over midnight ended with its tariff", () => {
    const input = (at: string): number | undefined => perMillion(found("deepseek", "deepseek-chat", Date.parse(at)).rates).input;
    expect(input("2025-06-01T16:29:59.999Z")).toBe(0.27);
    expect(input("2025-06-01T16:30:00Z")).toBe(0.135);
    expect(input("2025-06-02T00:29:59.999Z")).toBe(0.135);
    expect(input("2025-06-02T00:30:00Z")).toBe(0.27);
    expect(input("2025-09-06T20:00:00Z")).toBe(0.56);
    expect(input("2026-01-01T20:00:00Z")).toBe(0.28);
  });

  test("a remembered answer agrees with a fresh book at any time of any order", () => {
    const remembered = createPriceBook();
    const times = Array.from({ length: 400 }, (_, i) => Date.parse("2026-08-10T00:00:00Z") + ((i * 7919) % 400) * 1_800_000);
    for (const at of times) {
      for (const model of ["deepseek-v4-flash", "deepseek-v4-pro", "deepseek-chat"]) {
        const fresh = createPriceBook({ compiled, supplement });
        expect(remembered.find("deepseek", model, at)?.version).toBe(fresh.find("deepseek", model, at)?.version);
      }
    }
  });
});

describe("unknown models stay unknown", () => {
  test.each([
    ["openai", "gpt-5-nano-2027"],
    ["openai", "gpt-5-nano-2027-13-01"],
    ["openai", "gpt-5-nano-2027-02-30"],
    ["openai", "gpt-5-nano-foo"],
    ["openai", "gpt-4o-mini-2029-01-01"],
    ["openai", "gpt-4o-min"],
    ["openai", "gpt-4o-mini-2024-07-18.ft-abc"],
    ["openai", "ft:gpt-5-mini-2025-08-07:acme::abc"],
    ["openai", "ft:"],
    ["openai", ""],
    ["openai", "__proto__"],
    ["openai", "constructor"],
    ["__proto__", "gpt-4o"],
    ["openai", "x".repeat(10_000)],
    ["gemini", "gemini-2.5-pro-foo"],
    ["gemini", "gemini-1.5-flash-8b"],
    ["anthropic", "claude-sonnet-4-5-preview"],
    ["groq", "gpt-4o"],
    ["ollama", "llama3"],
    ["vllm", "llama3"],
    ["nobody", "gpt-4o"],
    ["gemini", "gemma-3-27b-it"],
  ])("%s/%s", (provider, model) => {
    expect(book.find(provider, model, NOW)).toBeUndefined();
  });

  test("a fine-tuned model has its own price, never that of its base", () => {
    expect(perMillion(found("openai", "ft:gpt-4o-mini-2024-07-18:acme:suffix:abc123").rates)).toEqual({ input: 0.3, cache_read: 0.15, output: 1.2 });
    expect(book.find("openai", "ft:o4-mini-2025-04-16:acme::abc123", NOW)).toBeUndefined();
  });

  test("free is only what says so", () => {
    for (const { models } of Object.values(compiled.providers)) {
      for (const row of models) {
        const zero = row.prices.every((price) => Object.values(price.rates).every((rate) => rate === 0));
        if (zero) expect(row.id.endsWith(":free"), row.id).toBe(true);
      }
    }
  });

  test("names from outside do not grow the memory without bound, and the answers stay right", () => {
    const own = createPriceBook({ compiled, supplement });
    for (let i = 0; i < 20_000; i += 1) expect(own.find("openai", `made-up-${i}`, NOW)).toBeUndefined();
    const remembered = (own as unknown as { prices: Map<string, Map<string, unknown>> }).prices.get("openai");
    expect(remembered?.size).toBeLessThanOrEqual(4_096);
    expect(own.find("openai", "gpt-4o-mini", NOW)?.model).toBe("gpt-4o-mini");
  });
});

describe("precedence", () => {
  const only = (pico: bigint, version: string): Price => ({ version, provider: "openai", model: "gpt-4o", rates: { input: { pico, per: 1n } }, tiers: [] });
  const row = (pico: number): ModelRow => ({ id: "gpt-4o", ids: ["gpt-4o"], window: 7, prices: [{ rates: { input: pico } }] });
  const list: CompiledBook = { source: "compiled@1", providers: { openai: { fallback: [], models: [row(3)] } } };
  const ours: Supplement = {
    version: "1", aliases: [], limits: [],
    prices: [{ provider: "openai", id: "gpt-4o", ids: ["gpt-4o"], source: "test", checkedAt: "2026-01-01", prices: [{ usdPerMillion: { input: "0.000002" } }] }],
  };
  const none: Supplement = { version: "0", prices: [], aliases: [], limits: [] };
  const empty: CompiledBook = { source: "compiled@0", providers: {} };
  const litellmMap = readLitellmMap({ "gpt-4o": { litellm_provider: "openai", input_cost_per_token: 4e-12, max_output_tokens: 99 } });

  test("operator, then supplement, then compiled book, then LiteLLM map", () => {
    const input = (options: Parameters<typeof createPriceBook>[0]): bigint | undefined => createPriceBook(options).find("openai", "gpt-4o", NOW)?.rates.input?.pico;
    expect(input({ custom: [only(1n, "operator/1")], supplement: ours, compiled: list, litellmMap })).toBe(1n);
    expect(input({ supplement: ours, compiled: list, litellmMap })).toBe(2n);
    expect(input({ supplement: none, compiled: list, litellmMap })).toBe(3n);
    expect(input({ supplement: none, compiled: empty, litellmMap })).toBe(4n);
    expect(input({ supplement: none, compiled: empty })).toBeUndefined();
  });

  test("the version names the row, and the book names all its sources", () => {
    expect(found("openai", "gpt-4o-mini").version).toBe("genai-prices@0.1.8/openai/gpt-4o-mini");
    expect(found("azure", "gpt-4o-mini")).toMatchObject({ version: "genai-prices@0.1.8/openai/gpt-4o-mini", provider: "azure" });
    expect(found("mistral", "mistral-large-latest").version).toBe(`supplement@${supplement.version}/mistral/mistral-large-latest@2025-12-02`);
    expect(book.version).toBe(`genai-prices@0.1.8+supplement@${supplement.version}`);
    expect(createPriceBook({ litellmMap }).version).toMatch(/\+litellm@[0-9a-f]{12}$/);
  });

  test("a missing limit is taken from the next source", () => {
    expect(createPriceBook({ supplement: none, compiled: list, litellmMap }).info("openai", "gpt-4o")).toEqual({ maximumOutput: 99, contextWindow: 7 });
  });
});

describe("largest outputs", () => {
  test.each<[string, string, number | undefined, number | undefined]>([
    ["openai", "gpt-4o", 16_384, 128_000],
    ["openai", "gpt-4o-2024-05-13", 4_096, 128_000],
    ["openai", "gpt-4o-mini-2024-07-18", 16_384, 128_000],
    ["openai", "ft:gpt-4o-mini-2024-07-18:acme::x", 16_384, undefined],
    ["openai", "gpt-4.1-mini", 32_768, 1_000_000],
    ["openai", "gpt-5-mini-2025-08-07", 128_000, 400_000],
    ["openai", "gpt-5-chat-latest", 16_384, 400_000],
    ["openai", "o3-2025-04-16", 100_000, 200_000],
    ["azure", "gpt-4.1", 32_768, 1_000_000],
    ["anthropic", "claude-sonnet-4-5-20250929", 64_000, 200_000],
    ["anthropic", "claude-sonnet-4-20250514", 64_000, 200_000],
    ["gemini", "gemini-2.5-pro", 65_536, 1_048_576],
    ["gemini", "gemini-2.0-flash-001", 8_192, 1_000_000],
    ["deepseek", "deepseek-chat", 8_192, 64_000],
  ])("%s/%s", (provider, model, maximumOutput, contextWindow) => {
    expect(book.info(provider, model)).toEqual({ maximumOutput, contextWindow });
  });

  test("an unknown model has none", () => {
    expect(book.info("openai", "nope")).toBeUndefined();
    expect(book.info("nobody", "gpt-4o")).toBeUndefined();
  });
});

describe("the supplement", () => {
  test("every row says where it comes from and when it was checked", () => {
    for (const row of [...supplement.prices, ...supplement.aliases, ...supplement.limits]) {
      expect(row.source.length).toBeGreaterThan(5);
      expect(row.checkedAt).toMatch(/^20\d\d-\d\d-\d\d$/);
      expect(row.checkedAt <= supplement.version).toBe(true);
      expect(BOOK_PROVIDERS).toContain(row.provider);
      expect(row.ids.length).toBeGreaterThan(0);
    }
  });

  test("every alias and every limit leads to a model that has a price", () => {
    for (const { provider, of, ids } of supplement.aliases) for (const id of ids) expect(found(provider, id).model, id).toBe(of);
    const rows = new Set(supplement.prices.map((row) => `${row.provider}/${row.id}`));
    for (const { provider, ids } of supplement.limits) {
      for (const id of ids) {
        const known = rows.has(`${provider}/${id}`) || compiled.providers[provider]?.models.some((row) => row.id === id || row.ids.includes(id));
        expect(known, `${provider}/${id}`).toBe(true);
      }
    }
  });

  test("its prices are decimal text, and schedules are in order", () => {
    for (const row of supplement.prices) {
      const starts = row.prices.map((price) => (price.from === undefined ? -Infinity : Date.parse(price.from)));
      expect([...starts].sort((a, b) => a - b)).toEqual(starts);
      for (const price of row.prices) for (const text of Object.values(price.usdPerMillion)) expect(parseDecimal(text, 6, "exact")).toBeDefined();
    }
  });
});
