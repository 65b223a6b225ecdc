import { formatNanoUsd, type NanoUsd } from "../../base/money.ts";
import { withIds } from "../analytics/aliases.ts";
import { burnDownOf, type BurnDown } from "../analytics/burn-down.ts";
import type { CostFilter } from "../analytics/dimension.ts";
import type { Calendar } from "../analytics/period.ts";
import type { CostSource } from "../analytics/source.ts";
import { NO_COSTS, addSums, type CostSums } from "../analytics/sums.ts";
import { spanAt } from "../windows/span.ts";
import { LIFETIME, type WindowSpan } from "../windows/window.ts";
import { localDayOf } from "../windows/zone.ts";
import { dateText } from "../analytics/calendar.ts";
import { TOTAL, alertId, amounts, dollarNumber, isoTime, type AlertPeriod, type AlertScope, type BudgetAlert, type OverrunAlert } from "./alert.ts";
import { forecastOf, type Forecast } from "./forecast.ts";
import { daySpans, weekDayOf } from "./history.ts";
import type { WatchedBudget } from "./rules.ts";
import { dollars, percentOf, scopeText, shownName } from "./words.ts";

const FORECAST_DAYS = 30;

/** A budget in its current window. */
export interface BudgetState {
  readonly budget: WatchedBudget;
  readonly scope: AlertScope;
  readonly period: AlertPeriod;
  readonly span: WindowSpan;
  readonly sums: CostSums;
  readonly forecast: Forecast;
  /** What is counted in it. */
  readonly filter: CostFilter | undefined;
}

export async function budgetStates(source: CostSource, budgets: readonly WatchedBudget[], now: number, calendar: Calendar): Promise<BudgetState[]> {
  const states: BudgetState[] = [];
  for (const budget of budgets) states.push(await stateOf(source, budget, now, calendar));
  return states;
}

async function stateOf(source: CostSource, budget: WatchedBudget, now: number, calendar: Calendar): Promise<BudgetState> {
  // Keys and teams may be named as people call them.
  const filter = await withIds(source, budget.scope === null ? undefined : { [budget.scope.dimension]: budget.scope.id });
  const span = budget.duration === null ? spanAt(LIFETIME, now) : spanAt({ kind: "aligned", duration: budget.duration, zone: calendar.timeZone, weekStart: calendar.weekStart }, now);
  let sums = NO_COSTS;
  for (const group of await source.sums({ by: "none", filter, from: span.start, to: Math.min(span.end, now + 1) })) sums = addSums(sums, group);
  const label = budget.scope === null ? undefined : (await source.names(budget.scope.dimension)).get(budget.scope.id)?.label;
  return {
    budget, span, sums, filter, scope: budget.scope === null ? TOTAL : { ...budget.scope, label: label ?? budget.scope.id },
    period: span.end === Infinity ? { name: "lifetime", from: isoTime(0), to: null } : { name: dateText(localDayOf(span.start, calendar.timeZone)), from: isoTime(span.start), to: isoTime(span.end) },
    forecast: await forecastFor(source, filter, { now, calendar, spent: sums.costNanoUsd, amount: budget.amountNanoUsd, end: span.end }),
  };
}

/** A forecast of what a filter lets through, from its own days. */
export async function forecastFor(source: CostSource, filter: Parameters<CostSource["sums"]>[0]["filter"], { now, calendar, spent, amount, end }: { now: number; calendar: Calendar; spent: NanoUsd; amount: NanoUsd | null; end: number }): Promise<Forecast> {
  const days = daySpans(now, calendar, FORECAST_DAYS).slice(0, -1);
  const groups = await source.sums({ by: "day", filter, from: days[0]?.from ?? 0, to: days.at(-1)?.to ?? 0, ...calendar });
  const before = groups.map(({ group, costNanoUsd }) => ({ date: group ?? "", weekDay: weekDayOf(group ?? ""), cost: costNanoUsd }));
  return forecastOf({ now, calendar, before, spent, amount, end });
}

/** What each budget still has, day by day. Windows without an end, or within one day, have no course to show. */
export async function burnDowns(source: CostSource, states: readonly BudgetState[], now: number, calendar: Calendar): Promise<{ readonly name: string; readonly burnDown: BurnDown }[]> {
  const found: { readonly name: string; readonly burnDown: BurnDown }[] = [];
  for (const { budget, span, filter } of states) {
    if (span.end === Infinity || budget.amountNanoUsd <= 0n) continue;
    const to = dateText(localDayOf(span.end - 1, calendar.timeZone));
    if (to === dateText(localDayOf(span.start, calendar.timeZone))) continue;
    const days = await source.sums({ by: "day", filter, from: span.start, to: now + 1, ...calendar });
    found.push({ name: budget.name, burnDown: burnDownOf(days.map(({ group, costNanoUsd }) => ({ date: group ?? "", costExact: formatNanoUsd(costNanoUsd) })), { budget: formatNanoUsd(budget.amountNanoUsd), to }) });
  }
  return found;
}

/** The highest share that is reached, once: who is told of 100 % need not hear of 80 as well. */
export function budgetAlerts(states: readonly BudgetState[]): BudgetAlert[] {
  return states.flatMap(({ budget, scope, period, sums }): BudgetAlert[] => {
    const spent = sums.costNanoUsd;
    const amount = budget.amountNanoUsd;
    const percent = budget.percents.findLast((one) => spent * 10_000n >= amount * BigInt(Math.round(one * 100)));
    if (percent === undefined || (spent === 0n && amount > 0n)) return [];
    const remaining = spent >= amount ? 0n : amount - spent;
    const usedPercent = percentOf(spent, amount);
    return [{
      id: alertId("budget", budget.name, scope.dimension, scope.id, amount, percent, period.name), kind: "budget", severity: percent >= 100 ? "critical" : "warning", scope, period, ...amounts(spent, amount),
      evidence: { budget: budget.name, percent, usedPercent, remaining: dollarNumber(remaining), remainingExact: formatNanoUsd(remaining), requests: sums.requests },
      message: `Budget ${shownName(budget.name)} (${scopeText(scope).toLowerCase() === "total spending" ? "total" : scopeText(scope)}): ${dollars(spent)} of ${dollars(amount)} spent, ${usedPercent} %; ${percent >= 100 ? "it is used up" : `${dollars(remaining)} left`}.`,
    }];
  });
}

/** Budgets that a usual rest of their window would pass. */
export function overrunAlerts(states: readonly BudgetState[]): OverrunAlert[] {
  return states.flatMap(({ budget, scope, period, span, sums, forecast }): OverrunAlert[] => {
    const spent = sums.costNanoUsd;
    if (!forecast.enough || span.end === Infinity || spent >= budget.amountNanoUsd || forecast.exhaustion?.expected == null || forecast.atEnd === null) return [];
    const { earliest, expected, latest } = forecast.exhaustion;
    const band = `${shortTime(earliest ?? expected)} at the earliest, ${latest === null ? "not at all" : shortTime(latest)} at the latest`;
    return [{
      id: alertId("projected_overrun", budget.name, scope.dimension, scope.id, budget.amountNanoUsd, period.name), kind: "projected_overrun", severity: "warning", scope, period, ...amounts(spent, budget.amountNanoUsd),
      evidence: { budget: budget.name, ...forecast },
      message: `Budget ${shownName(budget.name)}: ${dollars(spent)} of ${dollars(budget.amountNanoUsd)} spent; at the usual pace it is used up on ${shortTime(expected)} (${band}), before its window ends on ${shortTime(isoTime(span.end))}.`,
    }];
  });
}

function shortTime(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}
