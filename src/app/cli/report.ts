import { TollgateError } from "../../base/errors.ts";
import { parseNanoUsd } from "../../base/money.ts";
import type { AnalysisQuery, DayCosts, LabelCosts } from "../../domain/analytics/analysis.ts";
import type { Costs } from "../../domain/analytics/rows.ts";
import { DIMENSION_NAMES, filterOf } from "../../surfaces/cli/filter.ts";
import { periodOf } from "../../surfaces/cli/period.ts";
import type { ReportOptions } from "../../surfaces/cli/program.ts";
import { printReport, type SpendRow } from "../../surfaces/cli/report.ts";
import { wantsJson, writeJson, type Terminal } from "../../surfaces/cli/terminal.ts";
import type { CostAnalyzer } from "../books/cost-analyzer.ts";
import { analyzerOf } from "./analyzer-of.ts";
import { startCommand } from "./command-prefix.ts";

/** What was spent, from the analyses that everything else reads. */
export async function reportCosts(options: ReportOptions, terminal: Terminal): Promise<void> {
  const { by } = options;
  const period = periodOf(options, Date.now());
  const query = { from: period.span.from, to: period.span.to, filter: filterOf(options) };
  const analyzer = analyzerOf(options, period.timeZone);
  try {
    if (options.out !== undefined) {
      const { path, format } = await (await import("./report-file.ts")).writeReport(analyzer, query, { ...options, out: options.out });
      if (wantsJson(terminal, options)) writeJson(terminal, { path, format });
      else terminal.out(`The report is in ${path}.\n`);
      return;
    }
    const [total, rows] = await Promise.all([analyzer.total(query), by === "day" ? daysSoFar(analyzer, query) : analyzer.by(DIMENSION_NAMES[by], query)]);
    printReport(terminal, { by, period, total: rowOf("total", total), rows: rows.map((row) => ("date" in row ? rowOf(row.date, row) : rowOf(row.id ?? "", row, labelOf(row)))) }, options);
  } catch (error) {
    if (!TollgateError.isInstance(error) || error.code !== "not_found") throw error;
    throw new TollgateError("ledger_unreadable", `There is no ledger in the data folder ${options.data}. Start a gateway with \`${startCommand(options.data)}\`, or name another folder with --data.`, { cause: error });
  } finally {
    await analyzer.close();
  }
}

/** Days to come are no days without costs. */
async function daysSoFar(analyzer: CostAnalyzer, query: AnalysisQuery): Promise<readonly DayCosts[]> {
  const { today } = await analyzer.periodDates(query);
  return (await analyzer.dailyCosts(query)).filter((day) => day.date <= today || day.requests > 0);
}

function labelOf({ id, label }: LabelCosts): string | undefined {
  return id === null || label === id ? undefined : label;
}

function rowOf(group: string, costs: Costs, label?: string): SpendRow {
  const { requests, inputTokens, outputTokens, failedRequests, estimatedEntries, unpricedEntries, cacheHits, savedExact } = costs;
  return { group, ...(label === undefined ? {} : { label }), cost: (parseNanoUsd(costs.costExact, "exact") ?? 0n).toString(), requests, inputTokens, outputTokens, failedRequests, estimatedEntries, unpricedEntries, cacheHits, saved: (parseNanoUsd(savedExact, "exact") ?? 0n).toString() };
}
