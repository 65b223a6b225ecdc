import { TollgateError } from "../../base/errors.ts";
import { Analysis, type AnalysisQuery, type Comparison, type DayCosts, type HourCosts, type LabelCosts, type TopQuery } from "../../domain/analytics/analysis.ts";
import { withIds } from "../../domain/analytics/aliases.ts";
import type { Dimension } from "../../domain/analytics/dimension.ts";
import { buildReport, type CostReport, type ReportOptions } from "../../domain/analytics/report.ts";
import type { Costs, Efficiency } from "../../domain/analytics/rows.ts";
import type { CostSource } from "../../domain/analytics/source.ts";
import type { Entry } from "../../domain/ledger/entry.ts";
import type { WeekDay } from "../../domain/windows/window.ts";
import { openPlace } from "./place.ts";

const PAGE_ENTRIES = 1_000;

export interface CostAnalyzerOptions {
  /** An IANA name; UTC if left out. */
  readonly timeZone?: string;
  /** 0 is Sunday, the default. */
  readonly weekStart?: WeekDay;
  /** Epoch milliseconds; the system's clock if left out. */
  readonly now?: () => number;
  /** With a gateway's URL: its master key; `TOLLGATE_MASTER_KEY` if left out. */
  readonly apiKey?: string;
}

/** What gives its costs to an analyzer, such as a tracker or an instance of Tollgate. It stays open when the analyzer closes. */
export interface HasCosts {
  costs(): Promise<CostSource>;
  /** @internal From now on what reports read is kept. */
  keepEntries?(): void;
}

/**
 * Where the money went: over a ledger's file (or a gateway's data folder, also while it runs), a gateway's URL, or anything that has costs.
 * Nothing is read before the first question. Rejects with TollgateError `not_found`, `ledger_unreadable`, `ledger_newer`,
 * `gateway_unreachable`, `missing_key`, `invalid_time_zone`, `invalid_request`.
 *
 * @example
 * const analyzer = new CostAnalyzer(".tollgate", { timeZone: "America/New_York" });
 * console.log(await analyzer.totalCost({ days: 30 }), await analyzer.costByModel({ months: 1 }));
 * await analyzer.close();
 */
export class CostAnalyzer {
  private readonly of: string | HasCosts;
  private readonly options: CostAnalyzerOptions;
  private opened: Promise<Analysis> | undefined;

  constructor(of: string | HasCosts = "costs.db", options: CostAnalyzerOptions = {}) {
    if (typeof of !== "string" && typeof of?.costs !== "function") {
      throw new TollgateError("config_invalid", 'A CostAnalyzer is made of a file ("costs.db"), a gateway\'s URL, or what keeps books, such as a CostTracker.', { param: "of" });
    }
    this.of = of;
    if (typeof of !== "string") of.keepEntries?.();
    this.options = options;
  }

  /** Whose calendar the days are of. */
  get timeZone(): string {
    return this.options.timeZone ?? "UTC";
  }

  /** Dollars. Thirty days of the calendar, today included, unless said otherwise. */
  async totalCost(query: AnalysisQuery = {}): Promise<number> {
    return (await this.total(query)).cost;
  }

  /** The total with its exact text, requests and tokens. */
  async total(query: AnalysisQuery = {}): Promise<Costs> {
    return (await this.analysis()).total(query);
  }

  async costByModel(query: TopQuery = {}): Promise<(LabelCosts & { model: string | null })[]> {
    return (await this.by("model", query)).map((row) => ({ model: row.id, ...row }));
  }

  async costByProvider(query: TopQuery = {}): Promise<(LabelCosts & { provider: string | null })[]> {
    return (await this.by("provider", query)).map((row) => ({ provider: row.id, ...row }));
  }

  /** `user: null` are requests that named none. */
  async costByUser(query: TopQuery = {}): Promise<(LabelCosts & { user: string | null })[]> {
    return (await this.by("user", query)).map((row) => ({ user: row.id, ...row }));
  }

  /** A request with several tags counts under each of them, so these rows may sum to more than the total. */
  async costByTag(query: TopQuery = {}): Promise<(LabelCosts & { tag: string | null })[]> {
    return (await this.by("tag", query)).map((row) => ({ tag: row.id, ...row }));
  }

  async costByKey(query: TopQuery = {}): Promise<(LabelCosts & { key: string | null })[]> {
    return (await this.by("key", query)).map((row) => ({ key: row.id, ...row }));
  }

  async by(dimension: Dimension, query: TopQuery = {}): Promise<LabelCosts[]> {
    return (await this.analysis()).by(dimension, query);
  }

  /** Every local day of the period, those without costs too. */
  async dailyCosts(query: AnalysisQuery = {}): Promise<DayCosts[]> {
    return (await this.analysis()).days(query);
  }

  async hourlyCosts(query: AnalysisQuery = {}): Promise<HourCosts[]> {
    return (await this.analysis()).hours(query);
  }

  /** By model: cost per token, tokens per request, cost per 1,000 output tokens, cached share. */
  async costEfficiency(query: AnalysisQuery = {}): Promise<(LabelCosts & Efficiency)[]> {
    return (await this.analysis()).efficiency(query);
  }

  /** This period with the one before it. */
  async compare(query: AnalysisQuery = {}): Promise<Comparison> {
    return (await this.analysis()).compare(query);
  }

  /** Every entry of the period, oldest first, page by page; adjustments are no costs and not among them. */
  async *entries(query: AnalysisQuery = {}): AsyncGenerator<Entry, void, undefined> {
    const analysis = await this.analysis();
    const { from, to } = analysis.span(query);
    const filter = await withIds(analysis.source, query.filter);
    let after: string | undefined;
    do {
      const page = await analysis.source.entries({ from, to, filter, order: "oldest", limit: PAGE_ENTRIES, after });
      yield* page.entries;
      after = page.next ?? undefined;
    } while (after !== undefined);
  }

  /** The local dates that a period begins and ends on, days to come included, and today's. */
  async periodDates(query: AnalysisQuery = {}): Promise<{ readonly first: string; readonly last: string; readonly today: string }> {
    return (await this.analysis()).dates(query);
  }

  /** All of it as one report: data, to be rendered as text, Markdown or a page. */
  async report(options: Omit<ReportOptions, "madeAt"> = {}): Promise<CostReport> {
    return buildReport(await this.analysis(), { ...options, madeAt: (this.options.now ?? Date.now)() });
  }

  /** Closes what this analyzer opened; a tracker stays open. */
  async close(): Promise<void> {
    const opened = this.opened;
    this.opened = undefined;
    if (opened !== undefined && typeof this.of === "string") await (await opened).source.close();
  }

  /** The analyses themselves, for what reads the same source: monitors, reports, charts. */
  analysis(): Promise<Analysis> {
    this.opened ??= this.open().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  private async open(): Promise<Analysis> {
    const { now = Date.now, timeZone, weekStart } = this.options;
    const source = typeof this.of === "string" ? await openPlace(this.of, this.options.apiKey) : await this.of.costs();
    try {
      return new Analysis(source, { now, timeZone, weekStart });
    } catch (error) {
      if (typeof this.of === "string") await source.close();
      throw error;
    }
  }
}
