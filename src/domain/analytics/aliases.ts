import { TollgateError } from "../../base/errors.ts";
import type { CostFilter, Dimension } from "./dimension.ts";
import type { CostSource } from "./source.ts";

/** Dimensions whose ids are ours or the control plane's, and that people call by a name. */
const NAMED = ["key", "team", "internalUser"] as const satisfies readonly Dimension[];

/**
 * A filter with ids where it had names: `{ key: "ci" }` means the key whose alias is `ci`, `{ team: "search" }` the team with that `team_id`.
 * An id goes before a name.
 * @throws TollgateError `invalid_request` if several have that name
 */
export async function withIds(source: Pick<CostSource, "names">, filter: CostFilter | undefined): Promise<CostFilter | undefined> {
  if (filter === undefined) return undefined;
  const resolved: { -readonly [D in keyof CostFilter]: CostFilter[D] } = { ...filter };
  for (const dimension of NAMED) {
    const wanted = filter[dimension];
    if (typeof wanted !== "string") continue;
    const names = await source.names(dimension);
    if (names.has(wanted)) continue;
    const given = [...names].filter(([, name]) => name.wireId === wanted);
    const ids = (given.length > 0 ? given : [...names].filter(([, name]) => name.label === wanted)).map(([id]) => id);
    if (ids.length > 1) throw new TollgateError("invalid_request", `${ids.length} of ${dimension} are called ${JSON.stringify(wanted)}. Give the id: ${ids.slice(0, 5).join(", ")}.`, { param: dimension });
    resolved[dimension] = ids[0] ?? wanted;
  }
  return resolved;
}
