import type { CostSource } from "../analytics/source.ts";
import { alertId, amounts, type UnpricedAlert } from "./alert.ts";
import { scopeOf, type Day } from "./thresholds.ts";
import { dollars, scopeText } from "./words.ts";

/** Models that were used today without a known price: what stands for them in the books is not what the provider will ask. */
export async function unpricedAlerts(source: CostSource, day: Day): Promise<UnpricedAlert[]> {
  const groups = (await source.sums({ by: "model", from: day.from, to: day.to })).filter((group) => group.unpriced > 0);
  if (groups.length === 0) return [];
  const names = await source.names("model");
  return groups.map((group) => {
    const scope = scopeOf("model", group.group, names);
    return {
      id: alertId("unpriced", group.group, day.period.name), kind: "unpriced", severity: "warning", scope, period: day.period, ...amounts(group.costNanoUsd, null),
      evidence: { unpricedEntries: group.unpriced, requests: group.requests },
      message: `${scopeText(scope)} on ${day.period.name}: ${group.unpriced} of ${group.requests} ${group.requests === 1 ? "request" : "requests"} without a known price, ${dollars(group.costNanoUsd)} in the books. Give the model a price, or the totals are too low.`,
    };
  });
}
