import { TollgateError } from "../../base/errors.ts";
import { checkZone } from "../windows/zone.ts";
import { withIds } from "./aliases.ts";
import type { WeekDay } from "../windows/window.ts";
import { calendarSpans } from "./calendar.ts";
import type { CostFilter, Dimension, GroupBy } from "./dimension.ts";
import { periodBefore, periodSpan, type Calendar, type Period, type PeriodSpan } from "./period.ts";
import { namesOf } from "./names.ts";
import { costsOf, efficiencyOf, type Costs, type Efficiency } from "./rows.ts";
import type { CostGroup, CostSource } from "./source.ts";
import { addSums, NO_COSTS, subtractSums, type CostSums } from "./sums.ts";

export interface AnalysisQuery extends Period {
  readonly filter?: CostFilter | undefined;
}

export interface TopQuery extends AnalysisQuery {
  /** Only the dearest so many. Without it all rows come, and they sum to the total (tags may count an entry twice). */
  readonly limit?: number | undefined;
}

export interface LabelCosts extends Costs {
  /** `null`: entries without this label. Of teams and users of the gateway the id that it was given. */
  readonly id: string | null;
  /** For people: an alias, else the id, or "(none)". */
  readonly label: string;
}

export interface DayCosts extends Costs {
  /** The local date. */
  readonly date: string;
}

export interface HourCosts extends Costs {
  /** The local hour with its distance from UTC, such as `2026-11-01T01:00-05:00`. */
  readonly hour: string;
}

export interface Comparison {
  readonly current: Costs;
  readonly previous: Costs;
  /** The earlier period up to where this one has come; equals `previous` once this one is over. */
  readonly previousToDate: Costs;
  /** Dollars, against `previousToDate`; exact beside it. */
  readonly change: number;
  readonly changeExact: string;
  /** `null` where nothing was spent before. @example 0.25 // a quarter more */
  readonly changeShare: number | null;
}

export interface AnalysisOptions {
  readonly now: () => number;
  readonly timeZone?: string | undefined;
  readonly weekStart?: WeekDay | undefined;
}

/** The analyses over any source of costs. */
export class Analysis {
  readonly source: CostSource;
  readonly calendar: Calendar;
  /** Epoch milliseconds. */
  readonly now: () => number;

  /** @throws TollgateError `invalid_time_zone`, `invalid_request` */
  constructor(source: CostSource, { now, timeZone = "UTC", weekStart = 0 }: AnalysisOptions) {
    if (!Number.isInteger(weekStart) || weekStart < 0 || weekStart > 6) throw new TollgateError("invalid_request", "weekStart must be 0 (Sunday) to 6 (Saturday).", { param: "weekStart" });
    this.source = source;
    this.now = now;
    this.calendar = { timeZone: checkZone(timeZone, { param: "timeZone" }), weekStart };
  }

  span(period: Period): PeriodSpan {
    return periodSpan(period, this.now(), this.calendar);
  }

  /** The local dates of the period's first and last day, which may be to come, and of today. */
  dates(period: Period): { readonly first: string; readonly last: string; readonly today: string } {
    const { from, to } = this.span(period);
    const name = (at: number): string => calendarSpans("day", at, at + 1, this.calendar.timeZone, this.calendar.weekStart)[0]?.name ?? "";
    return { first: name(from), last: name(Math.max(from, to - 1)), today: name(this.now()) };
  }

  async total(query: AnalysisQuery): Promise<Costs> {
    return costsOf(await this.sum(this.span(query), query.filter));
  }

  async by(dimension: Dimension, query: TopQuery): Promise<LabelCosts[]> {
    const { limit } = query;
    if (limit !== undefined && (!Number.isInteger(limit) || limit < 1)) throw new TollgateError("invalid_request", "limit must be a whole number from 1.", { param: "limit" });
    const span = this.span(query);
    const groups = (await this.groups(dimension, span, query.filter)).slice(0, limit);
    const names = await namesOf(this.source, dimension, groups, span);
    return groups.map((group) => {
      const name = group.group === null ? undefined : names.get(group.group);
      return { id: name?.wireId ?? group.group, label: group.group === null ? "(none)" : (name?.label ?? group.group), ...costsOf(group) };
    });
  }

  /** One row for each day of the period up to today, also where nothing was spent. */
  async days(query: AnalysisQuery): Promise<DayCosts[]> {
    return (await this.series("day", query)).map((group) => ({ date: group.group ?? "", ...costsOf(group) }));
  }

  async hours(query: AnalysisQuery): Promise<HourCosts[]> {
    return (await this.series("hour", query)).map((group) => ({ hour: group.group ?? "", ...costsOf(group) }));
  }

  async efficiency(query: AnalysisQuery): Promise<(LabelCosts & Efficiency)[]> {
    return (await this.by("model", query)).map((row) => ({ ...row, ...efficiencyOf(row) }));
  }

  async compare(query: AnalysisQuery): Promise<Comparison> {
    const span = this.span(query);
    const before = periodBefore(query, span, this.calendar);
    const elapsed = Math.min(span.to, Math.max(this.now(), span.from)) - span.from;
    const toDate = span.to <= this.now() ? before.to : Math.min(before.from + elapsed, before.to);
    const sums = await Promise.all([span, before, { from: before.from, to: toDate }].map((one) => this.sum(one, query.filter)));
    const [now = NO_COSTS, then = NO_COSTS, so = NO_COSTS] = sums;
    const change = costsOf(subtractSums(now, so));
    const previousToDate = costsOf(so);
    return {
      current: costsOf(now), previous: costsOf(then), previousToDate, change: change.cost, changeExact: change.costExact,
      changeShare: previousToDate.cost > 0 ? change.cost / previousToDate.cost : null,
    };
  }

  private async series(by: "day" | "hour", query: AnalysisQuery): Promise<readonly CostGroup[]> {
    const span = this.span(query);
    // A series without a beginning begins with the first cost, not in 1970.
    const from = span.from === 0 ? ((await this.source.entries({ order: "oldest", limit: 1 })).entries[0]?.at ?? span.to) : span.from;
    return await this.groups(by, { from, to: span.to }, query.filter);
  }

  private async groups(by: GroupBy, { from, to }: PeriodSpan, filter: CostFilter | undefined): Promise<readonly CostGroup[]> {
    return await this.source.sums({ from, to, by, filter: await withIds(this.source, filter), ...this.calendar });
  }

  private async sum(span: PeriodSpan, filter: CostFilter | undefined): Promise<CostSums> {
    let total = NO_COSTS;
    for (const group of await this.groups("none", span, filter)) total = addSums(total, group);
    return total;
  }
}
