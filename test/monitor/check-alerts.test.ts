import { afterEach, beforeEach, expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostMonitor, type CostMonitorOptions } from "../../src/app/books/cost-monitor.ts";
import { TestLedger, usd } from "./ledger.ts";

let ledger: TestLedger;
beforeEach(() => { ledger = new TestLedger(); });
afterEach(() => ledger.remove());

const NOW = Date.parse("2026-11-24T15:30:00Z");
const monitor = (options: CostMonitorOptions, now = NOW): CostMonitor => new CostMonitor(new CostAnalyzer(ledger.folder, { now: () => now }), options);
const QUIET = { thresholds: {}, anomalies: false, unpriced: false } as const;

test("a threshold is reached at the very nano-dollar, and not one before", async () => {
  ledger.write([{ at: "2026-11-24T10:00:00Z", user: "ann", cost: usd(10) - 1n }]);
  const watch = monitor({ ...QUIET, thresholds: { dailyLimit: 10, userLimit: "10", modelLimit: Infinity } });
  expect(await watch.checkAlerts()).toEqual([]);
  ledger.write([{ at: "2026-11-24T10:00:01Z", user: "ann", cost: 1n }]);
  expect((await watch.checkAlerts()).map(({ kind, scope, spentExact, limitExact, id }) => [kind, scope.id, spentExact, limitExact, id])).toEqual([
    ["daily_limit", null, "10", "10", "daily_limit::10000000000:2026-11-24"], ["user_limit", "ann", "10", "10", "user_limit:ann:10000000000:2026-11-24"],
  ]);
});

test("each user, model, key and tag has a limit by itself; who has no name has none; yesterday does not count", async () => {
  ledger.write([
    { at: "2026-11-23T23:59:59.999Z", user: "old", model: "old", key: "old", tags: ["old"], cost: usd(500) },
    { at: "2026-11-24T00:00:00Z", user: "ann", model: "a", key: "k1", tags: ["x", "y"], cost: usd(7) }, { at: "2026-11-24T01:00:00Z", model: "b", cost: usd(9) }, { at: "2026-11-24T02:00:00Z", user: "bob", model: "a", key: "k2", tags: ["y"], cost: usd(6) },
  ]);
  const alerts = await monitor({ ...QUIET, thresholds: { dailyLimit: 23, userLimit: 7, modelLimit: 8, keyLimit: 6, tagLimit: 13 } }).checkAlerts();
  expect(alerts.map((alert) => `${alert.kind} ${alert.scope.id} ${alert.spent}`)).toEqual(["user_limit ann 7", "model_limit a 13", "model_limit b 9", "key_limit k1 7", "key_limit k2 6", "tag_limit y 13"]);
  expect(alerts[0]?.message).toBe("User ann on 2026-11-24: $7.00 spent, the limit for a day is $7.00.");
});

test("the day is the zone's: what is yesterday in UTC may be today in Kathmandu", async () => {
  ledger.write([{ at: "2026-11-23T18:15:00Z", cost: usd(5) }, { at: "2026-11-23T18:14:59.999Z", cost: usd(100) }]);
  const at = Date.parse("2026-11-23T20:00:00Z");
  const alerts = await monitor({ ...QUIET, thresholds: { dailyLimit: 1 }, timeZone: "Asia/Kathmandu" }, at).checkAlerts();
  expect(alerts.map(({ spent, period }) => [spent, period.name, period.from])).toEqual([[5, "2026-11-24", "2026-11-23T18:15:00.000Z"]]);
});

test("a budget is told of at 50, 80 and 100 %, each once by its id, the highest alone", async () => {
  const watch = monitor({ ...QUIET, overruns: false, budgets: [{ maxBudget: 100, duration: "monthly" }, { name: "ann's week", maxBudget: 10, duration: "weekly", user: "ann", at: [90] }] });
  const percents = async (): Promise<unknown[]> => (await watch.checkAlerts()).map((alert) => (alert.kind === "budget" ? [alert.evidence.budget, alert.evidence.percent, alert.severity, alert.evidence.remainingExact, alert.id] : []));
  ledger.write([{ at: "2026-10-31T23:00:00Z", cost: usd(99) }, { at: "2026-11-02T00:00:00Z", cost: usd(50) - 1n }]);
  expect(await percents()).toEqual([]);
  ledger.write([{ at: "2026-11-24T00:00:00Z", cost: 1n }]);
  expect(await percents()).toEqual([["monthly", 50, "warning", "50", "budget:monthly:total::100000000000:50:2026-11-01"]]);
  ledger.write([{ at: "2026-11-24T01:00:00Z", user: "ann", cost: usd(35) }]);
  expect(await percents()).toEqual([["monthly", 80, "warning", "15", "budget:monthly:total::100000000000:80:2026-11-01"], ["ann's week", 90, "warning", "0", "budget:ann's%20week:user:ann:10000000000:90:2026-11-22"]]);
  ledger.write([{ at: "2026-11-24T02:00:00Z", cost: usd(15) }]);
  expect((await percents())[0]).toEqual(["monthly", 100, "critical", "0", "budget:monthly:total::100000000000:100:2026-11-01"]);
});

