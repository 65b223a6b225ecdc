import { calendarSpan, dateText } from "../analytics/calendar.ts";
import type { Calendar } from "../analytics/period.ts";
import type { CostSource } from "../analytics/source.ts";
import { localDayOf } from "../windows/zone.ts";
import { isoTime, type Alert } from "./alert.ts";
import { anomalyAlerts } from "./anomalies.ts";
import { budgetAlerts, budgetStates, burnDowns, overrunAlerts, type BudgetState } from "./budgets.ts";
import { DailyHistory, HISTORY_DAYS, daySpans } from "./history.ts";
import type { AlertRules } from "./rules.ts";
import { thresholdAlerts, type Day } from "./thresholds.ts";
import { unpricedAlerts } from "./unpriced.ts";

/** Looks at the costs of a source with one set of rules, again and again. */
export class Examination {
  private readonly history: DailyHistory;
  private readonly source: CostSource;
  private readonly rules: AlertRules;
  private readonly calendar: Calendar;

  constructor(source: CostSource, rules: AlertRules, calendar: Calendar) {
    this.source = source;
    this.rules = rules;
    this.calendar = calendar;
    this.history = new DailyHistory(source);
  }

  /** Everything that is to be said now: limits first, then budgets, unpriced traffic and anomalies. */
  async alerts(now: number): Promise<Alert[]> {
    const { thresholds, anomalies, unpriced, overruns } = this.rules;
    const day = this.today(now);
    const states = await this.budgets(now);
    return [
      ...(await thresholdAlerts(this.source, thresholds, day)), ...budgetAlerts(states), ...(overruns ? overrunAlerts(states) : []),
      ...(unpriced ? await unpricedAlerts(this.source, day) : []),
      ...(anomalies === null ? [] : await anomalyAlerts(this.source, this.history, daySpans(now, this.calendar, HISTORY_DAYS), anomalies)),
    ];
  }

  budgets(now: number): Promise<BudgetState[]> {
    return budgetStates(this.source, this.rules.budgets, now, this.calendar);
  }

  /** The course of each budget that has one. */
  async burnDowns(now: number): ReturnType<typeof burnDowns> {
    return burnDowns(this.source, await this.budgets(now), now, this.calendar);
  }

  private today(now: number): Day {
    const { start, end } = calendarSpan("day", now, this.calendar.timeZone, this.calendar.weekStart);
    return { from: start, to: end, period: { name: dateText(localDayOf(start, this.calendar.timeZone)), from: isoTime(start), to: isoTime(end) } };
  }
}
