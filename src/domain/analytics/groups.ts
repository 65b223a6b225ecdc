import type { CostGroup } from "./source.ts";
import { addSums, NO_COSTS, type CostSums } from "./sums.ts";

/** Sums by group that grow as parts are found. */
export class Groups {
  readonly sums = new Map<string | null, CostSums>();

  add(group: string | null, sums: CostSums): void {
    const known = this.sums.get(group);
    this.sums.set(group, known === undefined ? sums : addSums(known, sums));
  }

  total(): CostSums {
    let total = NO_COSTS;
    for (const sums of this.sums.values()) total = addSums(total, sums);
    return total;
  }
}

/** The dearest first, then by name; what has no name comes after its equals. */
export function inCostOrder(groups: Groups): CostGroup[] {
  const rows = [...groups.sums].map(([group, sums]) => ({ group, ...sums }));
  return rows.sort((a, b) => {
    if (a.costNanoUsd !== b.costNanoUsd) return a.costNanoUsd > b.costNanoUsd ? -1 : 1;
    if (a.group === null || b.group === null) return a.group === b.group ? 0 : a.group === null ? 1 : -1;
    return a.group < b.group ? -1 : 1;
  });
}
