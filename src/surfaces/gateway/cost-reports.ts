import { TollgateError } from "../../base/errors.ts";
import { withIds } from "../../domain/analytics/aliases.ts";
import { DIMENSIONS, isTimeUnit, TIME_UNITS, type CostFilter, type Dimension, type GroupBy } from "../../domain/analytics/dimension.ts";
import { namesOf } from "../../domain/analytics/names.ts";
import { periodSpan, type Calendar, type Period, type PeriodSpan } from "../../domain/analytics/period.ts";
import type { CostSource, Name } from "../../domain/analytics/source.ts";
import { rowOfEntry, rowOfGroup } from "../../domain/analytics/wire.ts";
import type { WeekDay } from "../../domain/windows/window.ts";
import { checkZone } from "../../domain/windows/zone.ts";
import { exactJson } from "../http/exact-json.ts";

type Report = (query: URLSearchParams) => Promise<string>;
type Costs = Omit<CostSource, "close">;

const HOUR_MS = 3_600_000;
/** A series is as long as its period, whatever was spent in it. */
const SERIES_HOURS_MAX = 50_000;
const PAGE = 100;

/** Names of a query; `internal_user` is `internalUser` inside. */
const FILTERS = new Map<string, Dimension>(DIMENSIONS.map((dimension) => [snake(dimension), dimension]));
const COUNTED = { days: "days", weeks: "weeks", months: "months", rolling_days: "rollingDays", rolling_hours: "rollingHours" } as const;
const PERIOD = ["from", "to", ...Object.keys(COUNTED), "time_zone", "week_start"];
const FILTER = [...FILTERS.keys(), "without"];

/** Cost reports: sums by anything, entries page by page, what arrived since, and what people call ids. For the master key. */
export function costReports(costs: Costs, now: () => number): Map<string, Report> {
  return new Map<string, Report>([
    ["/v1/tollgate/costs", async (query) => {
      only(query, ["by", ...PERIOD, ...FILTER]);
      const by = groupIn(query);
      const calendar = calendarIn(query);
      const { from, to } = spanIn(query, now(), calendar);
      if (isTimeUnit(by) && (to - from) / (by === "hour" ? HOUR_MS : 24 * HOUR_MS) > SERIES_HOURS_MAX) throw invalid("from", `${by}s from then on are more than ${SERIES_HOURS_MAX}. Ask for a shorter period, or a longer unit.`);
      const filter = await withIds(costs, filterIn(query));
      const isLabel = by !== "none" && !isTimeUnit(by);
      const groups = await costs.sums({ from, to, by, filter, ...calendar });
      const names = isLabel ? await namesOf(costs, by, groups, { from, to }) : new Map<string, Name>();
      const rows = groups.map((group) => rowOfGroup(group, group.group === null ? undefined : names.get(group.group)?.label));
      return exactJson({ by: snake(by), from: new Date(from).toISOString(), to: new Date(to).toISOString(), time_zone: calendar.timeZone, overlapping: by === "tag", rows });
    }],
    ["/v1/tollgate/entries", async (query) => {
      only(query, ["request_id", "after", "order", "limit", ...PERIOD, ...FILTER]);
      const bounded = [...PERIOD].some((name) => query.has(name));
      const span: Partial<PeriodSpan> = bounded ? spanIn(query, now(), calendarIn(query)) : {};
      const filter = await withIds(costs, filterIn(query));
      const order = query.get("order") ?? "newest";
      if (order !== "newest" && order !== "oldest") throw invalid("order", "order must be newest or oldest.");
      const page = await costs.entries({ ...span, filter, requestId: query.get("request_id") ?? undefined, after: query.get("after") ?? undefined, order, limit: numberIn(query, "limit") ?? PAGE });
      return JSON.stringify({ entries: page.entries.map(rowOfEntry), next: page.next });
    }],
    ["/v1/tollgate/arrivals", async (query) => {
      only(query, ["after"]);
      const after = numberIn(query, "after");
      if (after !== undefined && (!Number.isSafeInteger(after) || after < 0)) throw invalid("after", "after must be the position of an earlier answer.");
      const { entries, position, missed } = await costs.arrivals(after);
      return JSON.stringify({ entries: entries.map(rowOfEntry), position, missed });
    }],
    ["/v1/tollgate/labels", async (query) => {
      only(query, ["of"]);
      const of = FILTERS.get(query.get("of") ?? "");
      if (of === undefined) throw invalid("of", `of must be one of ${[...FILTERS.keys()].join(", ")}.`);
      return JSON.stringify({ of: snake(of), labels: [...(await costs.names(of))].map(([id, { label, wireId }]) => ({ id, label, wire_id: wireId })) });
    }],
  ]);
}

/** A name that is not known, or comes twice, would silently change what is asked. */
function only(query: URLSearchParams, known: readonly string[]): void {
  for (const name of new Set(query.keys())) {
    if (!known.includes(name)) throw new TollgateError("unknown_field", `${name.slice(0, 64)} is not known here. Known are ${known.join(", ")}.`, { param: name.slice(0, 64) });
    if (query.getAll(name).length > 1) throw invalid(name, `${name} is said more than once; keep one.`);
  }
}

function groupIn(query: URLSearchParams): GroupBy {
  const asked = query.get("by") ?? "none";
  const by = asked === "none" ? "none" : (FILTERS.get(asked) ?? TIME_UNITS.find((unit) => unit === asked));
  if (by === undefined) throw invalid("by", `by must be one of none, ${[...FILTERS.keys(), ...TIME_UNITS].join(", ")}.`);
  return by;
}

function calendarIn(query: URLSearchParams): Calendar {
  const weekStart = numberIn(query, "week_start") ?? 0;
  if (!Number.isInteger(weekStart) || weekStart < 0 || weekStart > 6) throw invalid("week_start", "week_start must be 0 (Sunday) to 6 (Saturday).");
  return { timeZone: checkZone(query.get("time_zone") ?? "UTC", { param: "time_zone" }), weekStart: weekStart as WeekDay };
}

function spanIn(query: URLSearchParams, now: number, calendar: Calendar): PeriodSpan {
  const period: { -readonly [P in keyof Period]: Period[P] } = { from: query.get("from") ?? undefined, to: query.get("to") ?? undefined };
  for (const [name, member] of Object.entries(COUNTED)) period[member] = numberIn(query, name);
  return periodSpan(period, now, calendar);
}

function filterIn(query: URLSearchParams): CostFilter {
  const filter: { -readonly [D in Dimension]?: string | null } = {};
  for (const [name, dimension] of FILTERS) {
    const wanted = query.get(name);
    if (wanted !== null) filter[dimension] = wanted;
  }
  for (const name of query.get("without")?.split(",") ?? []) {
    const dimension = FILTERS.get(name);
    if (dimension === undefined || filter[dimension] !== undefined) throw invalid("without", `without must name some of ${[...FILTERS.keys()].join(", ")}, each of which is not filtered by otherwise.`);
    filter[dimension] = null;
  }
  return filter;
}

/** Digits only: what else `Number` accepts is no number that anybody means. */
function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw invalid(name, `${name} must be a whole number.`);
  return Number(text);
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function invalid(param: string, message: string): TollgateError {
  return new TollgateError("invalid_request", message, { param });
}
