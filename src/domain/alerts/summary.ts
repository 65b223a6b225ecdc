import { formatNanoUsd } from "../../base/money.ts";
import { calendarSpan, dateText } from "../analytics/calendar.ts";
import type { Calendar } from "../analytics/period.ts";
import type { CostGroup, CostSource, Name } from "../analytics/source.ts";
import { NO_COSTS } from "../analytics/sums.ts";
import { localDayOf } from "../windows/zone.ts";
import { alertId, isoTime } from "./alert.ts";
import type { Message } from "./message.ts";
import { dollars, percentOf, shownName } from "./words.ts";

export const SUMMARIES = ["daily", "weekly", "monthly"] as const;

export type SummaryKind = (typeof SUMMARIES)[number];

const UNITS = { daily: "day", weekly: "week", monthly: "month" } as const;
const ROWS_MAX = 5;

/** The last whole day, week or month: where it begins and what its summary is called. */
export function summaryPeriod(kind: SummaryKind, now: number, { timeZone, weekStart }: Calendar): { readonly id: string; readonly name: string; readonly from: number; readonly to: number } {
  const current = calendarSpan(UNITS[kind], now, timeZone, weekStart);
  const { start, end } = calendarSpan(UNITS[kind], current.start - 1, timeZone, weekStart);
  const name = dateText(localDayOf(start, timeZone));
  return { id: alertId("summary", kind, name), name, from: start, to: end };
}

/** What the last whole day, week or month cost, against the one before, and on what. */
export async function summaryOf(source: CostSource, kind: SummaryKind, now: number, calendar: Calendar): Promise<Message> {
  const { id, name, from, to } = summaryPeriod(kind, now, calendar);
  const before = calendarSpan(UNITS[kind], from - 1, calendar.timeZone, calendar.weekStart);
  const [total = { group: null, ...NO_COSTS }] = await source.sums({ by: "none", from, to });
  const [previous = NO_COSTS] = await source.sums({ by: "none", from: before.start, to: before.end });
  const models = (await source.sums({ by: "model", from, to })).slice(0, ROWS_MAX);
  const users = (await source.sums({ by: "user", from, to })).filter((group) => group.group !== null).slice(0, ROWS_MAX);
  const [modelNames, userNames] = await Promise.all([source.names("model"), source.names("user")]);
  const change = total.costNanoUsd - previous.costNanoUsd;
  const against = previous.costNanoUsd === 0n ? "" : `, ${change < 0n ? "" : "+"}${percentOf(change, previous.costNanoUsd)} % against the ${UNITS[kind]} before`;
  const rows = (groups: readonly CostGroup[], names: ReadonlyMap<string, Name>) => groups.map((group) => ({ id: group.group, label: names.get(group.group ?? "")?.label ?? group.group ?? "(none)", costExact: formatNanoUsd(group.costNanoUsd), requests: group.requests }));
  const data = { kind, name, from: isoTime(from), to: isoTime(to), costExact: formatNanoUsd(total.costNanoUsd), previousCostExact: formatNanoUsd(previous.costNanoUsd), requests: total.requests, failedRequests: total.failed, unpricedEntries: total.unpriced, models: rows(models, modelNames), users: rows(users, userNames) };
  return {
    id, type: "summary", severity: "info", title: `Costs of the ${UNITS[kind]} ${kind === "weekly" ? `from ${name}` : kind === "monthly" ? name.slice(0, 7) : name}`, at: isoTime(now), data,
    text: `${dollars(total.costNanoUsd)} for ${total.requests} ${total.requests === 1 ? "request" : "requests"}${against}.${total.unpriced > 0 ? ` ${total.unpriced} without a known price.` : ""}`,
    facts: [...data.models.map((row) => [`Model ${shownName(row.label)}`, `$${row.costExact}`] as const), ...data.users.map((row) => [`User ${shownName(row.label)}`, `$${row.costExact}`] as const)],
  };
}
