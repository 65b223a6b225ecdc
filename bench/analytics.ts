import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LedgerWriter } from "../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../src/adapters/stores/sqlite/schema.ts";
import { CostAnalyzer } from "../src/app/books/cost-analyzer.ts";
import { ulidTime } from "../src/base/ids.ts";
import type { Entry } from "../src/domain/ledger/entry.ts";

/**
 * `npm run bench:analytics [rows]`: writes a ledger of ninety days (300 users, 24 keys, 12 tags, 8 models), then times each
 * analysis over all of it. Every run reads the file anew through one connection, in Kathmandu's calendar.
 */
const ROWS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 1_000;
const RUNS = 20;
const END = Date.UTC(2026, 10, 24, 13, 7);
const STEP_MS = (90 * 86_400_000) / ROWS;

const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-analytics-"));
const path = join(folder, "ledger.db");
let seed = 7;
const random = (below: number): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor((seed / 2_147_483_648) * below);
};
/** Few are busy: the square of a uniform number. */
const skewed = (below: number): number => Math.floor((random(1_000) / 1_000) ** 2 * below);

function entry(index: number): Entry {
  const at = Math.floor(END - (ROWS - index) * STEP_MS);
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  const key = `01JDBENCHKEY${String(skewed(24)).padStart(14, "0")}`;
  const model = `model-${skewed(8)}`;
  const cost = String(100_000 + random(9_000_000));
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: `global,key:${key},deployment:${model}`, keyId: key, teamId: null, userId: null, customer: `user-${skewed(300)}`,
    model, provider: index % 3 === 0 ? "anthropic" : "openai", upstreamModel: model, deployment: model, route: "chat_completions", stream: false, tags: JSON.stringify([`tag-${skewed(12)}`]), metadata: null, held: cost, cost, overage: "0",
    estimated: null, status: random(50) === 0 ? "upstream_error" : "ok", httpStatus: 200, lines: null, priceVersion: "bench", unpriced: false, inputTokens: random(2_000), outputTokens: random(900), cachedTokens: 0,
    answeredModel: null, responseId: null, rawUsage: null, durationMs: 900,
  } as unknown as Entry;
}

try {
  const database = openForWriting(path);
  const writer = new LedgerWriter(database);
  const began = performance.now();
  for (let first = 0; first < ROWS; first += BATCH) {
    writer.write([{ entries: Array.from({ length: Math.min(BATCH, ROWS - first) }, (_, i) => entry(first + i)), balances: [], lastSequence: first + 1 }]);
  }
  const seconds = (performance.now() - began) / 1_000;
  console.log(`wrote ${ROWS} rows in ${seconds.toFixed(1)} s: ${Math.round(ROWS / seconds)} rows/s`);
  database.close();
  const analyzer = new CostAnalyzer(path, { timeZone: "Asia/Kathmandu", now: () => END });
  const all = { days: 91 };
  const analyses: Record<string, () => Promise<unknown>> = {
    totalCost: () => analyzer.totalCost(all), costByModel: () => analyzer.costByModel(all), costByProvider: () => analyzer.costByProvider(all), costByUser: () => analyzer.costByUser(all),
    costByTag: () => analyzer.costByTag(all), costByKey: () => analyzer.costByKey(all), dailyCosts: () => analyzer.dailyCosts(all), hourlyCosts: () => analyzer.hourlyCosts(all),
    costEfficiency: () => analyzer.costEfficiency(all), compare: () => analyzer.compare({ days: 45 }), "one user's total": () => analyzer.totalCost({ ...all, filter: { user: "user-1" } }),
    "one model's days": () => analyzer.dailyCosts({ ...all, filter: { model: "model-1" } }), "one user's models": () => analyzer.costByModel({ ...all, filter: { user: "user-1" } }),
  };
  for (const [name, run] of Object.entries(analyses)) {
    const times: number[] = [];
    for (let i = 0; i < RUNS; i += 1) {
      const start = performance.now();
      await run();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    console.log(`${name.padEnd(20)} median ${(times[RUNS / 2] ?? 0).toFixed(1).padStart(7)} ms   p95 ${(times[Math.ceil(RUNS * 0.95) - 1] ?? 0).toFixed(1).padStart(7)} ms`);
  }
  await analyzer.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
