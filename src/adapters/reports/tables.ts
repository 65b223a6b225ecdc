import { amountText, costOfRow, percentText } from "../../domain/analytics/amounts.ts";
import { largest } from "../../domain/analytics/largest.ts";
import type { CostReport } from "../../domain/analytics/report.ts";
import type { Costs, Efficiency } from "../../domain/analytics/rows.ts";

/** So many rows of a ranking are shown; the tail is one of them. */
const ROWS = 20;

/** A table of a report as text, the same in Markdown and HTML. */
export interface ReportTable {
  readonly title: string;
  readonly note?: string | undefined;
  /** The first column is the name, the others are numbers. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const whole = (value: number): string => value.toLocaleString("en");
const cost = (row: Costs): bigint => costOfRow(row, "row");

/** The local dates of a report. @example "2026-11-01 to 2026-11-30" */
export function periodOf({ period: { first, last } }: CostReport): string {
  return first === last ? first : `${first} to ${last}`;
}

export function amountOf(row: Costs): string {
  return amountText(cost(row));
}

/** Change against the period before, up to the same point. */
export function changeText({ changeExact, changeShare }: CostReport["comparison"]): string {
  const nano = costOfRow({ costExact: changeExact }, "change");
  const amount = `${nano > 0n ? "+" : ""}${amountText(nano)}`;
  return changeShare === null ? amount : `${amount} (${changeShare >= 0 ? "+" : ""}${(changeShare * 100).toFixed(1)} %)`;
}

/** Everything that the amounts do not say. */
export function caveatsOf({ total }: CostReport): string[] {
  return [
    ...(total.estimatedEntries > 0 ? [total.estimatedEntries === 1 ? "1 entry is estimated: what it cost was not reported." : `${whole(total.estimatedEntries)} entries are estimated: what they cost was not reported.`] : []),
    ...(total.unpricedEntries > 0 ? [total.unpricedEntries === 1 ? "1 entry has no known price and counts as $0." : `${whole(total.unpricedEntries)} entries have no known price and count as $0.`] : []),
    ...(total.failedRequests > 0 ? [`${whole(total.failedRequests)} of ${whole(total.requests)} requests failed.`] : []),
    ...(total.cacheHits > 0 ? [`${whole(total.cacheHits)} of ${whole(total.requests)} requests were answered from a cache, which saved ${amountText(costOfRow({ costExact: total.savedExact }, "saved"))}.`] : []),
  ];
}

export function tablesOf(report: CostReport): ReportTable[] {
  const ranking = (title: string, name: string, rows: readonly (Costs & { readonly label: string })[], note?: string): ReportTable => ranked(title, name, rows, report.total, note);
  return [
    ...budgetTables(report), modelTable(report), ranking("By provider", "Provider", report.byProvider), ranking("By user", "User", report.byUser), ranking("By key", "Key", report.byKey),
    ranking("By tag", "Tag", report.byTag, "A request with several tags counts under each of them, so this may sum to more than the total."),
    { title: "By day", columns: ["Day", "Cost", "Requests", "Tokens"], rows: report.daily.map((day) => [day.date, amountOf(day), whole(day.requests), whole(day.totalTokens)]) },
  ];
}

/** The budgets of a monitor in their present windows. */
function budgetTables({ forecast }: CostReport): ReportTable[] {
  const usd = (exact: string): bigint => costOfRow({ costExact: exact }, "budget");
  const rows = (forecast?.budgets ?? []).map(({ name, burnDown: { budget, actual, to, exhaustion } }) => {
    const left = usd(actual.at(-1)?.remaining ?? budget);
    const spent = usd(budget) - left;
    return [name, amountText(usd(budget)), amountText(spent), percent(spent, usd(budget)), amountText(left), to, exhaustion.date ?? "–"];
  });
  return rows.length === 0 ? [] : [{ title: "Budgets", columns: ["Budget", "Amount", "Spent", "Used", "Left", "Window ends", "Likely used up"], rows }];
}

function modelTable({ byModel, total }: CostReport): ReportTable {
  const { rows, rest } = largest(byModel, ROWS, cost);
  const ratio = (value: number | null): string => (value === null ? "–" : amountText(BigInt(Math.round(value * 1e9))));
  const share = (value: number | null): string => (value === null ? "–" : `${(value * 100).toFixed(1)} %`);
  const line = (row: Costs & { readonly label: string } & Efficiency): string[] => [row.label, amountOf(row), partOf(row, total), whole(row.requests), whole(row.totalTokens), ratio(row.costPer1000OutputTokens), share(row.cachedShare)];
  return {
    title: "By model", columns: ["Model", "Cost", "Share", "Requests", "Tokens", "Per 1,000 output tokens", "Cached input"],
    rows: [...rows.map(line), ...(rest.length === 0 ? [] : [otherLine(rest, total, true)])],
  };
}

function ranked(title: string, name: string, all: readonly (Costs & { readonly label: string })[], total: Costs, note: string | undefined): ReportTable {
  const { rows, rest } = largest(all, ROWS, cost);
  return {
    title, note, columns: [name, "Cost", "Share", "Requests", "Tokens"],
    rows: [...rows.map((row) => [row.label, amountOf(row), partOf(row, total), whole(row.requests), whole(row.totalTokens)]), ...(rest.length === 0 ? [] : [otherLine(rest, total, false)])],
  };
}

function otherLine(rest: readonly Costs[], total: Costs, model: boolean): string[] {
  const sum = rest.reduce((nano, row) => nano + cost(row), 0n);
  const count = (of: (row: Costs) => number): string => whole(rest.reduce((all, row) => all + of(row), 0));
  return [`other (${rest.length})`, amountText(sum), percent(sum, cost(total)), count((row) => row.requests), count((row) => row.totalTokens), ...(model ? ["–", "–"] : [])];
}

const partOf = (row: Costs, total: Costs): string => percent(cost(row), cost(total));

function percent(part: bigint, all: bigint): string {
  return percentText(part, all) ?? "–";
}
