import { TollgateError } from "../../base/errors.ts";
import type { Dimension } from "../../domain/analytics/dimension.ts";
import { namesOf } from "../../domain/analytics/names.ts";
import type { CostGroup, CostSource, Name } from "../../domain/analytics/source.ts";

/** `customer` is another name of `user`: whom calls were for. */
const DIMENSIONS = { model: "model", provider: "provider", team: "team", key: "key", user: "user", customer: "user", internal_user: "internalUser", tag: "tag" } as const satisfies Record<string, Dimension>;

type SpendGroup = keyof typeof DIMENSIONS | "day";

const GROUPS = [...Object.keys(DIMENSIONS), "day"] as readonly SpendGroup[];
const LAST_MS = 2 ** 48 - 1;
const DAY_MS = 86_400_000;

export interface SpendRow {
  /** An id as clients know it; `""` for what belongs to no such thing. */
  readonly group: string;
  readonly label?: string;
  /** Nano-dollars, decimal text. */
  readonly cost: string;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface SpendQuery {
  readonly by: SpendGroup;
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** Sums of a period by one thing, from the sums that every report reads; days are of UTC, and those without requests left out. */
export async function spendOf(costs: Omit<CostSource, "close">, { by, from = 0, to }: SpendQuery, now: number): Promise<readonly SpendRow[]> {
  if (by !== "day") {
    const dimension = DIMENSIONS[by];
    const period = { from, to: to ?? LAST_MS };
    const groups = await costs.sums({ by: dimension, ...period });
    const names = await namesOf(costs, dimension, groups, period);
    return groups.map((group) => rowOf(group, names.get(group.group ?? "")));
  }
  // A series is as long as its period, so it begins with the first entry.
  const first = (await costs.entries({ from, order: "oldest", limit: 1 })).entries[0]?.at ?? now;
  const days = await costs.sums({ by, from: Math.max(from, first - (first % DAY_MS)), to: Math.min(to ?? LAST_MS, now + DAY_MS) });
  return days.filter(({ requests, costNanoUsd }) => requests > 0 || costNanoUsd !== 0n).map((day) => rowOf(day, undefined));
}

function rowOf({ group, costNanoUsd, requests, inputTokens, outputTokens }: CostGroup, name: Name | undefined): SpendRow {
  const id = name?.wireId ?? group ?? "";
  return { group: id, ...(name === undefined || name.label === id ? {} : { label: name.label }), cost: costNanoUsd.toString(), requests, inputTokens, outputTokens };
}

/** Reads `by`, `from` and `to` of `/v1/tollgate/spend`. @throws TollgateError `invalid_request` */
export function spendQuery(query: URLSearchParams): SpendQuery {
  const asked = query.get("by") ?? "model";
  const by = GROUPS.find((group) => group === asked);
  if (by === undefined) throw new TollgateError("invalid_request", `by must be one of ${GROUPS.join(", ")}.`, { param: "by" });
  return { by, from: instantOf(query, "from"), to: instantOf(query, "to") };
}

function instantOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const epochMs = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text);
  if (Number.isNaN(epochMs)) throw new TollgateError("invalid_request", `${name} must be an instant such as 2026-11-24T00:00:00Z.`, { param: name });
  return epochMs;
}
