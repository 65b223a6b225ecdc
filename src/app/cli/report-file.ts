import { existsSync } from "node:fs";
import { TollgateError } from "../../base/errors.ts";
import type { AnalysisQuery } from "../../domain/analytics/analysis.ts";
import type { CostAnalyzer } from "../books/cost-analyzer.ts";
import { CostMonitor } from "../books/cost-monitor.ts";
import type { ReportFormat } from "../books/report-formats.ts";
import { loadMonitor } from "../config/read-monitor.ts";

const FORMATS: Readonly<Record<string, ReportFormat>> = { html: "html", md: "markdown", txt: "text", json: "data" };
const DEFAULT_CONFIG = "tollgate.yaml";

/** The whole report in a file: what a monitor with the limits and budgets of the configuration says of the period. @throws TollgateError `usage`, `file_unwritable`, `config_invalid` */
export async function writeReport(analyzer: CostAnalyzer, query: AnalysisQuery, { out, force, config }: { readonly out: string; readonly force?: boolean | undefined; readonly config?: string | undefined }): Promise<{ readonly path: string; readonly format: ReportFormat }> {
  const format = FORMATS[/\.(\w+)$/.exec(out)?.[1]?.toLowerCase() ?? ""];
  if (format === undefined) throw new TollgateError("usage", `--out must end in ${Object.keys(FORMATS).map((ending) => `.${ending}`).join(", ")}, not "${out}".`);
  if (force !== true && existsSync(out)) throw new TollgateError("usage", `${out} exists. Choose another name, or say --force.`);
  const file = config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  const { thresholds = {}, budgets, anomalies, unpriced, overruns } = file === undefined ? {} : loadMonitor({ file, env: process.env }).options;
  await new CostMonitor(analyzer, { thresholds, budgets, anomalies, unpriced, overruns }).generateReport({ ...query, format, path: out });
  return { path: out, format };
}
