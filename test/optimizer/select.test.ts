import fc from "fast-check";
import { expect, test } from "vitest";
import { CostOptimizer } from "../../src/app/books/cost-optimizer.ts";
import { costOfTokens, holdOfTokens } from "../../src/domain/optimizer/candidate.ts";
import { BOOK, nano } from "./month.ts";

const NOW = Date.parse("2026-11-24T00:00:00Z");
const MODELS = ["openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"];
const optimizer = (options = {}): CostOptimizer => new CostOptimizer({ models: MODELS, now: () => NOW, ...options });
const failure = (code: string): object => expect.objectContaining({ code }) as object;

test("an estimate is exact to the nano-dollar, and a model without a price is an error, never Infinity or zero", async () => {
  expect(await optimizer().estimateCost({ model: "openai/gpt-4o-mini", inputTokens: 9, outputTokens: 12 })).toEqual({ model: "openai/gpt-4o-mini", cost: 0.00000855, costExact: "0.00000855" });
  await expect(optimizer().estimateCost({ model: "openai/none-such", inputTokens: 1, outputTokens: 1 })).rejects.toEqual(failure("unpriced"));
  await expect(optimizer().estimateCost({ model: "none-such", inputTokens: 1, outputTokens: 1 })).rejects.toEqual(failure("unknown_model"));
  await expect(optimizer().estimateCost({ model: "openai/gpt-4o", inputTokens: -1, outputTokens: 1 })).rejects.toEqual(failure("invalid_request"));
});

test("the model chosen is the cheapest of all that fit, and nothing above the budget is ever chosen", async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 0, max: 2_000_000_000 }), async (inputTokens, maxOutputTokens, budgetNano) => {
    const budget = `${budgetNano / 1e9 < 1e-6 ? "0" : (budgetNano / 1e9).toFixed(9)}`;
    const cap = nano(budget);
    const costs = MODELS.map((name) => {
      const [provider = "", model = ""] = name.split("/");
      return { name, cost: costOfTokens(BOOK.find(provider, model, NOW), inputTokens, maxOutputTokens) as bigint };
    }).filter(({ cost }) => cost <= cap).sort((a, b) => (a.cost !== b.cost ? (a.cost < b.cost ? -1 : 1) : a.name < b.name ? -1 : 1));
    const answer = optimizer().selectBestModel({ inputTokens, maxOutputTokens, budget });
    if (costs.length === 0) await expect(answer).rejects.toEqual(failure("no_model_fits"));
    else expect([(await answer).model, nano((await answer).estimatedCostExact)]).toEqual([costs[0]?.name, costs[0]?.cost]);
  }));
});

test("nothing fits: every model is told with what it lacks, and there is no fallback", async () => {
  const scored = optimizer({ scores: { "openai/gpt-4o": 0.9, "openai/gpt-4o-mini": 0.5 } });
  const error = await scored.selectBestModel({ inputTokens: 1_000, maxOutputTokens: 1_000, budget: 0.001, minQuality: 0.8 }).catch((caught: unknown) => caught) as { code: string; details: { reasons: string[] } };
  expect(error.code).toBe("no_model_fits");
  expect(error.details.reasons).toEqual(expect.arrayContaining([
    "openai/gpt-4o needs $0.0125, $0.0115 more than the budget.",
    "openai/gpt-4o-mini has quality 0.500 (own score), below 0.8.",
    expect.stringMatching(/^gemini\/gemini-2.5-flash .*has no score and no recorded outcomes\.$/) as string,
  ]));
});

test("without models the whole price list is compared: nothing cheaper is overlooked, nothing is free, and no prompt goes to a model that nobody named", async () => {
  const open = new CostOptimizer({ now: () => NOW });
  const { model, estimatedCostExact, alternatives } = await open.selectBestModel({ inputTokens: 1_000, maxOutputTokens: 1_000 });
  const costs = [estimatedCostExact, ...alternatives.map((one) => one.estimatedCostExact)].map(nano);
  expect(alternatives.length).toBeGreaterThan(1_000);
  expect(costs.every((cost, index) => cost > 0n && cost >= (costs[index - 1] ?? 0n))).toBe(true);
  expect((await optimizer({ models: [model, ...MODELS] }).selectBestModel({ inputTokens: 1_000, maxOutputTokens: 1_000 })).model).toBe(model);
  expect((await open.selectBestModel({ inputTokens: 1_000, requires: { providers: ["openai"] } })).model).toMatch(/^openai\//);
  const scored = new CostOptimizer({ now: () => NOW, scores: { "openai/gpt-4o": 0.95, "openai/gpt-4o-mini": 0.8 } });
  expect(await scored.selectBestModel({ inputTokens: 1_000, minQuality: 0.7 })).toMatchObject({ model: "openai/gpt-4o-mini", alternatives: [{ model: "openai/gpt-4o" }] });
  await expect(open.optimizeRequest({ messages: [{ role: "user", content: "x" }] })).rejects.toEqual(failure("invalid_request"));
});

test("quality is your own score or ten recorded outcomes at least, as their lower bound; never a guess from the name", async () => {
  const measured = optimizer();
  await expect(measured.selectBestModel({ task: "summary", inputTokens: 1, minQuality: 0.1 })).rejects.toEqual(failure("no_model_fits"));
  for (let i = 0; i < 9; i += 1) measured.recordOutcome({ model: "openai/gpt-4o", task: "summary", good: true });
  await expect(measured.selectBestModel({ task: "summary", inputTokens: 1, minQuality: 0.1 })).rejects.toEqual(failure("no_model_fits"));
  measured.recordOutcome({ model: "openai/gpt-4o", task: "summary", good: true });
  const chosen = await measured.selectBestModel({ task: "summary", inputTokens: 1, minQuality: 0.7 });
  expect(chosen).toMatchObject({ model: "openai/gpt-4o", qualityFrom: "measured" });
  expect(chosen.quality).toBeGreaterThan(0.7);
  expect(chosen.quality).toBeLessThan(0.9);
  expect(() => optimizer({ scores: { "openai/gpt-4o": 1.2 } })).toThrow(failure("invalid_request") as Error);
  expect(() => measured.recordOutcome({ model: "openai/gpt-4o", good: Number.NaN })).toThrow(failure("invalid_request") as Error);
});

test("what is required must be known: abilities you stated, windows and outputs the book knows, providers you named", async () => {
  await expect(optimizer().selectBestModel({ inputTokens: 1, requires: { abilities: ["vision"] } })).rejects.toEqual(failure("no_model_fits"));
  const seeing = optimizer({ abilities: { "openai/gpt-4o": ["vision", "tools"] } });
  expect((await seeing.selectBestModel({ inputTokens: 1, requires: { abilities: ["vision"] } })).model).toBe("openai/gpt-4o");
  expect((await optimizer().selectBestModel({ inputTokens: 1, requires: { providers: ["anthropic"] } })).model).toBe("anthropic/claude-sonnet-4-5");
  const { rejected } = await optimizer().selectBestModel({ inputTokens: 500_000, maxOutputTokens: 10 });
  expect(rejected.find(({ model }) => model === "openai/gpt-4o")?.reasons).toEqual(["has a window of 128000 tokens, and 500010 are needed"]);
  expect(holdOfTokens(BOOK.find("openai", "gpt-4o-mini", NOW), 10, 10)).toBeGreaterThanOrEqual(costOfTokens(BOOK.find("openai", "gpt-4o-mini", NOW), 10, 10) as bigint);
});
