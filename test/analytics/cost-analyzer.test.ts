import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { periodSpan, type Period } from "../../src/domain/analytics/period.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";

let folder: string;
let path: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-analyzer-")); path = join(folder, "ledger.db"); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.parse("2026-11-02T15:30:00Z");

test.each([[{ path: "costs.db" }], [{}], [7], [null]])("what keeps no books is refused with what to give instead: %j", (of) => {
  expect(() => new CostAnalyzer(of as never)).toThrow(expect.objectContaining({ code: "config_invalid", message: expect.stringContaining("CostTracker") }));
});

/** One entry a line: instant, user, tags, model, nano-dollars. */
const SCENARIO = `
2026-10-31T23:00:00Z ann a   m 1000000001
2026-11-01T03:59:59Z bob a,b m 2000000002
2026-11-01T05:30:00Z ann -   n 3
2026-11-01T06:30:00Z -   b   n 9007199254740993
2026-11-02T04:59:59Z bob -   m 50
2026-11-02T05:00:00Z ann a   m 700
`.trim().split("\n").map((line, i): Entry => {
  const [instant = "", user = "", tags = "", model = "", cost = ""] = line.trim().split(/\s+/);
  const at = Date.parse(instant);
  const requestId = `${ulidTime(at)}${String(i).padStart(16, "0")}`;
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: "global", keyId: null, teamId: null, userId: null, customer: user === "-" ? null : user, model, provider: "p", upstreamModel: model,
    deployment: "d", route: "chat", stream: false, tags: tags === "-" ? null : JSON.stringify(tags.split(",")), metadata: null, held: "0", cost, overage: "0", estimated: null, status: "ok", httpStatus: 200, lines: null, priceVersion: "v",
    unpriced: false, inputTokens: 100, outputTokens: 50, cachedTokens: 25, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5,
  } as unknown as Entry;
});

function analyzer(): CostAnalyzer {
  const database = openForWriting(path);
  new LedgerWriter(database).write([{ entries: SCENARIO, balances: [], lastSequence: 1 }]);
  database.close();
  return new CostAnalyzer(folder, { timeZone: "America/New_York", now: () => NOW });
}

test("days are the local calendar's, 25 hours where clocks fall back, and the hour that comes twice has two names", async () => {
  const costs = analyzer();
  // New York: midnight is 04:00Z on 1 November and 05:00Z on the 2nd.
  expect((await costs.dailyCosts({ days: 3 })).map((day) => [day.date, day.costExact])).toEqual([["2026-10-31", "3.000000003"], ["2026-11-01", "9007199.254741046"], ["2026-11-02", "0.0000007"]]);
  const hours = await costs.hourlyCosts({ from: "2026-11-01", to: "2026-11-01" });
  expect(hours.length).toBe(25);
  expect(hours.filter((hour) => hour.requests > 0).map((hour) => hour.hour)).toEqual(["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T23:00-05:00"]);
  await costs.close();
});

test("breakdowns agree with the total to the nano-dollar; the unnamed are shown as such, several tags count under each", async () => {
  const costs = analyzer();
  const nano = (rows: readonly { costExact: string }[]): bigint => rows.reduce((sum, row) => sum + BigInt(row.costExact.replace(/^(\d+)\.?(\d*)$/, (_, whole: string, rest: string) => whole + rest.padEnd(9, "0"))), 0n);
  const total = await costs.total({ days: 7 });
  for (const rows of [await costs.costByModel({ days: 7 }), await costs.costByUser({ days: 7 }), await costs.costByKey({ days: 7 }), await costs.costByProvider({ days: 7 }), await costs.dailyCosts({ days: 7 })]) expect(nano(rows)).toBe(nano([total]));
  expect(await costs.costByUser({ days: 7 })).toMatchObject([{ user: null, label: "(none)", costExact: "9007199.254740993" }, { user: "bob" }, { user: "ann", costExact: "1.000000704" }]);
  expect((await costs.costByTag({ days: 7 })).map((row) => [row.tag, row.costExact])).toEqual([["b", "9007201.254740995"], ["a", "3.000000703"], [null, "0.000000053"]]);
  expect(await costs.costByUser({ days: 7, limit: 1 })).toHaveLength(1);
  expect((await costs.costEfficiency({ days: 1 }))[0]).toMatchObject({ tokensPerRequest: 150, cachedShare: 0.25 });
  await costs.close();
});

test("a comparison holds today against the same part of yesterday", async () => {
  const costs = analyzer();
  expect(await costs.compare({ days: 1 })).toMatchObject({ current: { costExact: "0.0000007" }, previous: { costExact: "9007199.254741046" }, previousToDate: { costExact: "9007199.254740996" }, changeExact: "-9007199.254740296" });
  await costs.close();
});

const EAST = { timeZone: "America/New_York", weekStart: 1 } as const;
test.each<[Period, string, string]>([
  [{}, "2026-10-04T04:00:00.000Z", "2026-11-03T05:00:00.000Z"],
  [{ days: 1 }, "2026-11-02T05:00:00.000Z", "2026-11-03T05:00:00.000Z"],
  [{ days: 2 }, "2026-11-01T04:00:00.000Z", "2026-11-03T05:00:00.000Z"],
  [{ weeks: 1 }, "2026-11-02T05:00:00.000Z", "2026-11-09T05:00:00.000Z"],
  [{ weeks: 2 }, "2026-10-26T04:00:00.000Z", "2026-11-09T05:00:00.000Z"],
  [{ months: 2 }, "2026-10-01T04:00:00.000Z", "2026-12-01T05:00:00.000Z"],
  [{ rollingDays: 2 }, "2026-10-31T15:30:00.000Z", "2026-11-02T15:30:00.000Z"],
  [{ rollingHours: 1 }, "2026-11-02T14:30:00.000Z", "2026-11-02T15:30:00.000Z"],
  [{ from: "2026-11-01", to: "2026-11-01" }, "2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z"],
  [{ from: "2026-11-01T00:00:00Z" }, "2026-11-01T00:00:00.000Z", "2026-11-02T15:30:00.000Z"],
])("the period %o begins and ends where its name says", (period, from, to) => {
  const span = periodSpan(period, NOW, EAST);
  expect([new Date(span.from).toISOString(), new Date(span.to).toISOString()]).toEqual([from, to]);
});

test.each<Period>([{ days: 0 }, { days: 1.5 }, { weeks: -1 }, { days: 1, months: 1 }, { days: 1, from: "2026-11-01" }, { from: "2026-02-30" }, { from: "soon" }, { from: "2026-11-01T09:00" }, { from: "2026-11-02", to: "2026-10-01" }])("the period %o is refused with a sentence", (period) => {
  expect(() => periodSpan(period, NOW, EAST)).toThrowError(expect.objectContaining({ code: "invalid_request" }));
});

test("a missing file, a file that is no ledger's and a wrong zone have stable codes", async () => {
  await expect(new CostAnalyzer(join(folder, "none.db")).totalCost()).rejects.toMatchObject({ code: "not_found" });
  analyzer();
  await expect(new CostAnalyzer(path, { timeZone: "Mars/Base" }).totalCost()).rejects.toMatchObject({ code: "invalid_time_zone" });
});