test("a budget that will not last is told of with its band, and not while there is too little history", async () => {
  const options = { ...QUIET, budgets: [{ maxBudget: 300, duration: "monthly", at: [100] }] } as const;
  ledger.write([{ at: "2026-11-20T00:00:00Z", cost: usd(290) }]);
  expect(await monitor(options).checkAlerts()).toEqual([]);
  ledger.remove();
  ledger = new TestLedger();
  // $11 each day since 20 October: 24 whole days of November and a part of today by now.
  for (let day = Date.parse("2026-10-20T12:00:00Z"); day < NOW; day += 86_400_000) ledger.write([{ at: day, cost: usd(11) }]);
  const [alert] = await monitor(options).checkAlerts();
  expect(alert?.kind).toBe("projected_overrun");
  if (alert?.kind !== "projected_overrun" || !alert.evidence.enough) throw new Error("no forecast");
  // 24 x $11 = $264 spent; $36 last 36/11 days from 15:30: every day costs the same, so the band is a point.
  expect(alert.spent).toBe(264);
  expect(alert.evidence.exhaustion).toEqual({ earliest: "2026-11-27T22:02:43.636Z", expected: "2026-11-27T22:02:43.636Z", latest: "2026-11-27T22:02:43.636Z" });
  expect(alert.message).toContain("used up on 2026-11-27 22:02 UTC");
  expect(await monitor({ ...options, budgets: [{ maxBudget: 340, duration: "monthly" }], overruns: true }).checkAlerts()).toMatchObject([{ kind: "budget" }]);
});

test("unknown is never free: models without a price are told of, each day", async () => {
  ledger.write([{ at: "2026-11-24T10:00:00Z", model: "mystery-1", unpriced: true, cost: 0n }, { at: "2026-11-24T10:00:00Z", model: "mystery-1", cost: usd(1) }, { at: "2026-11-23T10:00:00Z", model: "old", unpriced: true, cost: 0n }]);
  const alerts = await monitor({ ...QUIET, unpriced: true }).checkAlerts();
  expect(alerts).toMatchObject([{ kind: "unpriced", scope: { dimension: "model", id: "mystery-1" }, evidence: { unpricedEntries: 1, requests: 2 }, id: "unpriced:mystery-1:2026-11-24" }]);
});

test("names from outside cannot break a sentence's line nor look like another alert's id", async () => {
  ledger.write([{ at: "2026-11-24T10:00:00Z", user: "x:1\n\u202Eevil\u001b[31m", cost: usd(20) }, { at: "2026-11-24T10:00:00Z", user: "\uD800", cost: usd(20) }]);
  const alerts = await monitor({ ...QUIET, thresholds: { userLimit: 10 } }).checkAlerts();
  expect(alerts.length).toBe(2);
  for (const alert of alerts) expect(alert.message).not.toMatch(/[\n\u202E\u001b]/);
  expect(new Set(alerts.map(({ id }) => id.split(":").length))).toEqual(new Set([4]));
});

test("alerts are JSON-safe, and the tutorial's thresholds hold where none are given", async () => {
  ledger.write([{ at: "2026-11-24T10:00:00Z", user: "ann", cost: usd(101) }]);
  const alerts = await monitor({}).checkAlerts();
  expect(JSON.parse(JSON.stringify(alerts))).toEqual(alerts);
  expect(alerts.map(({ kind, limit }) => [kind, limit])).toEqual([["daily_limit", 100], ["user_limit", 10], ["model_limit", 50]]);
});

test.each<[CostMonitorOptions, string, string]>([
  [{ thresholds: { dailyLimit: -1 } }, "invalid_amount", "thresholds.dailyLimit"], [{ thresholds: { userLimit: NaN } }, "invalid_amount", "thresholds.userLimit"],
  [{ thresholds: { modelLimit: "ten" } }, "invalid_amount", "thresholds.modelLimit"], [{ thresholds: { dailylimit: 1 } as never }, "unknown_field", "thresholds.dailylimit"],
  [{ treshold: {} } as never, "unknown_field", "options.treshold"], [{ timeZone: "Mars/Base" }, "invalid_time_zone", "timeZone"], [{ budgets: [{ maxBudget: -3 }] }, "invalid_amount", "budgets[0].maxBudget"],
  [{ budgets: [{ maxBudget: 1, duration: "0d" }] }, "invalid_duration", "budgets[0].duration"], [{ budgets: [{ maxBudget: 1, user: "a", tag: "b" }] }, "invalid_request", "budgets[0].tag"],
  [{ budgets: [{ maxBudget: 1 }, { maxBudget: 2 }] }, "invalid_request", "budgets[1].name"], [{ budgets: [{ maxBudget: 1, at: [0] }] }, "invalid_request", "budgets[0].at"],
  [{ anomalies: { sensitivity: 0 } }, "invalid_request", "anomalies.sensitivity"], [{ summaries: ["hourly" as never] }, "invalid_request", "summaries"], [{ channels: [{} as never] }, "invalid_request", "channels[0]"], [{ weekStart: 9 as never }, "invalid_request", "weekStart"],
])("%o is refused when the monitor is made: %s", (options, code, param) => {
  expect(() => new CostMonitor(new CostAnalyzer("none.db"), options)).toThrowError(expect.objectContaining({ code, param }));
});

test("a report holds the alerts, the anomalies and the forecast beside the sums", async () => {
  ledger.write([{ at: "2026-11-24T10:00:00Z", user: "ann", cost: usd(12) }]);
  const report = await monitor({ thresholds: { userLimit: 10 } }).generateReport({ days: 7 });
  expect(report).toMatchObject({ total: { costExact: "12" }, alerts: [{ severity: "critical", text: "User ann on 2026-11-24: $12.00 spent, the limit for a day is $10.00.", at: "2026-11-24" }], anomalies: [], forecast: { text: "There are 0 whole days of history; a forecast needs 7." } });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
