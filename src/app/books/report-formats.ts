import { writeWhole } from "../../adapters/charts/write-file.ts";
import { renderMarkdownReport } from "../../adapters/reports/markdown-report.ts";
import { renderTextReport } from "../../adapters/reports/text-report.ts";
import { TollgateError } from "../../base/errors.ts";
import type { CostReport } from "../../domain/analytics/report.ts";
import { renderHtmlReport } from "./report.ts";

/** `data` is the report itself, in a file JSON. */
export type ReportFormat = "data" | "text" | "markdown" | "html";

export interface ReportOutput {
  /** `"data"` if left out. */
  readonly format?: ReportFormat | undefined;
  /** Also written to this file, whole or not at all. */
  readonly path?: string | undefined;
}

const RENDERERS: Readonly<Record<ReportFormat, (report: CostReport) => string>> = {
  data: (report) => `${JSON.stringify(report, null, 2)}\n`,
  text: renderTextReport, markdown: renderMarkdownReport, html: renderHtmlReport,
};

/** @throws TollgateError `invalid_request`, before anything is read */
export function checkReportOutput({ format, path }: ReportOutput): void {
  if (format !== undefined && !Object.hasOwn(RENDERERS, format)) throw new TollgateError("invalid_request", `format must be ${Object.keys(RENDERERS).map((name) => `"${name}"`).join(", ")}, not ${JSON.stringify(format)}.`, { param: "format" });
  if (path !== undefined && (typeof path !== "string" || path === "")) throw new TollgateError("invalid_request", "path must name a file, such as report.html.", { param: "path" });
}

/** The report as its format has it, and written where a path is given. @throws TollgateError `file_unwritable` */
export async function outputReport(report: CostReport, { format = "data", path }: ReportOutput): Promise<CostReport | string> {
  if (format === "data" && path === undefined) return report;
  const text = RENDERERS[format](report);
  if (path !== undefined) await writeWhole(path, text);
  return format === "data" ? report : text;
}
