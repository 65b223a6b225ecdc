import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostMonitor } from "../../src/app/books/cost-monitor.ts";
import { renderHtmlReport, renderMarkdownReport, renderTextReport } from "../../src/charts.ts";
import { runCli } from "../support/run-cli.ts";
import { TestLedger, usd } from "./ledger.ts";

let ledger: TestLedger;
let monitor: CostMonitor;
beforeEach(() => {
  ledger = new TestLedger();
  // Two quiet weeks, then one day of forty times as much.
  for (let day = 10; day < 24; day += 1) ledger.write([{ at: `2026-11-${day}T10:00:00Z`, user: "ann", cost: usd(2) }]);
  ledger.write([{ at: "2026-11-24T10:00:00Z", user: "ann\u001b[2J\nbob", cost: usd(80) }]);
  monitor = new CostMonitor(new CostAnalyzer(ledger.folder, { now: () => Date.parse("2026-11-24T15:30:00Z") }), { thresholds: { userLimit: 10 } });
});
afterEach(() => ledger.remove());

test("every format has the sums, the alerts, the anomalies and the forecast, and is what the renderer draws of the data", async () => {
  const data = await monitor.generateReport({ months: 1 });
  expect([data.total.costExact, data.alerts?.length, (data.anomalies ?? []).length > 0]).toEqual(["108", 1, true]);
  for (const [format, render] of [["text", renderTextReport], ["markdown", renderMarkdownReport], ["html", renderHtmlReport]] as const) {
    const text = await monitor.generateReport({ months: 1, format });
    expect(text).toBe(render(data));
    for (const part of ["$108.00", "Alerts", "the limit for a day is $10.00", "Anomalies", "Forecast", "at the usual pace"]) expect([format, text.includes(part) ? part : `no ${part}`]).toEqual([format, part]);
  }
});

test("budgets of a monitor are in every format, with a burn-down chart in the page; one without an end has no course", async () => {
  const watching = new CostMonitor(new CostAnalyzer(ledger.folder, { now: () => Date.parse("2026-11-24T15:30:00Z") }), {
    thresholds: {}, budgets: [{ name: "all of it", maxBudget: 120, duration: "monthly" }, { name: "ann", maxBudget: "28.000000001", duration: "monthly", user: "ann" }, { name: "ever", maxBudget: 1 }, { name: "today", maxBudget: 1, duration: "daily" }],
  });
  const data = await watching.generateReport({ days: 7 });
  const budgets = data.forecast?.budgets ?? [];
  expect(budgets.map(({ name, burnDown }) => [name, burnDown.from, burnDown.to, burnDown.actual.at(-1)])).toEqual([
    ["all of it", "2026-11-01", "2026-11-30", { date: "2026-11-24", remaining: "12" }], ["ann", "2026-11-01", "2026-11-30", { date: "2026-11-24", remaining: "0.000000001" }],
  ]);
  const html = await watching.generateReport({ days: 7, format: "html" });
  expect(html.match(/budgetBurnDown/g)?.length).toBe(2);
  for (const format of ["text", "markdown", "html"] as const) expect(await watching.generateReport({ days: 7, format })).toMatch(/all of it[^\n]*\$120\.00[^\n]*\$108\.00[^\n]*90\.0 %[^\n]*\$12\.00/);
});

test("tollgate report --out: the whole report in a file whose ending says how, with the configuration's budgets; never over a file unless told to", async () => {
  const config = join(ledger.folder, "tollgate.yaml");
  writeFileSync(config, "tollgate:\n  monitor:\n    budgets:\n      - { name: board, max_budget: 500, budget_duration: yearly }\n");
  const period = ["--from", "2026-11-01", "--to", "2026-11-24", "--data", ledger.folder, "--config", config];
  for (const [ending, text] of [["html", /<!doctype html>[\s\S]*Budget board/], ["md", /^# Cost report[\s\S]*\| board \|/], ["txt", /^Cost report\n=+[\s\S]*\nboard /], ["json", /"costExact": "108"/]] as const) {
    const path = join(ledger.folder, `r.${ending}`);
    const run = await runCli(["report", "--out", path, ...period]);
    expect([run.code, run.stderr, JSON.parse(run.stdout)]).toMatchObject([0, "", { path }]);
    expect(readFileSync(path, "utf8")).toMatch(text);
    expect(readFileSync(path, "utf8")).toContain("108");
    const again = await runCli(["report", "--out", path, ...period]);
    expect([again.code, again.stderr]).toEqual([2, `usage: ${path} exists. Choose another name, or say --force.\n`]);
    expect((await runCli(["report", "--out", path, "--force", ...period])).code).toBe(0);
  }
  expect(await runCli(["report", "--out", "r.pdf", ...period])).toMatchObject({ code: 2, stderr: expect.stringContaining("--out must end in .html, .md, .txt, .json") as string });
  expect(await runCli(["report", "--out", join(ledger.folder, "none", "r.html"), ...period])).toMatchObject({ code: 1, stderr: expect.stringMatching(/^file_unwritable: /) as string });
});

test("text for a terminal aligns its columns, and a name can neither move the cursor nor begin a line", async () => {
  const text = await monitor.generateReport({ months: 1, format: "text" });
  expect(text).not.toMatch(/[\u0000-\u0009\u000B-\u001F]|^bob/m);
  const rows = (text.split("By user\n-------\n")[1]?.split("\n\n")[0] ?? "").split("\n");
  expect(rows.length).toBe(3);
  expect(new Set(rows.map((row) => row.length)).size).toBe(1);
});

test("a path holds the whole new file, JSON for data, with nothing beside it; wrong formats and paths are refused by name", async () => {
  const path = join(ledger.folder, "report.out");
  writeFileSync(path, "old");
  const data = await monitor.generateReport({ days: 7, path });
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(data);
  const html = await monitor.generateReport({ days: 7, format: "html", path });
  expect(readFileSync(path, "utf8")).toBe(html);
  await expect(monitor.generateReport({ format: "pdf" as never, path })).rejects.toMatchObject({ code: "invalid_request", param: "format" });
  await expect(monitor.generateReport({ path: "" })).rejects.toMatchObject({ code: "invalid_request", param: "path" });
  await expect(monitor.generateReport({ format: "text", path: join(ledger.folder, "none", "x") })).rejects.toMatchObject({ code: "file_unwritable", param: "path" });
  expect(readFileSync(path, "utf8")).toBe(html);
  expect(readdirSync(ledger.folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});
