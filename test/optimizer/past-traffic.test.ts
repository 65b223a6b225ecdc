import { expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostOptimizer } from "../../src/app/books/cost-optimizer.ts";
import { FINGERPRINT } from "../../src/domain/optimizer/waste.ts";
import { costOf } from "../../src/domain/pricing/cost.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { BOOK, entry, nano, sourceOf, START } from "./month.ts";

const DAY = 86_400_000;
const OCTOBER = { from: "2026-10-01", to: "2026-10-31" } as const;
const SEED = Number(process.env["TOLLGATE_SEED"] ?? 20_261_001);

function optimizerOver(entries: readonly Entry[]): CostOptimizer {
  return new CostOptimizer({ analyzer: new CostAnalyzer({ costs: async () => sourceOf(entries) }, { now: () => START + 40 * DAY }) });
}

/** A month of plain traffic, and what is planted into it. */
function month(planted: readonly Entry[] = []): Entry[] {
  const random = seededRandom(SEED);
  const entries: Entry[] = [];
  for (let i = 0; i < 2_500; i += 1) {
    const model = random() < 0.3 ? "gpt-4o" : "gpt-4o-mini";
    entries.push(entry(START + Math.floor(random() * 30 * DAY), model, { input: 50 + Math.floor(random() * 3_000), output: 1 + Math.floor(random() * 800) }));
  }
  return [...entries, ...planted];
}

test(`another model's what-if is the sum of every entry's own usage at that model's price, and before is the ledger's sum (seed ${SEED})`, async () => {
  const failed = entry(START + DAY, "gpt-4o", { input: 10, output: 1 }, { lines: null, estimated: "cut_short", status: "cut_short", cost: "5000000" });
  const entries = month([failed]);
  const result = await optimizerOver(entries).whatIf({ ...OCTOBER, model: "openai/gpt-4o-mini" });
  const before = entries.reduce((sum, one) => sum + BigInt(one.cost), 0n);
  let after = 0n;
  for (const one of entries) {
    const cost = one === failed ? { nanoUsd: 5_000_000n } : costOf(BOOK.find("openai", "gpt-4o-mini", one.at)!, [{ dimension: "input", quantity: one.inputTokens }, { dimension: "output", quantity: one.outputTokens }]);
    after += "nanoUsd" in cost ? cost.nanoUsd : 0n;
  }
  expect([nano(result.beforeExact), nano(result.afterExact), nano(result.savedExact)]).toEqual([before, after, before - after]);
  expect(result.notPriced).toEqual([{ reason: "estimated: cut_short", requests: 1, cost: 0.005, costExact: "0.005" }]);
  expect(result.byModel.reduce((sum, row) => sum + nano(row.afterExact), 0n)).toBe(after);
  expect(result.byModel.find(({ model }) => model === "gpt-4o-mini")?.savedExact).toBe("0");
});

test("caching without a share rests on the cached share that each model has shown; a model that showed none keeps its cost", async () => {
  const cached = Array.from({ length: 10 }, (_, i) => entry(START + i, "gpt-4o", { input: 500, cache_read: 500, output: 10 }));
  const plain = Array.from({ length: 10 }, (_, i) => entry(START + i, "gpt-4o-mini", { input: 1_000, output: 10 }));
  const result = await optimizerOver([...cached, ...plain]).whatIf({ ...OCTOBER, caching: true });
  // Half of gpt-4o's 500 plain tokens at half their price of $2.50 per million: 250 x $1.25.
  expect(nano(result.savedExact)).toBe(10n * 312_500n);
  expect(result.notPriced).toEqual([expect.objectContaining({ reason: "no evidence of what a cache would have held", requests: 10 })]);
  expect(result.evidence).toEqual({
    cachedInput: [{ model: "gpt-4o", inputTokens: 10_000, cachedTokens: 5_000, share: 0.5 }, { model: "gpt-4o-mini", inputTokens: 10_000, cachedTokens: 0, share: 0 }],
    repeatedPrompts: { known: false, reason: expect.stringContaining("fingerprint") as string },
  });
  const printed = plain.map((one, i) => ({ ...one, metadata: JSON.stringify({ [FINGERPRINT]: i < 4 ? "same" : `p${i}` }) }));
  expect((await optimizerOver(printed).whatIf({ ...OCTOBER, caching: { share: 0.5 } })).evidence?.repeatedPrompts).toMatchObject({ known: true, requests: 3, fingerprinted: 10 });
  expect((await optimizerOver(plain).whatIf({ ...OCTOBER, batch: { payShare: 0.5 } })).evidence).toBeUndefined();
  const said = await optimizerOver(plain).whatIf({ ...OCTOBER, caching: { share: 0.5 } });
  expect(nano(said.savedExact)).toBe(10n * 37_500n);
});

