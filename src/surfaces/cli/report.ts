import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import { count, dollarColumn, share } from "./amounts.ts";
import { barLines } from "./bars.ts";
import { tableLines, type Column, type TableRow } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

export const GROUPINGS = ["model", "provider", "team", "key", "user", "customer", "day"] as const;

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
}

/** Admission times in [from, to), epoch milliseconds. */
export interface Period {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** A ledger's file, or a gateway. */
export interface SpendSource {
  spend(by: Grouping, period: Period): Promise<readonly SpendRow[]>;
}

const DAY_MS = 86_400_000;
const NOBODY: Readonly<Record<Grouping, string>> = { model: "", provider: "", team: "(no team)", key: "(master key)", user: "(no user)", customer: "(no customer)", day: "" };

/** Reads `--days`, or `--from` and `--to` (the last day is included whole). @throws TollgateError `usage` */
export function periodOf(options: { readonly days?: string; readonly from?: string; readonly to?: string }, now: number): Period {
  if (options.days === undefined) {
    const from = dateOf(options.from, "--from");
    const to = dateOf(options.to, "--to");
    const end = to === undefined ? undefined : to + (options.to?.length === 10 ? DAY_MS : 0);
    if (from !== undefined && end !== undefined && end <= from) throw new TollgateError("usage", "--to lies before --from.");
    return { from, to: end };
  }
  if (options.from !== undefined || options.to !== undefined) throw new TollgateError("usage", "Give either --days, or --from and --to.");
  const days = Number(options.days);
  if (!Number.isInteger(days) || days < 1 || days > 36_500) throw new TollgateError("usage", `--days must be a whole number from 1 on, not "${options.days}".`);
  // Whole days, today included.
  return { from: (Math.floor(now / DAY_MS) - days + 1) * DAY_MS, to: undefined };
}

/** Prints what was spent, by one thing. */
export function printReport(terminal: Terminal, by: Grouping, period: Period, rows: readonly SpendRow[], options: { readonly json?: boolean | undefined; readonly chart?: boolean | undefined; readonly ascii?: boolean | undefined }): void {
  const total = sum(rows);
  if (wantsJson(terminal, options)) {
    writeJson(terminal, { by, from: iso(period.from), to: iso(period.to), total: json(total), rows: rows.map((row) => ({ [by]: row.group, ...(row.label === undefined ? {} : { name: row.label }), ...json(row) })) });
    return;
  }
  terminal.out(`${styled(terminal, "bold", `Spend by ${by}`)}, ${periodText(period)}\n\n`);
  terminal.out(rows.length === 0 ? "Nothing was spent.\n" : `${spendLines(terminal, by, rows).join("\n")}\n`);
  if (options.chart !== true || rows.length === 0) return;
  const amounts = dollarColumn(rows.map((row) => BigInt(row.cost)));
  const bars = rows.map((row, index) => ({ name: nameOf(by, row), nanoUsd: BigInt(row.cost), amount: amounts[index] ?? "" }));
  terminal.out(`\n${barLines(terminal, bars, options.ascii).join("\n")}\n`);
}

/** The table of a report, with its total. */
export function spendLines(terminal: Pick<Terminal, "colour" | "columns">, by: Grouping, rows: readonly SpendRow[]): string[] {
  const total = sum(rows);
  const amounts = dollarColumn([...rows, total].map((row) => BigInt(row.cost)));
  const columns: readonly Column[] = [
    { title: by, align: "left", shrinks: true }, { title: "requests", align: "right" }, { title: "tokens in", align: "right" },
    { title: "tokens out", align: "right" }, { title: "spend", align: "right" }, { title: "share", align: "right" },
  ];
  const cells = (row: SpendRow, name: string, amount: string | undefined, part: string): string[] => [name, count(row.requests), count(row.inputTokens), count(row.outputTokens), amount ?? "", part];
  const body: TableRow[] = rows.map((row, index) => ({ cells: cells(row, nameOf(by, row), amounts[index], share(BigInt(row.cost), BigInt(total.cost))) }));
  return tableLines(terminal, columns, [...body, { cells: cells(total, "total", amounts[rows.length], ""), style: "bold" }]);
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
  return { cost_nano_usd: row.cost, cost_usd: formatNanoUsd(BigInt(row.cost)), requests: row.requests, input_tokens: row.inputTokens, output_tokens: row.outputTokens };
}

function dateOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const epochMs = /^\d{4}-\d\d-\d\d(T.*)?$/.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text) : Number.NaN;
  if (Number.isNaN(epochMs)) throw new TollgateError("usage", `${option} must be a date such as 2026-11-24, not "${text}".`);
  return epochMs;
}

function periodText({ from, to }: Period): string {
  if (from === undefined && to === undefined) return "since the beginning";
  const until = to === undefined ? "today" : iso(to - 1)?.slice(0, 10);
  return `${from === undefined ? "up to" : `${iso(from)?.slice(0, 10)} to`} ${until} (UTC)`;
}

function iso(epochMs: number | undefined): string | null {
  return epochMs === undefined ? null : new Date(epochMs).toISOString();
}
