import type { Dimension } from "./dimension.ts";
import type { CostGroup, CostSource, Name } from "./source.ts";
import type { PeriodSpan } from "./period.ts";

/** So many are looked up one by one; each costs a look at entries. */
const DELETED_MAX = 20;

/** The member of an entry that keeps the id which a team or user was given, also after it was deleted. */
const GIVEN = { team: "teamId", internalUser: "userId" } as const satisfies Partial<Record<Dimension, string>>;

/** What people call the groups of a period; of teams and users that were deleted since, what their entries say. */
export async function namesOf(source: Pick<CostSource, "names" | "entries">, dimension: Dimension, groups: readonly CostGroup[], { from, to }: PeriodSpan): Promise<ReadonlyMap<string, Name>> {
  const names = await source.names(dimension);
  if (dimension !== "team" && dimension !== "internalUser") return names;
  const unknown = groups.flatMap(({ group }) => (group === null || names.has(group) ? [] : [group])).slice(0, DELETED_MAX);
  if (unknown.length === 0) return names;
  const all = new Map(names);
  for (const id of unknown) {
    const entry = (await source.entries({ from, to, filter: { [dimension]: id }, limit: 1 })).entries[0];
    const wireId = entry?.[GIVEN[dimension]];
    if (typeof wireId === "string") all.set(id, { label: `${wireId} (deleted)`, wireId });
  }
  return all;
}
