import { cutToColumns, textColumns } from "../../base/text-columns.ts";
import type { CostReport, ReportFinding } from "../../domain/analytics/report.ts";
import { amountOf, caveatsOf, changeText, periodOf, tablesOf, type ReportTable } from "./tables.ts";

/** Names longer than this are shortened, so that a table fits a terminal. */
const NAME_WIDTH = 40;

/** A report as plain text for a terminal: aligned columns, no colours. Names from outside cannot move the cursor or begin a line. */
export function renderTextReport(report: CostReport): string {
  const { total } = report;
  const parts = [
    heading(plain(report.title), "="),
    `${periodOf(report)} (${report.timeZone})`,
    `${amountOf(total)} for ${total.requests.toLocaleString("en")} requests and ${total.totalTokens.toLocaleString("en")} tokens; ${changeText(report.comparison)} against the period before, up to the same point.`,
    ...caveatsOf(report).map((line) => `Note: ${line}`),
    ...findings("Alerts", report.alerts), ...findings("Anomalies", report.anomalies),
    ...(report.forecast === undefined ? [] : [`${heading("Forecast", "-")}\n${plain(report.forecast.text)}`]),
    ...tablesOf(report).filter((table) => table.rows.length > 0).map((table) => [heading(table.title, "-"), ...(table.note === undefined ? [] : [table.note]), tableText(table)].join("\n")),
  ];
  return `${parts.join("\n\n")}\n`;
}

function findings(title: string, list: readonly ReportFinding[] | undefined): string[] {
  if (list === undefined) return [];
  const lines = list.map((one) => `${one.severity.toUpperCase()}${one.at === undefined ? "" : ` ${plain(one.at)}`}: ${plain(one.text)}`);
  return [[heading(title, "-"), ...(lines.length === 0 ? ["None."] : lines)].join("\n")];
}

function heading(text: string, line: string): string {
  return `${text}\n${line.repeat(Math.max(1, textColumns(text)))}`;
}

function tableText({ columns, rows }: ReportTable): string {
  const cells = [columns, ...rows.map(([name = "", ...numbers]) => [cutToColumns(plain(name), NAME_WIDTH), ...numbers])];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => textColumns(row[index] ?? ""))));
  return cells.map((row) => row.map((cell, index) => (index === 0 ? `${cell}${" ".repeat((widths[0] ?? 0) - textColumns(cell))}` : cell.padStart(widths[index] ?? 0))).join("  ").trimEnd()).join("\n");
}

function plain(text: string): string {
  return text.toWellFormed().replaceAll(/[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g, "\uFFFD");
}
