import type { Analysis, AnalysisQuery, Comparison, DayCosts, LabelCosts } from "./analysis.ts";
import type { BurnDown } from "./burn-down.ts";
import type { Costs, Efficiency } from "./rows.ts";

/** One finding of a watch: an alert, an anomaly. What a reader should know, with its numbers in the sentence. */
export interface ReportFinding {
  readonly severity: "info" | "warning" | "critical";
  /** One sentence. */
  readonly text: string;
  /** When, as a local date or an instant. */
  readonly at?: string | undefined;
}

/** A cost report as data; text, Markdown and HTML are drawn from it alone. JSON-safe. */
export interface CostReport {
  readonly title: string;
  /** Epoch milliseconds. */
  readonly madeAt: number;
  readonly timeZone: string;
  /** Instants `[from, to)` in epoch milliseconds, and the local dates they lie in. */
  readonly period: { readonly from: number; readonly to: number; readonly first: string; readonly last: string };
  readonly total: Costs;
  readonly comparison: Comparison;
  /** Up to today. */
  readonly daily: readonly DayCosts[];
  readonly byModel: readonly (LabelCosts & Efficiency)[];
  readonly byProvider: readonly LabelCosts[];
  readonly byUser: readonly LabelCosts[];
  readonly byKey: readonly LabelCosts[];
  /** A request with several tags counts under each of them. */
  readonly byTag: readonly LabelCosts[];
  readonly alerts?: readonly ReportFinding[] | undefined;
  readonly anomalies?: readonly ReportFinding[] | undefined;
  readonly forecast?: ReportForecast | undefined;
}

export interface ReportForecast {
  /** What is expected, or why nothing can be. */
  readonly text: string;
  /** Budgets with what they still have. */
  readonly budgets?: readonly { readonly name: string; readonly burnDown: BurnDown }[] | undefined;
}

export interface ReportOptions extends AnalysisQuery {
  readonly title?: string | undefined;
  readonly madeAt: number;
  readonly alerts?: readonly ReportFinding[] | undefined;
  readonly anomalies?: readonly ReportFinding[] | undefined;
  readonly forecast?: ReportForecast | undefined;
}

/** A report of a period: thirty calendar days where none is named. @throws TollgateError as `Analysis` does */
export async function buildReport(analysis: Analysis, options: ReportOptions): Promise<CostReport> {
  const { title = "Cost report", madeAt, alerts, anomalies, forecast, ...query } = options;
  const [total, comparison, daily, byModel, byProvider, byUser, byKey, byTag] = await Promise.all([
    analysis.total(query), analysis.compare(query), analysis.days(query), analysis.efficiency(query),
    analysis.by("provider", query), analysis.by("user", query), analysis.by("key", query), analysis.by("tag", query),
  ]);
  const { from, to } = analysis.span(query);
  // A period without a beginning begins with its first day that has costs.
  const { first: begins, last, today } = analysis.dates(query);
  const first = from === 0 ? (daily[0]?.date ?? last) : begins;
  return {
    title, madeAt, timeZone: analysis.calendar.timeZone, period: { from, to, first, last },
    total, comparison, daily: daily.filter((day) => day.date <= today), byModel, byProvider, byUser, byKey, byTag,
    ...(alerts === undefined ? {} : { alerts }), ...(anomalies === undefined ? {} : { anomalies }), ...(forecast === undefined ? {} : { forecast }),
  };
}
