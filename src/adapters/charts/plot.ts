import type { AnalysisQuery, DayCosts, LabelCosts } from "../../domain/analytics/analysis.ts";
import { burnDownOf, type BurnDown } from "../../domain/analytics/burn-down.ts";
import { burnDownSvg } from "./burn-down-chart.ts";
import { invalid, type ChartOptions, type DrawingOptions } from "./chart-options.ts";
import { dailyCostsSvg, type DayRow } from "./daily-costs.ts";
import { rankedCostsSvg, type RankedOptions, type RankedRow } from "./ranked-costs.ts";
import { renderPng } from "./render-png.ts";
import { writeWhole } from "./write-file.ts";

/** A `CostAnalyzer`, or anything that answers like one. */
export interface AnsweringDays {
  readonly timeZone?: string | undefined;
  dailyCosts(query: AnalysisQuery): Promise<readonly DayCosts[]>;
}
export interface AnsweringModels {
  readonly timeZone?: string | undefined;
  costByModel(query: AnalysisQuery): Promise<readonly LabelCosts[]>;
}
export interface AnsweringUsers {
  readonly timeZone?: string | undefined;
  costByUser(query: AnalysisQuery): Promise<readonly LabelCosts[]>;
}

export interface PlottedChart {
  readonly path: string;
  /** The drawing; in a PNG file it was rendered from this. */
  readonly svg: string;
}

export type PlotOptions = ChartOptions & AnalysisQuery;
export type PlotRankedOptions = ChartOptions & RankedOptions & AnalysisQuery;
/** Over an analyzer the period is the budget's, such as `{ months: 1 }`, and `budget` its dollars. */
export type PlotBurnDownOptions = PlotOptions & { readonly budget?: string | number | undefined };

/**
 * A bar for each day. Over an analyzer the options name the period as for `dailyCosts`.
 * Rejects with TollgateError `invalid_request`, `file_unwritable`, and what the analyzer rejects with.
 * @example await plotDailyCosts(new CostAnalyzer(".tollgate"), { days: 30, path: "daily.svg", theme: "dark" })
 */
export async function plotDailyCosts(of: readonly DayRow[] | AnsweringDays, options: PlotOptions): Promise<PlottedChart> {
  const type = typeOf(options);
  const rows = isRows(of) ? of : await of.dailyCosts(queryOf(options));
  return plotted(type, options, dailyCostsSvg(rows, drawingOf(of, options)));
}

/** Costs by model, the dearest first, with requests and the price of a million tokens. @example await plotModelComparison(analyzer, { months: 1, path: "models.png" }) */
export async function plotModelComparison(of: readonly RankedRow[] | AnsweringModels, options: PlotRankedOptions): Promise<PlottedChart> {
  const type = typeOf(options);
  const rows = isRows(of) ? of : await of.costByModel(queryOf(options));
  return plotted(type, options, rankedCostsSvg(rows, "model", drawingOf(of, options)));
}

/** Costs by user, the dearest first. @example await plotCostByUser(analyzer, { days: 7, path: "users.svg", rows: 20 }) */
export async function plotCostByUser(of: readonly RankedRow[] | AnsweringUsers, options: PlotRankedOptions): Promise<PlottedChart> {
  const type = typeOf(options);
  const rows = isRows(of) ? of : await of.costByUser(queryOf(options));
  return plotted(type, options, rankedCostsSvg(rows, "user", drawingOf(of, options)));
}

/** What a budget still has, and when it will be spent. @example await plotBudgetBurnDown(burnDownOf(days, { budget: "100", to: "2026-11-30" }), { path: "budget.png" }) */
export async function plotBudgetBurnDown(of: BurnDown | (AnsweringDays & { periodDates(query: AnalysisQuery): Promise<{ readonly last: string; readonly today: string }> }), options: PlotBurnDownOptions): Promise<PlottedChart> {
  const type = typeOf(options);
  if (!("dailyCosts" in of)) return plotted(type, options, burnDownSvg(of, options));
  if (options.budget === undefined) throw invalid("budget", 'must be the dollars of the budget, such as "100"');
  const query = queryOf(options);
  const { last, today } = await of.periodDates(query);
  // Days to come are no days without costs.
  const days = (await of.dailyCosts(query)).filter((day) => day.date <= today);
  const burn = burnDownOf(days, { budget: options.budget, to: last });
  return plotted(type, options, burnDownSvg(burn, drawingOf(of, options)));
}

function isRows<Row>(of: readonly Row[] | object): of is readonly Row[] {
  return Array.isArray(of);
}

function queryOf({ days, weeks, months, rollingDays, rollingHours, from, to, filter }: AnalysisQuery): AnalysisQuery {
  return Object.fromEntries(Object.entries({ days, weeks, months, rollingDays, rollingHours, from, to, filter }).filter(([, value]) => value !== undefined));
}

function drawingOf<Options extends DrawingOptions>(of: unknown, options: Options): Options {
  const timeZone = options.timeZone ?? (of as { readonly timeZone?: string }).timeZone;
  return timeZone === undefined ? options : { ...options, timeZone };
}

function typeOf({ path, theme, scale = 1 }: ChartOptions): "svg" | "png" {
  const type = typeof path === "string" ? /\.(svg|png)$/i.exec(path)?.[1]?.toLowerCase() : undefined;
  if (type === undefined) throw invalid("path", 'must name a file that ends in ".svg" or ".png"');
  if (type === "png" && theme === "auto") throw invalid("theme", 'must be "light" or "dark" for a PNG file; only SVG follows the reader');
  if (typeof scale !== "number" || !(scale >= 0.5 && scale <= 4)) throw invalid("scale", "must be from 0.5 to 4");
  return type as "svg" | "png";
}

async function plotted(type: "svg" | "png", options: ChartOptions, svg: string): Promise<PlottedChart> {
  await writeWhole(options.path, type === "svg" ? svg : await renderPng(svg, options));
  return { path: options.path, svg };
}
