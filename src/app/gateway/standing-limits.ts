import type { Limit } from "../../domain/limits/limit.ts";
import type { Directory } from "../../engine/manage/directory.ts";

/** The limits that stand on a scope (text) today: what a replay counts. */
export function standingLimits(directory: Directory, global: readonly Limit[]): (scope: string) => readonly Limit[] {
  return (scope) => {
    if (scope === "global") return global;
    const colon = scope.indexOf(":");
    const kind = scope.slice(0, colon);
    if (kind !== "key" && kind !== "team" && kind !== "user" && kind !== "member" && kind !== "customer") return [];
    const row = directory.get(kind, scope.slice(colon + 1));
    return row === undefined ? [] : directory.limitsOf(kind, row.record);
  };
}
