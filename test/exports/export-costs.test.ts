import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { exportCosts } from "../../src/app/books/export-costs.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { entry, nano, sourceOf, START } from "../optimizer/month.ts";

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-exports-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const HOSTILE = ["=cmd()|'/c calc'!A1", "+1", "-2", "@x", "a,b", 'say "hi"', "two\nlines", "tab\there", "料金 🪙", "\u0001control", "\ud800lone"];

function ledger(count = 2_500): Entry[] {
  return Array.from({ length: count }, (_, i) => entry(START + i * 60_000, i % 3 === 0 ? "gpt-4o" : "gpt-4o-mini", { input: 10 + i, output: 1 + (i % 50) }, {
    customer: i < HOSTILE.length ? (HOSTILE[i] as string) : i % 5 === 0 ? null : `user-${i % 7}`, tags: i % 4 === 0 ? JSON.stringify(["a", "b,c"]) : null, metadata: i % 6 === 0 ? JSON.stringify({ note: "x" }) : null,
    ...(i === 7 ? { kind: "correction" as const, cost: "-500000001" } : {}), ...(i === 8 ? { cost: "9007199254740993" } : {}),
  }));
}

const analyzerOf = (entries: readonly Entry[]): CostAnalyzer => new CostAnalyzer({ costs: async () => sourceOf(entries) }, { now: () => START + 60 * 86_400_000 });
const ALL = { from: "2026-09-01", to: "2026-12-31" } as const;
const totalOf = (entries: readonly Entry[]): bigint => entries.reduce((sum, one) => sum + BigInt(one.cost), 0n);

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, separator, quoted, plain] of text.matchAll(/(^|,|\r\n)(?:"((?:[^"]|"")*)"|([^",\r\n]*))/g)) {
    if (separator === "\r\n") rows.push([]);
    (rows.at(-1) as string[]).push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
  }
  return rows.filter((row) => row.length > 1);
}

test("CSV: every field and the sum to the nano-dollar come back; only text columns are escaped against formulas", async () => {
  const entries = ledger();
  const path = join(folder, "costs.csv");
  const result = await exportCosts(analyzerOf(entries), { path, ...ALL });
  const [header = [], ...rows] = parseCsv(readFileSync(path, "utf8"));
  expect([result.rows, rows.length, nano(result.totalExact)]).toEqual([2_500, 2_500, totalOf(entries)]);
  const of = (row: string[], name: string): string => row[header.indexOf(name)] ?? "";
  expect(rows.reduce((sum, row) => sum + nano(of(row, "cost_usd")), 0n)).toBe(totalOf(entries));
  expect(rows.slice(0, 4).map((row) => of(row, "user"))).toEqual(HOSTILE.slice(0, 4).map((name) => `'${name}`));
  expect(rows.slice(4, 10).map((row) => of(row, "user"))).toEqual(HOSTILE.slice(4, 10));
  // An amount below zero is no formula.
  expect(of(rows[7] as string[], "cost_usd")).toBe("-0.500000001");
  expect(of(rows[8] as string[], "cost_usd")).toBe("9007199.254740993");
  expect(of(rows[0] as string[], "time")).toBe("2026-10-01T00:00:00.000Z");
});

test("JSONL: amounts are numbers with all their digits, tags and metadata are JSON; .gz compresses", async () => {
  const entries = ledger(50);
  const path = join(folder, "costs.jsonl.gz");
  await exportCosts(analyzerOf(entries), { path, ...ALL, lines: true });
  const lines = gunzipSync(readFileSync(path)).toString("utf8").trimEnd().split("\n");
  expect(lines.length).toBe(50);
  expect(lines[8]).toContain('"cost_usd":9007199.254740993,');
  const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(rows[0]).toMatchObject({ user: HOSTILE[0], tags: ["a", "b,c"], metadata: { note: "x" } });
  expect((rows[0]?.["lines"] as { dimension: string }[]).map(({ dimension }) => dimension)).toEqual(["input", "output"]);
});

