import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostMonitor } from "../../src/app/books/cost-monitor.ts";
import { renderHtmlReport, renderMarkdownReport, renderTextReport } from "../../src/charts.ts";
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
