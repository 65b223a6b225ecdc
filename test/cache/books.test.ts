import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryCache } from "../../src/adapters/cache/memory/memory-cache.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostMonitor } from "../../src/app/books/cost-monitor.ts";
import { CostTracker } from "../../src/app/books/cost-tracker.ts";
import { exportCosts } from "../../src/app/books/export-costs.ts";
import { reportCosts } from "../../src/app/cli/report.ts";
import { createTollgate } from "../../src/app/sdk.ts";
import { runCli } from "../support/run-cli.ts";

let folder: string;
let path: string;
let tracker: CostTracker;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-cache-books-"));
  path = join(folder, "ledger.db");
  tracker = new CostTracker({ path, cache: new MemoryCache() });
});
afterEach(async () => {
  await tracker.close();
  rmSync(folder, { recursive: true, force: true });
});

const MODEL = "openai/gpt-4o-mini";
/** 10 tokens in, 20 out: $0.0000135. */
const CALL = { model: MODEL, messages: [{ role: "user" as const, content: "Hello" }], mockResponse: "Hi" };
const COST = "0.0000135";

/** One answer bought and given three times more, to two users. */
async function fourCalls(): Promise<void> {
  for (const user of ["ann", "bob", "ann", "bob"]) await tracker.completion({ ...CALL, user, tags: ["search"] });
}

test("GATE 5.8: in a ledger's file the answers cost what one of them did, and every page that adds up says what was saved; the audit agrees", async () => {
  await fourCalls();
  const { entries } = await tracker.query({ order: "oldest" });
  expect(entries.map(({ user, costExact, saved, status, inputTokens, outputTokens, lines }) => [user, costExact, saved, status, inputTokens + outputTokens, lines.length])).toEqual([
    ["ann", COST, null, "ok", 30, 2], ["bob", "0", COST, "cached", 0, 0], ["ann", "0", COST, "cached", 0, 0], ["bob", "0", COST, "cached", 0, 0],
  ]);
  const analyzer = new CostAnalyzer(tracker);
  expect(await analyzer.total()).toMatchObject({ costExact: COST, requests: 4, failedRequests: 0, cacheHits: 3, saved: 0.0000405, savedExact: "0.0000405", totalTokens: 30 });
  expect(await analyzer.costByUser()).toMatchObject([{ user: "ann", costExact: COST, cacheHits: 1, savedExact: COST }, { user: "bob", costExact: "0", cacheHits: 2, savedExact: "0.000027" }]);
  expect(await analyzer.costEfficiency()).toMatchObject([{ id: MODEL, tokensPerRequest: 30, cacheHits: 3, savedExact: "0.0000405" }]);
  await tracker.close();
  const reader = openSqliteReader(path);
  expect(reader.audit()).toMatchObject({ agree: true, entries: 4, totalNanoUsd: "13500" });
  reader.close();
});

test("exports have the saved amount of each, exact, and nothing where nothing was saved", async () => {
  await fourCalls();
  await tracker.close();
  const columns = ["cost_usd", "saved_usd", "status"];
  const export_ = async (name: string): Promise<string> => {
    await exportCosts(path, { path: join(folder, name), columns });
    return readFileSync(join(folder, name), "utf8");
  };
  expect((await export_("c.csv")).split("\r\n")).toEqual(expect.arrayContaining(["cost_usd,saved_usd,status", `${COST},,ok`, `0,${COST},cached`]));
  expect((await export_("c.jsonl")).split("\n")).toEqual(expect.arrayContaining([`{"cost_usd":${COST},"saved_usd":null,"status":"ok"}`, `{"cost_usd":0,"saved_usd":${COST},"status":"cached"}`]));
  await export_("c.parquet");
  const file = readFileSync(join(folder, "c.parquet"));
  const rows = await parquetReadObjects({ file: file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer });
  expect(rows.map((row) => row["saved_usd"] == null ? -1 : Math.round(Number(row["saved_usd"]) * 1e9)).toSorted((a, b) => a - b)).toEqual([-1, 13_500, 13_500, 13_500]);
});

test("tollgate report, as a table and as JSON, and the report of a monitor say it", async () => {
  await fourCalls();
  const report = await new CostMonitor(new CostAnalyzer(tracker)).generateReport({ format: "markdown" });
  expect(report).toContain("3 of 4 requests were answered from a cache, which saved $0.0000405.");
  await tracker.close();
  let text = "";
  await reportCosts({ data: path, by: "model" }, { isTerminal: true, colour: false, columns: 100, rows: 40, out: (part) => { text += part; }, remark: () => {} });
  expect(text).toContain("3 of the 4 requests were answered from a cache, which saved $0.0000405.");
  const json = await runCli(["report", "--data", path, "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ total: { cost_usd: COST, requests: 4, cache_hits: 3, saved_usd: "0.0000405" } });
});

test("a hit that another instance had is logged once, as what it was", async () => {
  const elsewhere = createTollgate({ cache: new MemoryCache() });
  await elsewhere.completion(CALL);
  const hit = await elsewhere.completion(CALL);
  expect([await tracker.logCost(hit, { user: "ann" }), await tracker.logCost(hit, { user: "ann" })]).toMatchObject([{ posted: true, total: "0", saved: COST }, { posted: false }]);
  expect((await tracker.query()).entries).toMatchObject([{ costExact: "0", saved: COST, status: "cached", inputTokens: 0, estimated: null, unpriced: false }]);
  await expect(tracker.logCost({ ...hit, cost: { ...hit.cost, callId: "01M87Z1EAZ5QQC53M55HKEN5ZG", saved: "-1" } })).rejects.toMatchObject({ code: "invalid_amount" });
  await elsewhere.close();
});

test("a user whose budget is spent still gets what is kept, and nothing else", async () => {
  const tollgate = createTollgate({ tracker, cache: new MemoryCache(), budgets: [{ user: "*", maxBudget: "0.00003" }] });
  await tollgate.completion({ ...CALL, user: "ann", max_tokens: 20 });
  expect((await tollgate.completion({ ...CALL, user: "ann", max_tokens: 20 })).cost).toMatchObject({ total: "0", saved: COST });
  await expect(tollgate.completion({ ...CALL, user: "ann", max_tokens: 20, temperature: 0 })).rejects.toMatchObject({ code: "budget_exceeded", scope: "customer" });
  await tollgate.close();
});

test("a tracker that makes no calls of its own takes no cache", () => {
  expect(() => new CostTracker({ tollgate: createTollgate(), cache: new MemoryCache() })).toThrow(expect.objectContaining({ code: "config_invalid", param: "cache" }) as Error);
  expect(() => new CostTracker({ path, cache: 5 as never })).toThrow(expect.objectContaining({ code: "invalid_request", param: "cache" }) as Error);
});
