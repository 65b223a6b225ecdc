import type { Dimension } from "../analytics/dimension.ts";
import type { CostGroup, CostSource, Name } from "../analytics/source.ts";
import { TOTAL, alertId, amounts, type AlertPeriod, type AlertScope, type ThresholdAlert } from "./alert.ts";
import type { Thresholds } from "./rules.ts";
import { dollars, scopeText } from "./words.ts";

const WATCHED = [["total", "daily"], ["user", "user"], ["model", "model"], ["key", "key"], ["tag", "tag"]] as const;

/** Today as a period with its instants. */
export interface Day {
  readonly period: AlertPeriod;
  readonly from: number;
  readonly to: number;
}

/** The day's spending against what it may be: in all, and for each user, model, key and tag. Dearest first within each. */
export async function thresholdAlerts(source: CostSource, thresholds: Thresholds, day: Day): Promise<ThresholdAlert[]> {
  const alerts: ThresholdAlert[] = [];
  for (const [dimension, name] of WATCHED) {
    const limit = thresholds[name];
    if (limit === undefined) continue;
    const groups = await source.sums({ by: dimension === "total" ? "none" : dimension, from: day.from, to: day.to });
    const over = groups.filter((group) => group.costNanoUsd >= limit && group.requests > 0 && (dimension === "total" || group.group !== null));
    if (over.length === 0) continue;
    const names = dimension === "total" ? new Map<string, Name>() : await source.names(dimension);
    for (const group of over) alerts.push(alertOf(`${name}_limit`, scopeOf(dimension, group.group, names), group, limit, day));
  }
  return alerts;
}

export function scopeOf(dimension: "total" | Dimension, id: string | null, names: ReadonlyMap<string, Name>): AlertScope {
  return dimension === "total" || id === null ? TOTAL : { dimension, id, label: names.get(id)?.label ?? id };
}

function alertOf(kind: ThresholdAlert["kind"], scope: AlertScope, group: CostGroup, limit: bigint, day: Day): ThresholdAlert {
  return {
    id: alertId(kind, scope.id, limit, day.period.name), kind, severity: "critical", scope, period: day.period, ...amounts(group.costNanoUsd, limit),
    evidence: { requests: group.requests, inputTokens: group.inputTokens, outputTokens: group.outputTokens },
    message: `${scopeText(scope)} on ${day.period.name}: ${dollars(group.costNanoUsd)} spent, the limit for a day is ${dollars(limit)}.`,
  };
}
