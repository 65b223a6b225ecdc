import { parseNanoUsd } from "../../base/money.ts";
import { count, dollarColumn, dollars } from "../../surfaces/cli/amounts.ts";
import type { Optimizing, PastOptions } from "../../surfaces/cli/optimize.ts";
import { tableLines, wrapped } from "../../surfaces/cli/table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "../../surfaces/cli/terminal.ts";
import { CostOptimizer } from "../books/cost-optimizer.ts";
import type { ModelSelection, WasteReport, WhatIfResult } from "../books/optimizer-types.ts";
import { analyzerOf } from "./analyzer-of.ts";

/** `CostOptimizer` on the command line. */
export function optimizing(terminal: Terminal): Optimizing {
  const shown = <T>(options: { readonly json?: boolean | undefined }, value: T, lines: (value: T) => string[]): void => {
    if (wantsJson(terminal, options)) writeJson(terminal, value);
    else terminal.out(`${lines(value).join("\n")}\n`);
  };
  return {
    whatIf: async (options) => {
      const { model, caching, batch } = options;
      const supposed = { model, caching: typeof caching === "number" ? { share: caching } : caching, batch: batch === undefined ? undefined : { payShare: batch } };
      shown(options, await overPast(options, (optimizer) => optimizer.whatIf({ ...periodOf(options), ...supposed })), (result) => whatIfLines(terminal, result));
    },
    waste: async (options) => shown(options, await overPast(options, (optimizer) => optimizer.waste(periodOf(options))), (report) => wasteLines(terminal, report)),
    cheapest: async (options) => {
      const { models, inputTokens, maxOutputTokens, budget } = options;
      shown(options, await new CostOptimizer({ models }).selectBestModel({ inputTokens, maxOutputTokens, budget }), (selection) => selectionLines(terminal, selection, models === undefined));
    },
  };
}

async function overPast<T>(options: PastOptions, question: (optimizer: CostOptimizer) => Promise<T>): Promise<T> {
  const analyzer = analyzerOf(options, options.timeZone);
  try {
    return await question(new CostOptimizer({ analyzer }));
  } finally {
    await analyzer.close();
  }
}

function periodOf({ days, from, to }: PastOptions): { days?: number | undefined; from?: string | undefined; to?: string | undefined } {
  return { days, from, to };
}

function whatIfLines(terminal: Terminal, result: WhatIfResult): string[] {
  const all = [...result.byModel, { ...result, model: "total" }];
  const columns = [{ title: "model", align: "left", shrinks: true }, { title: "requests", align: "right" }, { title: "before", align: "right" }, { title: "after", align: "right" }, { title: "saved", align: "right" }] as const;
  const [before, after, saved] = (["beforeExact", "afterExact", "savedExact"] as const).map((name) => dollarColumn(all.map((row) => nano(row[name]))));
  const rows = all.map((row, index) => ({ cells: [row.model, count(row.requests), before?.[index] ?? "", after?.[index] ?? "", saved?.[index] ?? ""], ...(index === result.byModel.length ? { style: "bold" as const } : {}) }));
  const notes = [...result.notPriced.map(({ reason, requests, costExact }) => `Kept at their cost: ${count(requests)} requests, ${dollars(nano(costExact))} (${reason}).`), ...result.assumes, ...evidenceLines(result)];
  return [...tableLines(terminal, columns, rows), "", ...notes.flatMap((note) => wrapped(note, terminal.columns))];
}

function evidenceLines({ evidence }: WhatIfResult): string[] {
  if (evidence === undefined) return [];
  const { cachedInput, repeatedPrompts } = evidence;
  const tokens = (name: "cachedTokens" | "inputTokens"): number => cachedInput.reduce((sum, row) => sum + row[name], 0);
  return [
    `Evidence: ${count(tokens("cachedTokens"))} of ${count(tokens("inputTokens"))} input tokens of the period came from a cache.`,
    ...(repeatedPrompts.known ? [`${count(repeatedPrompts.requests)} of ${count(repeatedPrompts.fingerprinted)} fingerprinted prompts were repeated and paid again, for ${dollars(nano(repeatedPrompts.costExact))}.`] : []),
  ];
}

function wasteLines(terminal: Terminal, report: WasteReport): string[] {
  const { repeatedPrompts } = report;
  const all = [
    ...report.failedCalls.byStatus.map((row) => ({ ...row, what: `failed: ${row.status}` })), { ...report.retries, what: "retries" }, { ...report.clientsThatLeft, what: "clients that left" },
    ...(repeatedPrompts.known ? [{ ...repeatedPrompts, what: "repeated prompts" }] : []), { ...report.total, what: "of all" },
  ];
  const costs = dollarColumn(all.map((row) => nano(row.costExact)));
  const columns = [{ title: "paid for", align: "left", shrinks: true }, { title: "requests", align: "right" }, { title: "cost", align: "right" }] as const;
  const lines = tableLines(terminal, columns, all.map((row, index) => ({ cells: [row.what, count(row.requests), costs[index] ?? ""] })));
  return repeatedPrompts.known ? lines : [...lines, "", ...wrapped(repeatedPrompts.reason, terminal.columns)];
}

/** Of the whole price list only the cheapest are shown. */
function selectionLines(terminal: Terminal, selection: ModelSelection, ofList: boolean): string[] {
  const all = [selection, ...selection.alternatives].slice(0, ofList ? LISTED_ROWS : undefined);
  const costs = dollarColumn(all.map((one) => nano(one.estimatedCostExact)));
  const table = tableLines(terminal, [{ title: "model", align: "left", shrinks: true }, { title: "at most", align: "right" }], all.map((one, index) => ({ cells: [one.model, costs[index] ?? ""], ...(index === 0 ? { style: "bold" as const } : {}) })));
  if (ofList) return [...table, "", ...wrapped(`${count(selection.alternatives.length + 1 - all.length)} more of the price list fit, ${count(selection.rejected.length)} do not.`, terminal.columns)];
  return [...table, ...selection.rejected.flatMap(({ model, reasons }) => wrapped(`${model}: ${reasons.join(", and ")}.`, terminal.columns).map((line) => styled(terminal, "dim", line)))];
}

const LISTED_ROWS = 10;

function nano(exact: string): bigint {
  return parseNanoUsd(exact) ?? (exact.startsWith("-") ? -(parseNanoUsd(exact.slice(1)) ?? 0n) : 0n);
}
