import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CostAnalyzer } from "../src/app/books/cost-analyzer.ts";
import { END, writeQuarter } from "./quarter.ts";

/**
 * `npm run bench:analytics [rows]`: writes a ledger of ninety days (300 users, 24 keys, 12 tags, 8 models), then times each
 * analysis over all of it. Every run reads the file anew through one connection, in Kathmandu's calendar. Exit 1 if an
 * analysis is above the limit at the 95th percentile.
 */
const ROWS = Number(process.argv[2] ?? 1_000_000);
const RUNS = 20;
const P95_LIMIT_MS = 50;

const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-analytics-"));
const path = join(folder, "ledger.db");

try {
  console.log(`wrote ${ROWS} rows: ${Math.round(writeQuarter(path, ROWS))} rows/s`);
  const analyzer = new CostAnalyzer(path, { timeZone: "Asia/Kathmandu", now: () => END });
  const all = { days: 91 };
  const analyses: Record<string, () => Promise<unknown>> = {
    totalCost: () => analyzer.totalCost(all), costByModel: () => analyzer.costByModel(all), costByProvider: () => analyzer.costByProvider(all), costByUser: () => analyzer.costByUser(all),
    costByTag: () => analyzer.costByTag(all), costByKey: () => analyzer.costByKey(all), dailyCosts: () => analyzer.dailyCosts(all), hourlyCosts: () => analyzer.hourlyCosts(all),
    costEfficiency: () => analyzer.costEfficiency(all), compare: () => analyzer.compare({ days: 45 }), "one user's total": () => analyzer.totalCost({ ...all, filter: { user: "user-1" } }),
    "one model's days": () => analyzer.dailyCosts({ ...all, filter: { model: "model-1" } }), "one user's models": () => analyzer.costByModel({ ...all, filter: { user: "user-1" } }),
  };
  let slow = 0;
  for (const [name, run] of Object.entries(analyses)) {
    const times: number[] = [];
    const cpu = process.cpuUsage();
    for (let i = 0; i < RUNS; i += 1) {
      const start = performance.now();
      await run();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const { user, system } = process.cpuUsage(cpu);
    const p95 = times[Math.ceil(RUNS * 0.95) - 1] ?? 0;
    if (p95 > P95_LIMIT_MS) slow += 1;
    console.log(`${name.padEnd(20)} median ${(times[RUNS / 2] ?? 0).toFixed(1).padStart(7)} ms   p95 ${p95.toFixed(1).padStart(7)} ms   CPU ${((user + system) / 1_000 / RUNS).toFixed(1).padStart(6)} ms${p95 > P95_LIMIT_MS ? "   above the limit" : ""}`);
  }
  console.log(slow === 0 ? `each analysis over ${ROWS} rows: p95 <= ${P95_LIMIT_MS} ms` : `${slow} analyses over ${ROWS} rows: p95 above ${P95_LIMIT_MS} ms`);
  process.exitCode = slow === 0 ? 0 : 1;
  await analyzer.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
