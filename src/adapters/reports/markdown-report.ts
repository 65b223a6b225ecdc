import type { CostReport, ReportFinding } from "../../domain/analytics/report.ts";
import { amountOf, caveatsOf, changeText, periodOf, tablesOf, type ReportTable } from "./tables.ts";

/** A report as Markdown (tables as GitHub writes them). Names from outside are text, whatever they contain. */
export function renderMarkdownReport(report: CostReport): string {
  const { total } = report;
  const parts = [
    `# ${plain(report.title)}`,
    `${periodOf(report)} (${report.timeZone})`,
    `**${amountOf(total)}** for ${total.requests.toLocaleString("en")} requests and ${total.totalTokens.toLocaleString("en")} tokens; ${plain(changeText(report.comparison))} against the period before, up to the same point.`,
    ...caveatsOf(report).map((line) => `> ${line}`),
    ...findings("Alerts", report.alerts), ...findings("Anomalies", report.anomalies),
    ...(report.forecast === undefined ? [] : ["## Forecast", plain(report.forecast.text)]),
    ...tablesOf(report).filter((table) => table.rows.length > 0).flatMap((table) => [`## ${table.title}`, ...(table.note === undefined ? [] : [table.note]), tableText(table)]),
  ];
  return `${parts.join("\n\n")}\n`;
}

function findings(title: string, list: readonly ReportFinding[] | undefined): string[] {
  if (list === undefined) return [];
  return [`## ${title}`, list.length === 0 ? "None." : list.map((one) => `- **${one.severity}**${one.at === undefined ? "" : ` ${plain(one.at)}`}: ${plain(one.text)}`).join("\n")];
}

function tableText({ columns, rows }: ReportTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(columns), line(columns.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map((cells) => line(cells.map(plain)))].join("\n");
}

/** Nothing of a name is markup, a link, a mention or a new line. */
function plain(text: string): string {
  const line = text.toWellFormed().replaceAll(/[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g, "\uFFFD");
  return line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(/[\\`*_[\]|~#!]/g, (mark) => `\\${mark}`).replaceAll("@", "&#64;").replaceAll("://", "&#58;//").replaceAll(/www\./gi, (www) => `${www.slice(0, 3)}&#46;`);
}
