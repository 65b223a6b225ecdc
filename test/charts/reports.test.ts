import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { parseNanoUsd } from "../../src/base/money.ts";
import { burnDownOf, renderHtmlReport, renderMarkdownReport, type CostReport } from "../../src/charts.ts";
import { NOW, writeLedger } from "./ledger.ts";

const HOSTILE = ["<script>alert(1)</script>", "\"onload=\"x", "[x](https://evil.example)", "a|b", "line\nbreak", "![i](//e)", "</table></svg>", "\u202Eevil", "@everyone", "`code`"];
let folder: string;
let report: CostReport;
let analyzer: CostAnalyzer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-reports-"));
  const lines = HOSTILE.map((name, index) => `2026-11-0${(index % 2) + 1}T12:00:00Z ${encodeURIComponent(name)} ${encodeURIComponent(name)} ${encodeURIComponent(name)} ${(index + 1) * 100_000_007}`);
  analyzer = new CostAnalyzer(writeLedger(folder, lines.join("\n")), { timeZone: "Asia/Kathmandu", now: () => NOW });
  const days = await analyzer.dailyCosts({ days: 2 });
  report = await analyzer.report({ months: 1, title: HOSTILE[0] ?? "", alerts: [{ severity: "warning", text: HOSTILE[2] ?? "" }], anomalies: [], forecast: { text: HOSTILE[0] ?? "", budgets: [{ name: HOSTILE[6] ?? "", burnDown: burnDownOf(days, { budget: "100", to: "2026-11-30" }) }] } });
});
afterAll(async () => {
  await analyzer.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a report's breakdowns sum to its total, ends today though its month goes on, and survives JSON", async () => {
  const sum = (rows: readonly { costExact: string }[]): bigint => rows.reduce((nano, row) => nano + (parseNanoUsd(row.costExact, "exact") as bigint), 0n);
  for (const rows of [report.daily, report.byModel, report.byProvider, report.byUser, report.byKey]) expect(sum(rows)).toBe(sum([report.total]));
  expect(report.total.costExact).toBe((await analyzer.total({ months: 1 })).costExact);
  expect([report.period.first, report.period.last, report.daily.at(-1)?.date]).toEqual(["2026-11-01", "2026-11-30", "2026-11-02"]);
  expect(renderHtmlReport(JSON.parse(JSON.stringify(report)) as CostReport)).toBe(renderHtmlReport(report));
});

test("the page loads nothing, runs nothing, follows the reader's theme, and names from outside are text", () => {
  const html = renderHtmlReport(report);
  expect(html.match(/<svg /g)).toHaveLength(4);
  expect(html).toContain("prefers-color-scheme:dark");
  expect(html).toContain("var(--tg-bar,");
  expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/<(?:script|img|link|iframe|a|b|i)\b|\b(?:src|href)=|url\((?!#)|@import|[\u202E]/i);
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
  expect(new Set(ids).size).toBe(ids.length);
  // Every tag is one of ours: a name that opened or closed one would unbalance them.
  for (const tag of ["svg", "table", "section", "tr", "th", "td", "figure"]) expect([tag, html.match(new RegExp(`<${tag}[ >]`, "g"))?.length]).toEqual([tag, html.match(new RegExp(`</${tag}>`, "g"))?.length]);
  expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
});

test("Markdown keeps names in their cells: no markup, link, mention or line of their own", () => {
  const text = renderMarkdownReport(report);
  const tables = text.split("\n").filter((line) => line.startsWith("|"));
  expect(new Set(tables.map((line) => line.replaceAll("\\|", "").split("|").length))).toEqual(new Set([6, 7, 9]));
  expect(text).not.toMatch(/<script|(?<!\\)\]\(|https?:\/\/|@everyone|(?<!\\)`/);
  expect(text).toContain("a\\|b");
});

test("a period without costs makes a report that says so", async () => {
  const empty = await analyzer.report({ from: "2020-01-01", to: "2020-01-03" });
  expect(renderHtmlReport(empty)).toContain("No spend in this period");
  expect(renderMarkdownReport(empty)).toContain("**$0.00** for 0 requests");
});
