import type { Entry } from "../ledger/entry.ts";
import type { WeekDay } from "../windows/window.ts";
import type { CostFilter, Dimension, GroupBy } from "./dimension.ts";
import type { CostSums } from "./sums.ts";

export interface SumsQuery {
  /** Admission time in epoch milliseconds: from inclusive, to exclusive. */
  readonly from: number;
  readonly to: number;
  readonly by: GroupBy;
  readonly filter?: CostFilter | undefined;
  /** For groups by time; a checked IANA name, UTC if left out. */
  readonly timeZone?: string | undefined;
  /** For groups by week; Sunday if left out. */
  readonly weekStart?: WeekDay | undefined;
}

export interface CostGroup extends CostSums {
  /** The label's id; `null` for entries without one, and for `by: "none"`. By time: the local start, such as `2026-11-24` or `2026-11-24T13:00-05:00`. */
  readonly group: string | null;
  /** By time only: where the group begins and ends, cut to the period. */
  readonly span?: { readonly start: number; readonly end: number } | undefined;
}

export interface EntriesQuery {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly filter?: CostFilter | undefined;
  readonly requestId?: string | undefined;
  /** An entry's id, as `next` of the page before says it. */
  readonly after?: string | undefined;
  /** Newest first unless said otherwise. */
  readonly order?: "newest" | "oldest" | undefined;
  /** At most 1,000. */
  readonly limit: number;
}

export interface EntriesPage {
  readonly entries: readonly Entry[];
  /** Give it as `after` for the next page; `null` on the last one. */
  readonly next: string | null;
}

export interface Arrivals {
  /** Entries in the order in which they were written, which is not that of their ids: a long request ends late. */
  readonly entries: readonly Entry[];
  /** Give it as `after` to go on from here. */
  readonly position: number;
  /** More was written after `after` than is remembered; the entries before these must be read by time. */
  readonly missed: boolean;
}

/** What people call something that has an id of ours. */
export interface Name {
  /** An alias, else the id that they gave. */
  readonly label: string;
  /** A team's or user's id as clients of the gateway know it. */
  readonly wireId?: string | undefined;
}

/**
 * Where costs can be read: a ledger's file, a program's own books, a gateway. All of them answer alike, to the nano-dollar.
 * Adjustments are no costs and in none of the answers.
 */
export interface CostSource {
  /** Groups without entries are left out, except by time. Order: by time ascending, else by cost descending, then by name. */
  sums(query: SumsQuery): Promise<readonly CostGroup[]>;
  entries(query: EntriesQuery): Promise<EntriesPage>;
  /** What was written since; without `after`, nothing but the position of now. */
  arrivals(after?: number): Promise<Arrivals>;
  /** What people call the ids of a dimension: aliases of keys, names of teams and users. */
  names(dimension: Dimension): Promise<ReadonlyMap<string, Name>>;
  close(): Promise<void>;
}
