import { formatNanoUsd } from "../../base/money.ts";
import { count, dollarColumn, dollars, share } from "./amounts.ts";
import { barLines } from "./bars.ts";
import { DIMENSION_NAMES } from "./filter.ts";
import type { CommandPeriod } from "./period.ts";
import { tableLines, wrapped, type Column, type TableRow } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

export const GROUPINGS = [...(Object.keys(DIMENSION_NAMES) as (keyof typeof DIMENSION_NAMES)[]), "day"] as const;

export type Grouping = (typeof GROUPINGS)[number];

/** Sums of one group. */
export interface SpendRow {
  /** The id: a model, a day, a key's own id, … Empty for what belongs to no such thing. */
  readonly group: string;
  /** What people call it, where that differs. */
  readonly label?: string;
  /** Nano-dollars, decimal text. */
  readonly cost: string;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly failedRequests?: number;
  readonly estimatedEntries?: number;
  readonly unpricedEntries?: number;
  readonly cacheHits?: number;
  /** Nano-dollars, decimal text. */
  readonly saved?: string;
}

export interface SpendReport {
  readonly by: Grouping;
  readonly period: CommandPeriod;
  /** Of everything, whatever the rows are: an entry with two tags is in two of them. */
  readonly total: SpendRow;
  readonly rows: readonly SpendRow[];
}

const TOKENS_COLUMNS = 80;
const NOBODY: Readonly<Record<Grouping, string>> = {
  model: "", provider: "", team: "(no team)", key: "(master key)", user: "(no user)", customer: "(no customer)", "internal-user": "(no user of its own)", tag: "(no tag)", day: "",
};

/** Prints what was spent, by one thing. */
export function printReport(terminal: Terminal, { by, period, total, rows }: SpendReport, options: { readonly json?: boolean | undefined; readonly chart?: boolean | undefined; readonly ascii?: boolean | undefined }): void {
  if (wantsJson(terminal, options)) {
    writeJson(terminal, { by, from: iso(period.from), to: iso(period.to), time_zone: period.timeZone, total: json(total), rows: rows.map((row) => ({ [by.replace("-", "_")]: row.group, ...(row.label === undefined ? {} : { name: row.label }), ...json(row) })) });
    return;
  }
  terminal.out(`${styled(terminal, "bold", `Spend by ${by.replace("-", " ")}`)}, ${periodText(period)}\n\n`);
  terminal.out(rows.length === 0 ? "Nothing was spent.\n" : `${spendLines(terminal, by, rows, total).join("\n")}\n`);
  const notes = notesOf(by, total);
  if (notes.length > 0) terminal.out("\n");
  for (const note of notes) terminal.out(`${wrapped(note, terminal.columns).map((line) => styled(terminal, "dim", line)).join("\n")}\n`);
  if (options.chart !== true || rows.length === 0) return;
  const amounts = dollarColumn(rows.map((row) => BigInt(row.cost)));
  const bars = rows.map((row, index) => ({ name: nameOf(by, row), nanoUsd: BigInt(row.cost), amount: amounts[index] ?? "" }));
  terminal.out(`\n${barLines(terminal, bars, options.ascii).join("\n")}\n`);
}

/** The table of a report, with its total. */
export function spendLines(terminal: Pick<Terminal, "colour" | "columns">, by: Grouping, rows: readonly SpendRow[], total: SpendRow = sum(rows)): string[] {
  const amounts = dollarColumn([...rows, total].map((row) => BigInt(row.cost)));
  // Where there is little room, names matter more than tokens.
  const tokens = terminal.columns >= TOKENS_COLUMNS;
  const columns: readonly Column[] = [
    { title: by.replace("-", " "), align: "left", shrinks: true }, { title: "requests", align: "right" }, ...(tokens ? [{ title: "tokens in", align: "right" }, { title: "tokens out", align: "right" }] as const : []),
    { title: "spend", align: "right" }, { title: "share", align: "right" },
  ];
  const cells = (row: SpendRow, name: string, amount: string | undefined, part: string): string[] => [name, count(row.requests), ...(tokens ? [count(row.inputTokens), count(row.outputTokens)] : []), amount ?? "", part];
  const body: TableRow[] = rows.map((row, index) => ({ cells: cells(row, nameOf(by, row), amounts[index], share(BigInt(row.cost), BigInt(total.cost))) }));
  return tableLines(terminal, columns, [...body, { cells: cells(total, "total", amounts[rows.length], ""), style: "bold" }]);
}

/** What is no provider's figure is never shown as if it were one. */
function notesOf(by: Grouping, { estimatedEntries = 0, unpricedEntries = 0, requests, cacheHits = 0, saved = "0" }: SpendRow): string[] {
  return [
    ...(estimatedEntries === 0 ? [] : [`${count(estimatedEntries)} of the charges ${estimatedEntries === 1 ? "is" : "are"} estimated.`]),
    ...(unpricedEntries === 0 ? [] : [`${count(unpricedEntries)} had no price: $0 here is a mark, not a cost.`]),
    ...(cacheHits === 0 ? [] : [`${count(cacheHits)} of the ${count(requests)} requests ${cacheHits === 1 ? "was" : "were"} answered from a cache, which saved ${dollars(BigInt(saved))}.`]),
    ...(by === "tag" ? ["A request with several tags counts under each of them."] : []),
  ];
}

function nameOf(by: Grouping, row: SpendRow): string {
  return row.group === "" ? NOBODY[by] : (row.label ?? row.group);
}

function sum(rows: readonly SpendRow[]): SpendRow {
  let cost = 0n;
  let requests = 0;
  let inputTokens = 0;
  let outputTokens = 0;
  for (const row of rows) {
    cost += BigInt(row.cost);
    requests += row.requests;
    inputTokens += row.inputTokens;
    outputTokens += row.outputTokens;
  }
  return { group: "total", cost: cost.toString(), requests, inputTokens, outputTokens };
}

/** Exact amounts are text in JSON. */
function json(row: SpendRow): Record<string, unknown> {
  return {
    cost_nano_usd: row.cost, cost_usd: formatNanoUsd(BigInt(row.cost)), requests: row.requests, failed_requests: row.failedRequests, estimated_entries: row.estimatedEntries, unpriced_entries: row.unpricedEntries,
    input_tokens: row.inputTokens, output_tokens: row.outputTokens, cache_hits: row.cacheHits, saved_usd: row.saved === undefined ? undefined : formatNanoUsd(BigInt(row.saved)),
  };
}

function periodText({ from, to, timeZone, span }: CommandPeriod): string {
  if (from === null && to === null) return "since the beginning";
  const name = (at: number): string => new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" }).format(at);
  return `${from === null ? "up to" : `${name(from)} to`} ${name(Math.max(span.from, span.to - 1))} (${timeZone})`;
}

function iso(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
