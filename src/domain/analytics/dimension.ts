import type { Entry } from "../ledger/entry.ts";

/** What costs can be grouped and filtered by. `user` is the customer a request was made for; `internalUser` owns the gateway's key. */
export type Dimension = "model" | "provider" | "user" | "key" | "team" | "internalUser" | "tag" | "deployment";

export const DIMENSIONS = ["model", "provider", "user", "key", "team", "internalUser", "tag", "deployment"] as const satisfies readonly Dimension[];

export type TimeUnit = "hour" | "day" | "week" | "month";

export const TIME_UNITS = ["hour", "day", "week", "month"] as const satisfies readonly TimeUnit[];

export type GroupBy = Dimension | TimeUnit | "none";

/** Every member given must match; `null` matches entries without that label. */
export type CostFilter = { readonly [D in Dimension]?: string | null | undefined };

/** The members of an entry that reports look at. */
export type EntryLabels = Pick<Entry, "scopes" | "customer" | "tags" | "model" | "provider">;

/**
 * The scopes of roll-ups that exist for reports alone. No charged scope begins with `~`, so a label can never be taken
 * for a budget's scope, whatever a client calls itself.
 */
export const ALL_SCOPE = "~all";
export const UNTAGGED_SCOPE = "~untagged";

export const customerScope = (name: string): string => `~customer:${name}`;
export const tagScope = (tag: string): string => `~tag:${tag}`;
/** Of daily roll-ups only: quarters are kept by model and provider anyway. */
export const modelScope = (model: string): string => `~model:${model}`;
export const providerScope = (provider: string): string => `~provider:${provider}`;

/** Kinds of scopes by dimension: the part of a scope's text before its first colon. */
export const KIND_OF = {
  user: "~customer", tag: "~tag", key: "key", team: "team", internalUser: "user", deployment: "deployment", model: "~model", provider: "~provider",
} as const satisfies Record<Dimension, string>;

export type ScopeDimension = Exclude<Dimension, "model" | "provider">;

export function isScopeDimension(by: GroupBy): by is ScopeDimension {
  return Object.hasOwn(KIND_OF, by) && by !== "model" && by !== "provider";
}

export function isTimeUnit(by: GroupBy): by is TimeUnit {
  return by === "hour" || by === "day" || by === "week" || by === "month";
}

/** The kind of a roll-up's scope, under which a day's rows stand together. */
export function kindOfScope(scope: string): string {
  if (scope === UNTAGGED_SCOPE) return KIND_OF.tag;
  const colon = scope.indexOf(":");
  return colon === -1 ? scope : scope.slice(0, colon);
}

/** The name in a scope's text; `null` for the untagged. @example nameOfScope("~customer:ann") // "ann" */
export function nameOfScope(scope: string): string | null {
  return scope === UNTAGGED_SCOPE ? null : scope.slice(scope.indexOf(":") + 1);
}

/** The roll-up's scope of one label. */
export function scopeOfLabel(dimension: ScopeDimension, name: string): string {
  return `${KIND_OF[dimension]}:${name}`;
}

/** Each tag once, however often it was sent. */
export function tagsOf(entry: Pick<Entry, "tags">): readonly string[] {
  return entry.tags === null ? [] : [...new Set(JSON.parse(entry.tags) as string[])];
}

/** The scopes whose quarter-hour roll-ups an entry is in: those that are charged, and its labels. */
export function rollupScopes(entry: EntryLabels): string[] {
  const scopes = entry.scopes.split(",");
  if (entry.customer !== null) scopes.push(customerScope(entry.customer));
  if (entry.tags === null) scopes.push(UNTAGGED_SCOPE);
  else for (const tag of tagsOf(entry)) scopes.push(tagScope(tag));
  return scopes;
}

/** The groups of an entry by a dimension: one, or for tags one for each; `null` where it has no such label. */
export function labelsOf(entry: EntryLabels, dimension: Dimension): readonly (string | null)[] {
  switch (dimension) {
    case "model":
      return [entry.model];
    case "provider":
      return [entry.provider];
    case "user":
      return [entry.customer];
    case "tag": {
      const tags = tagsOf(entry);
      return tags.length === 0 ? [null] : tags;
    }
    default:
      return [chargedName(entry.scopes, `${KIND_OF[dimension]}:`)];
  }
}

export function matches(entry: EntryLabels, filter: CostFilter): boolean {
  for (const dimension of DIMENSIONS) {
    const wanted = filter[dimension];
    if (wanted !== undefined && !labelsOf(entry, dimension).includes(wanted)) return false;
  }
  return true;
}

function chargedName(scopes: string, start: string): string | null {
  for (const scope of scopes.split(",")) if (scope.startsWith(start)) return scope.slice(start.length);
  return null;
}
