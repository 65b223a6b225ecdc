import { TollgateError } from "../../base/errors.ts";
import type { CostReport } from "../../domain/analytics/report.ts";

/** `data` is the report itself, in a file JSON. */
export type ReportFormat = "data" | "text" | "markdown" | "html";

export interface ReportOutput {
  /** `"data"` if left out. */
  readonly format?: ReportFormat | undefined;
  /** Also written to this file, whole or not at all. */
  readonly path?: string | undefined;
}

/** Only who wants a page loads what draws its charts. */
const RENDERERS: Readonly<Record<ReportFormat, (report: CostReport) => string | Promise<string>>> = {
  data: (report) => `${JSON.stringify(report, null, 2)}\n`,
  text: async (report) => (await import("../../adapters/reports/text-report.ts")).renderTextReport(report),
  markdown: async (report) => (await import("../../adapters/reports/markdown-report.ts")).renderMarkdownReport(report),
  html: async (report) => (await import("./report.ts")).renderHtmlReport(report),
};

/** @throws TollgateError `invalid_request`, before anything is read */
export function checkReportOutput({ format, path }: ReportOutput): void {
  if (format !== undefined && !Object.hasOwn(RENDERERS, format)) throw new TollgateError("invalid_request", `format must be ${Object.keys(RENDERERS).map((name) => `"${name}"`).join(", ")}, not ${JSON.stringify(format)}.`, { param: "format" });
  if (path !== undefined && (typeof path !== "string" || path === "")) throw new TollgateError("invalid_request", "path must name a file, such as report.html.", { param: "path" });
}

/** The report as its format has it, and written where a path is given. @throws TollgateError `file_unwritable` */
export async function outputReport(report: CostReport, { format = "data", path }: ReportOutput): Promise<CostReport | string> {
  if (format === "data" && path === undefined) return report;
  const text = await RENDERERS[format](report);
  if (path !== undefined) await (await import("../../adapters/charts/write-file.ts")).writeWhole(path, text);
  return format === "data" ? report : text;
}
