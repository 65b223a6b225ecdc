import type { CostReport, ReportFinding } from "../../domain/analytics/report.ts";
import { amountOf, caveatsOf, changeText, periodOf, tablesOf, type ReportTable } from "./tables.ts";

/** Drawings for a page: SVG documents whose colours are the variables of `rules`. */
export interface ReportPictures {
  readonly svgs: readonly string[];
  readonly rules: string;
}

/** Longer tables, as the days of a year, are opened by whoever wants them. */
const ROWS_OPEN = 62;

const STYLE = `
*{box-sizing:border-box}body{overflow-wrap:anywhere;margin:0 auto;max-width:1040px;padding:32px 24px;background:var(--tg-background);color:var(--tg-ink);font:15px/1.5 Inter,system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
h1{font-size:26px;margin:0}h2{font-size:18px;margin:36px 0 8px}p{margin:4px 0}.muted{color:var(--tg-muted)}
.figures{display:flex;flex-wrap:wrap;gap:12px;margin:24px 0}.figures div{border:1px solid var(--tg-grid);border-radius:8px;padding:12px 16px;flex:1 1 180px}.figures dt{color:var(--tg-muted);font-size:13px}.figures dd{margin:0;font-size:20px;font-weight:600;font-variant-numeric:tabular-nums}
figure{margin:20px 0;border:1px solid var(--tg-grid);border-radius:8px;overflow:hidden;break-inside:avoid}svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{padding:6px 10px;text-align:right;border-bottom:1px solid var(--tg-grid);white-space:nowrap}th:first-child,td:first-child{text-align:left;white-space:normal;min-width:10em;overflow-wrap:anywhere;unicode-bidi:isolate}thead th{color:var(--tg-muted);font-weight:500;font-size:13px}tbody th{font-weight:400}
ul{padding-left:20px}li{margin:4px 0}li.critical strong,li.warning strong{color:var(--tg-projected)}details summary{cursor:pointer;color:var(--tg-muted);margin-bottom:8px}
@media (max-width:720px){body{padding:20px 16px}h1{font-size:22px}.figures div{flex-basis:140px}figure{overflow-x:auto}figure svg{width:720px}}
@media print{figure{border:none;margin:8px 0}body{padding:0;max-width:none;font-size:12px}thead{display:table-header-group}tr{break-inside:avoid}h2{break-after:avoid}}`;

/** One page that needs nothing else: no script, no font, no image from anywhere. */
export function htmlReport(report: CostReport, { svgs, rules }: ReportPictures): string {
  const { total, title, timeZone } = report;
  const figures: readonly (readonly [string, string])[] = [
    ["Total", amountOf(total)], ["Against the period before", changeText(report.comparison)],
    ["Requests", total.requests.toLocaleString("en")], ["Tokens", total.totalTokens.toLocaleString("en")],
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title><style>${rules}${STYLE}</style></head><body>
<header><h1>${escaped(title)}</h1><p class="muted">${escaped(periodOf(report))} · ${escaped(timeZone)} · made ${new Date(report.madeAt).toISOString().slice(0, 16).replace("T", " ")} UTC</p></header>
<main><dl class="figures">${figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`).join("")}</dl>
${caveatsOf(report).map((line) => `<p class="muted">${escaped(line)}</p>`).join("\n")}
${findings("Alerts", report.alerts)}${findings("Anomalies", report.anomalies)}${report.forecast === undefined ? "" : `<section><h2>Forecast</h2><p>${escaped(report.forecast.text)}</p></section>`}
${svgs.map((svg) => `<figure>${svg.trim()}</figure>`).join("\n")}
${tablesOf(report).filter((table) => table.rows.length > 0).map(section).join("\n")}
</main></body></html>
`;
}

function section(table: ReportTable): string {
  const { title, note, columns, rows } = table;
  const head = `<thead><tr>${columns.map((column) => `<th scope="col">${escaped(column)}</th>`).join("")}</tr></thead>`;
  const body = rows.map(([name = "", ...cells]) => `<tr><th scope="row">${escaped(name)}</th>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`).join("\n");
  const all = `<div class="scroll"><table aria-label="${escaped(title)}">${head}<tbody>${body}</tbody></table></div>`;
  return `<section><h2>${escaped(title)}</h2>${note === undefined ? "" : `<p class="muted">${escaped(note)}</p>`}${rows.length > ROWS_OPEN ? `<details><summary>${rows.length.toLocaleString("en")} rows</summary>${all}</details>` : all}</section>`;
}

function findings(title: string, list: readonly ReportFinding[] | undefined): string {
  if (list === undefined) return "";
  const items = list.map((one) => `<li class="${one.severity === "critical" || one.severity === "warning" ? one.severity : "info"}"><strong>${escaped(one.severity)}</strong>${one.at === undefined ? "" : ` ${escaped(one.at)}`}: ${escaped(one.text)}</li>`);
  return `<section><h2>${title}</h2>${items.length === 0 ? "<p>None.</p>" : `<ul>${items.join("")}</ul>`}</section>\n`;
}

function escaped(text: string): string {
  return text.toWellFormed().replaceAll(/[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g, "\uFFFD").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}