test("Parquet: amounts are DECIMAL(18,9) from nano-dollars, in row groups, and come back exactly", async () => {
  const entries = ledger(23_000);
  const path = join(folder, "costs.parquet");
  const progress: number[] = [];
  const result = await exportCosts(analyzerOf(entries), { path, ...ALL, onProgress: ({ rows }) => progress.push(rows) });
  const bytes = readFileSync(path);
  expect(result.bytes).toBe(bytes.length);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const rows = await parquetReadObjects({ file, columns: ["id", "time", "user", "cost_usd", "input_tokens", "unpriced"] });
  expect(rows.length).toBe(23_000);
  expect(rows[0]).toMatchObject({ id: entries[0]?.id, user: HOSTILE[0], unpriced: false });
  expect(Math.abs(rows.slice(9, 100).reduce((sum, row) => sum + Number(row["cost_usd"]), 0) - Number(totalOf(entries.slice(9, 100))) / 1e9)).toBeLessThan(1e-12);
  expect(progress.at(-1)).toBe(23_000);
});

test("filters, columns and periods choose the rows; what is wrong has a stable code", async () => {
  const entries = ledger(100);
  const path = join(folder, "some.csv");
  const result = await exportCosts(analyzerOf(entries), { path, ...ALL, filter: { user: "user-3" }, columns: ["time", "cost_usd"] });
  const [header, ...rows] = parseCsv(readFileSync(path, "utf8"));
  expect(header).toEqual(["time", "cost_usd"]);
  expect(rows.length).toBe(entries.filter((one) => one.customer === "user-3").length);
  expect(result.rows).toBe(rows.length);
  for (const wrong of [{ path: join(folder, "x.xlsx") }, { path: join(folder, "x.parquet.gz") }, { path: "" }, { path, columns: ["nope"] }, { path, days: -1 }]) {
    await expect(exportCosts(analyzerOf(entries), { ...(("days" in wrong) ? {} : ALL), ...wrong })).rejects.toMatchObject({ code: "invalid_request" });
  }
  await expect(exportCosts(analyzerOf(entries), { path: join(folder, "no", "such", "x.csv"), ...ALL })).rejects.toMatchObject({ code: "file_unwritable" });
  await expect(exportCosts(join(folder, "none.db"), { path })).rejects.toMatchObject({ code: "not_found" });
});

test("an export that is given up leaves the old file and no half one; the next removes what a killed process left", async () => {
  const entries = ledger();
  const path = join(folder, "costs.csv");
  writeFileSync(path, "the old file");
  const gone = new AbortController();
  await expect(exportCosts(analyzerOf(entries), { path, ...ALL, signal: gone.signal, onProgress: () => gone.abort(new Error("enough")) })).rejects.toThrow("enough");
  expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["the old file", ["costs.csv"]]);
  writeFileSync(`${path}.0123abcd.tollgate-part`, "half");
  await exportCosts(analyzerOf(entries), { path, ...ALL });
  expect(readdirSync(folder)).toEqual(["costs.csv"]);
  expect(readFileSync(path, "utf8")).toMatch(/^id,request_id,time,/);
});

test("without a period everything is exported, however old", async () => {
  const old = entry(Date.UTC(2001, 0, 1), "gpt-4o", { input: 1, output: 1 });
  const entries = [old, ...ledger(3)];
  for (const [options, rows] of [[{}, 4], [{ days: 400 }, 3], [{ to: "2001-12-31" }, 1], [{ filter: { user: "nobody" } }, 0]] as const) {
    expect((await exportCosts(analyzerOf(entries), { path: join(folder, "all.jsonl"), ...options })).rows).toBe(rows);
  }
});

test("nothing to export is a header in CSV and no lines in JSONL", async () => {
  for (const [name, text] of [["a.csv", /^id,.*\r\n$/], ["a.jsonl", /^$/]] as const) {
    const result = await exportCosts(analyzerOf([]), { path: join(folder, name), ...ALL });
    expect([result.rows, result.totalExact]).toEqual([0, "0"]);
    expect(readFileSync(join(folder, name), "utf8")).toMatch(text);
  }
});