test("batches are priced at the share that you say; one supposition at a time; shares outside 0 to 1 are refused", async () => {
  const entries = month();
  const before = entries.reduce((sum, one) => sum + BigInt(one.cost), 0n);
  const result = await optimizerOver(entries).whatIf({ ...OCTOBER, batch: { payShare: 0 } });
  expect([nano(result.beforeExact), nano(result.afterExact)]).toEqual([before, 0n]);
  for (const wrong of [{}, { model: "openai/gpt-4o", caching: true as const }, { batch: { payShare: 1.5 } }, { caching: { share: -0.1 } }]) {
    await expect(optimizerOver(entries).whatIf({ ...OCTOBER, ...wrong })).rejects.toMatchObject({ code: "invalid_request" });
  }
  await expect(optimizerOver(entries).whatIf({ ...OCTOBER, model: "nobody/knows" })).rejects.toMatchObject({ code: "unknown_model" });
});

test(`waste finds what was planted in a month, and in a plain month nothing (seed ${SEED})`, async () => {
  const plain = await optimizerOver(month()).waste(OCTOBER);
  expect(plain).toMatchObject({ failedCalls: { requests: 0, costExact: "0" }, retries: { requests: 0 }, clientsThatLeft: { requests: 0 }, repeatedPrompts: { known: false } });
  const failed = entry(START + 1, "gpt-4o", { input: 100, output: 10 }, { status: "cut_short", cost: "7000001" });
  const first = entry(START + 2, "gpt-4o", { input: 100, output: 10 }, { status: "timeout", cost: "11" });
  const second = { ...entry(START + 2, "gpt-4o", { input: 100, output: 10 }, { try: 2 }) };
  const free = entry(START + 3, "gpt-4o", { input: 100, output: 10 }, { status: "upstream_error", cost: "0" });
  const left = entry(START + 4, "gpt-4o-mini", { input: 100, output: 10 }, { status: "client_gone", cost: "13" });
  const prompt = JSON.stringify({ [FINGERPRINT]: "same" });
  const repeats = [0, 1, 2].map((i) => entry(START + 10 + i, "gpt-4o-mini", { input: 1_000, output: 100 }, { metadata: prompt }));
  const found = await optimizerOver(month([failed, first, second, free, left, ...repeats])).waste(OCTOBER);
  expect(found.failedCalls).toMatchObject({ requests: 2, costExact: "0.007000012", byStatus: [{ status: "cut_short", requests: 1 }, { status: "timeout", requests: 1 }] });
  expect(found.retries).toMatchObject({ requests: 1, costExact: "0.000000011" });
  expect(found.clientsThatLeft).toMatchObject({ requests: 1, costExact: "0.000000013" });
  expect(found.repeatedPrompts).toMatchObject({ known: true, requests: 2, fingerprinted: 3, complete: true, costExact: "0.00042" });
  expect(found.unusedHolds.every(({ usedShare }) => usedShare !== null && usedShare < 0.3)).toBe(true);
});
