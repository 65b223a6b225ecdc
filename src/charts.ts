export type { CurrencyOptions } from "./domain/analytics/amounts.ts";
export { burnDownOf, type BurnDown, type BurnDownOptions } from "./domain/analytics/burn-down.ts";
export type { ChartOptions } from "./adapters/charts/chart-options.ts";
export { plotBudgetBurnDown, plotCostByUser, plotDailyCosts, plotModelComparison, type PlotBurnDownOptions, type PlotOptions, type PlotRankedOptions, type PlottedChart } from "./adapters/charts/plot.ts";
export { renderHtmlReport } from "./app/books/report.ts";
export { renderMarkdownReport } from "./adapters/reports/markdown-report.ts";
export { renderTextReport } from "./adapters/reports/text-report.ts";
export type { CostReport, ReportFinding, ReportForecast } from "./domain/analytics/report.ts";
