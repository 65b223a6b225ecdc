import { expect, test } from "vitest";
import { cutToColumns, textColumns } from "../../src/base/text-columns.ts";
import { printReport, type SpendRow } from "../../src/surfaces/cli/report.ts";

const row = (group: string, cost: string): SpendRow => ({ group, cost, requests: 1_234_567, inputTokens: 123_456_789, outputTokens: 2_345_678 });
const ROWS = [row("openai/gpt-4o", "123456789012345"), row("模型/千问-最大-2026", "1"), row("azure_ai/very-long-deployment-name-of-the-marketing-department-in-frankfurt", "500000000"), row("", "-12500000000"), row("🚀 rocket", "0"), row("e\u0301\u0301", "7")];

test.each([40, 60, 80, 120])("a report on a terminal of %i columns: no line is wider, amounts stand in one line whatever script the names are in", (columns) => {
  let text = "";
  const period = { timeZone: "Asia/Kathmandu", from: Date.UTC(2026, 10, 1), to: Date.UTC(2026, 10, 24), span: { from: Date.UTC(2026, 10, 1), to: Date.UTC(2026, 10, 24) } };
  const total = { ...row("total", "123444790012353"), estimatedEntries: 1, unpricedEntries: 12 };
  printReport({ isTerminal: true, colour: false, columns, rows: 40, out: (part) => { text += part; }, remark: () => {} }, { by: "user", period, total, rows: ROWS }, { chart: columns >= 60 });
  const lines = text.split("\n");
  for (const line of columns >= 60 ? lines : []) expect(textColumns(line), line).toBeLessThanOrEqual(columns);
  const table = lines.filter((line) => /\$\d/.test(line) && !line.includes("is a mark")).slice(0, ROWS.length + 1);
  expect(new Set(table.map((line) => textColumns(/^.*\.\d{9}/.exec(line)?.[0] ?? ""))).size).toBe(1);
  expect(text).toContain("< 0.1 %");
  expect(text.replaceAll("\n", " ")).toContain("12 had no price: $0 here is a mark, not a cost.");
});

test("columns of a terminal: wide scripts and pictures take two, marks on a letter none; a cut is never wider than was allowed", () => {
  expect(["abc", "模型", "한국", "🚀", "e\u0301", "ab\u200Bc"].map(textColumns)).toEqual([3, 4, 4, 2, 1, 3]);
  for (let most = 1; most < 12; most += 1) expect(textColumns(cutToColumns("模a型b千c问d", most))).toBeLessThanOrEqual(most);
  expect(cutToColumns("claude-sonnet", 8)).toBe("claude-…");
});
