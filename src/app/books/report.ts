import { burnDownSvg } from "../../adapters/charts/burn-down-chart.ts";
import { dailyCostsSvg } from "../../adapters/charts/daily-costs.ts";
import { rankedCostsSvg } from "../../adapters/charts/ranked-costs.ts";
import { followingRules } from "../../adapters/charts/theme.ts";
import { htmlReport } from "../../adapters/reports/html-report.ts";
import type { CostReport } from "../../domain/analytics/report.ts";

/** A report as one self-contained HTML page, light or dark as its reader has it. @example writeFileSync("report.html", renderHtmlReport(await analyzer.report({ months: 1 }))) */
export function renderHtmlReport(report: CostReport): string {
  const { timeZone } = report;
  const options = { theme: "auto", timeZone } as const;
  const svgs = [
    dailyCostsSvg(report.daily, options),
    ...(report.forecast?.budgets ?? []).map(({ name, burnDown }) => burnDownSvg(burnDown, { ...options, title: `Budget ${name}` })),
    rankedCostsSvg(report.byModel, "model", options), rankedCostsSvg(report.byUser, "user", options),
  ];
  // The page says once which colours there are; what the drawings refer to inside has its own name in each.
  const inPage = svgs.map((svg, index) => svg.replace(/<style>[\s\S]*?<\/style>/, "").replaceAll(/(id="|url\(#)tg-/g, `$1tg${index}-`));
  return htmlReport(report, { svgs: inPage, rules: followingRules(":root") });
}
