import { formatNanoUsd, parseNanoUsd, type NanoUsd } from "../../base/money.ts";
import type { Dimension } from "../analytics/dimension.ts";
import type { CostSource, Name } from "../analytics/source.ts";
import { alertId, amounts, dollarNumber, isoTime, type AlertScope, type AnomalyAlert } from "./alert.ts";
import { episodeOf, type Episode } from "./episodes.ts";
import type { DailyHistory, DaySpan } from "./history.ts";
import type { AnomalyRules } from "./rules.ts";
import { scopeOf } from "./thresholds.ts";
import { dollars, scopeText } from "./words.ts";

/** Where a rise comes from: what cost more than it usually does. */
export interface Explanation {
  readonly dimension: Dimension;
  readonly id: string | null;
  readonly label: string;
  /** Dollars that day, the mean of the days compared, and the difference. */
  readonly cost: number;
  readonly usual: number;
  readonly rise: number;
  readonly riseExact: string;
  /** Of the whole rise; over 1 where something else fell. */
  readonly share: number;
}

/** A day that is above what the days before let expect. Dollars; exact text beside them. */
export interface Anomaly {
  /** The local date of the day, and of the first day of the rise it belongs to. */
  readonly date: string;
  readonly since: string;
  readonly cost: number;
  readonly costExact: string;
  readonly expected: number;
  readonly expectedExact: string;
  /** The top of the band. */
  readonly upper: number;
  readonly upperExact: string;
  /** The same weekday of the weeks before, or all days before while there are too few of these. */
  readonly basis: "weekday" | "all";
  readonly compared: readonly { readonly date: string; readonly cost: number }[];
  /** The largest rises first; those under a tenth of the whole are left out. */
  readonly explainedBy: readonly Explanation[];
}

const WATCHED = ["none", "model", "user", "key"] as const;
const EXPLAINING = ["model", "user", "key"] as const;
const EXPLANATIONS_MAX = 3;
const SHARE_LEAST = 0.1;

/** Rises of today and yesterday: of the total, and of each model, user and key. */
export async function anomalyAlerts(source: CostSource, history: DailyHistory, days: readonly DaySpan[], rules: AnomalyRules): Promise<AnomalyAlert[]> {
  const alerts: AnomalyAlert[] = [];
  for (const by of WATCHED) {
    const found: [string | null, Episode][] = [];
    for (const [label, values] of await history.series(by, days)) {
      if (by !== "none" && label === null) continue;
      const episode = episodeOf(values, rules);
      if (episode !== undefined) found.push([label, episode]);
    }
    if (found.length === 0) continue;
    const names = by === "none" ? new Map<string, Name>() : await source.names(by);
    const rise = ({ day, band }: Episode): bigint => day.cost - band.expected;
    found.sort(([, a], [, b]) => (rise(a) > rise(b) ? -1 : 1));
    for (const [label, episode] of found) alerts.push(await alertOf(source, scopeOf(by === "none" ? "total" : by, label, names), episode, days));
  }
  return alerts;
}

async function alertOf(source: CostSource, scope: AlertScope, episode: Episode, days: readonly DaySpan[]): Promise<AnomalyAlert> {
  const { day, band, since } = episode;
  const span = days.find(({ date }) => date === day.date) as DaySpan;
  const explainedBy = await explain(source, scope, episode, span, days);
  const [cause] = explainedBy;
  const because = cause === undefined ? "" : ` ${dollars(parseNanoUsd(cause.riseExact) ?? 0n)} of the rise comes from ${scopeText(cause).replace(/^./, (first) => first.toLowerCase())}.`;
  const usual = band.basis === "weekday" ? `the same weekday usually costs ${dollars(band.expected)}` : `a day usually costs ${dollars(band.expected)}`;
  return {
    id: alertId("anomaly", scope.dimension, scope.id, since), kind: "anomaly", severity: "warning", scope,
    period: { name: day.date, from: isoTime(span.from), to: isoTime(span.to) }, ...amounts(day.cost, band.upper),
    evidence: {
      date: day.date, since, cost: dollarNumber(day.cost), costExact: formatNanoUsd(day.cost), expected: dollarNumber(band.expected), expectedExact: formatNanoUsd(band.expected),
      upper: dollarNumber(band.upper), upperExact: formatNanoUsd(band.upper), basis: band.basis, compared: band.compared.map(({ date, cost }) => ({ date, cost: dollarNumber(cost) })), explainedBy,
    },
    message: `${scopeText(scope)} on ${day.date}: ${dollars(day.cost)} spent, ${usual} and up to ${dollars(band.upper)} would be no surprise${since === day.date ? "" : ` (since ${since})`}.${because}`,
  };
}

/** What else the costs of the scope are made of, that day and on average on the days compared. */
async function explain(source: CostSource, scope: AlertScope, { day, band }: Episode, span: DaySpan, days: readonly DaySpan[]): Promise<Explanation[]> {
  const filter = scope.dimension === "total" ? undefined : { [scope.dimension]: scope.id };
  const dates = new Set(band.compared.map(({ date }) => date));
  const compared = days.filter(({ date }) => dates.has(date));
  const whole = day.cost - meanOf(band.compared.reduce((sum, { cost }) => sum + cost, 0n), compared.length);
  const found: Explanation[] = [];
  for (const dimension of EXPLAINING) {
    if (dimension === scope.dimension) continue;
    const before = new Map<string | null, NanoUsd>();
    for (const { from, to } of compared) for (const group of await source.sums({ by: dimension, filter, from, to })) before.set(group.group, (before.get(group.group) ?? 0n) + group.costNanoUsd);
    const names = await source.names(dimension);
    for (const group of await source.sums({ by: dimension, filter, from: span.from, to: span.to })) {
      const usual = meanOf(before.get(group.group) ?? 0n, compared.length);
      const rise = group.costNanoUsd - usual;
      const share = whole > 0n ? Number((rise * 1_000n) / whole) / 1_000 : 0;
      // That everything without a key rose says nothing.
      if (share < SHARE_LEAST || group.group === null) continue;
      found.push({ dimension, id: group.group, label: names.get(group.group)?.label ?? group.group, cost: dollarNumber(group.costNanoUsd), usual: dollarNumber(usual), rise: dollarNumber(rise), riseExact: formatNanoUsd(rise), share });
    }
  }
  const most = (dimension: Dimension): Explanation[] => found.filter((one) => one.dimension === dimension).sort((a, b) => b.rise - a.rise).slice(0, EXPLANATIONS_MAX);
  return EXPLAINING.flatMap(most).sort((a, b) => b.rise - a.rise);
}

function meanOf(sum: NanoUsd, count: number): NanoUsd {
  return count === 0 ? 0n : sum / BigInt(count);
}
