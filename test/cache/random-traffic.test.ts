import { expect, test } from "vitest";
import { MemoryCache } from "../../src/adapters/cache/memory/memory-cache.ts";
import { parse } from "../../src/money.ts";
import { HELLO, MODEL, sdkUnderTest } from "../sdk/instance.ts";
import { seededRandom } from "../support/seeded-random.ts";

/** `SEED=n` replays. */
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

test("GATE 5.8: calls at random, plain and streamed, some of which fail: the ledger costs what the provider bills, each hit saves what its answer cost, and every call has its entries", async () => {
  const random = seededRandom(SEED);
  const pick = (n: number): number => Math.floor(random() * n);
  const { tollgate, provider, entries, spent, stop } = await sdkUnderTest({
    cache: new MemoryCache({ maxEntries: 4 }),
    defaults: { maxRetries: 1 },
    provider: { seed: SEED % 10_000, behaviour: (_request, chance) => (chance() < 0.15 ? { status: 400 } : chance() < 0.1 ? { status: 503, headers: { "retry-after-ms": "1" } } : { headDelayMs: Math.floor(chance() * 8) }) },
  });
  /** What each answer cost, by its id. */
  const bought = new Map<string, bigint>();
  const hits: { id: string; saved: bigint }[] = [];
  let failed = 0;
  const one = async (): Promise<void> => {
    const ask = { model: MODEL, messages: HELLO, max_tokens: 60, seed: pick(6), stream: random() < 0.3 } as const;
    const cache = random() < 0.1 ? false : { read: random() > 0.1, write: random() > 0.1, share: random() > 0.2 };
    try {
      const answered = await tollgate.completion({ ...ask, cache });
      const answer = "finalResponse" in answered ? await answered.finalResponse() : answered;
      const { total, saved } = answer.cost;
      if (saved === undefined) bought.set(answer.id, parse(total));
      else hits.push({ id: answer.id, saved: parse(saved) });
    } catch {
      failed += 1;
    }
  };
  for (let round = 0; round < 12; round += 1) await Promise.all(Array.from({ length: 1 + pick(20) }, one));
  await tollgate.flush();
  expect(hits.length, `SEED=${SEED}`).toBeGreaterThan(10);
  expect(failed + bought.size, `SEED=${SEED}`).toBeGreaterThan(10);
  for (const { id, saved } of hits) expect(saved, `SEED=${SEED} ${id}`).toBe(bought.get(id));
  expect(spent(), `SEED=${SEED}`).toBe(provider.bill().totalNanoUsd);
  expect(entries.filter((entry) => entry.status === "cached"), `SEED=${SEED}`).toHaveLength(hits.length);
  expect(entries.filter((entry) => entry.status !== "cached"), `SEED=${SEED}`).toHaveLength(provider.requests.length);
  expect(new Set(entries.map((entry) => entry.id)).size).toBe(entries.length);
  await stop();
}, 30_000);
