import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { TollgateError } from "../../base/errors.ts";
import { parseNanoUsd } from "../../base/money.ts";
import type { LabelCosts } from "../../domain/analytics/analysis.ts";
import type { Costs } from "../../domain/analytics/rows.ts";
import { DIMENSION_NAMES, filterOf } from "../../surfaces/cli/filter.ts";
import { periodOf } from "../../surfaces/cli/period.ts";
import type { ReportOptions } from "../../surfaces/cli/program.ts";
import { printReport, type SpendRow } from "../../surfaces/cli/report.ts";
import type { Terminal } from "../../surfaces/cli/terminal.ts";
import { analyzerOf } from "./analyzer-of.ts";
import { startCommand } from "./command-prefix.ts";

/** What was spent, from the analyses that everything else reads. */
export async function reportCosts(options: ReportOptions, terminal: Terminal): Promise<void> {
  const { by, url, data } = options;
  const period = periodOf(options, Date.now());
  const query = { from: period.span.from, to: period.span.to, filter: filterOf(options) };
  if (url === undefined && !existsSync(data.endsWith(".db") ? data : join(data, "ledger.db")) && !(existsSync(data) && statSync(data).isFile())) {
    throw new TollgateError("ledger_unreadable", `There is no ledger in the data folder ${data}. Start a gateway with \`${startCommand(data)}\`, or name another folder with --data.`);
  }
  const analyzer = analyzerOf(options, period.timeZone);
  try {
    const [total, rows] = await Promise.all([analyzer.total(query), by === "day" ? analyzer.dailyCosts(query) : analyzer.by(DIMENSION_NAMES[by], query)]);
    printReport(terminal, { by, period, total: rowOf("total", total), rows: rows.map((row) => ("date" in row ? rowOf(row.date, row) : rowOf(row.id ?? "", row, labelOf(row)))) }, options);
  } finally {
    await analyzer.close();
  }
}

function labelOf({ id, label }: LabelCosts): string | undefined {
  return id === null || label === id ? undefined : label;
}

function rowOf(group: string, costs: Costs, label?: string): SpendRow {
  const { requests, inputTokens, outputTokens, failedRequests, estimatedEntries, unpricedEntries, cacheHits, savedExact } = costs;
  return { group, ...(label === undefined ? {} : { label }), cost: (parseNanoUsd(costs.costExact, "exact") ?? 0n).toString(), requests, inputTokens, outputTokens, failedRequests, estimatedEntries, unpricedEntries, cacheHits, saved: (parseNanoUsd(savedExact, "exact") ?? 0n).toString() };
}
