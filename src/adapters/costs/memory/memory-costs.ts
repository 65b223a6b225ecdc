import { TollgateError } from "../../../base/errors.ts";
import { calendarSpans } from "../../../domain/analytics/calendar.ts";
import { isTimeUnit, labelsOf, matches } from "../../../domain/analytics/dimension.ts";
import { Groups, inCostOrder } from "../../../domain/analytics/groups.ts";
import type { Arrivals, CostGroup, CostSource, EntriesPage, EntriesQuery, Name, SumsQuery } from "../../../domain/analytics/source.ts";
import { sumsOfEntry } from "../../../domain/analytics/sums.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";

const PAGE_MAX = 1_000;
const ARRIVALS_AT_ONCE = 1_000;

/** The costs of a program whose books are in memory: every question looks at each of its entries. */
export class MemoryCosts implements CostSource {
  private readonly written: readonly Entry[];

  /** @param written the entries in the order of writing; may grow */
  constructor(written: readonly Entry[]) {
    this.written = written;
  }

  async sums({ from, to, by, filter = {}, timeZone = "UTC", weekStart = 0 }: SumsQuery): Promise<readonly CostGroup[]> {
    const counted = this.written.filter((entry) => entry.kind !== "adjustment" && entry.at >= from && entry.at < to && matches(entry, filter));
    if (isTimeUnit(by)) return byTime(counted, calendarSpans(by, from, to, timeZone, weekStart));
    const groups = new Groups();
    for (const entry of counted) for (const group of by === "none" ? [null] : labelsOf(entry, by)) groups.add(group, sumsOfEntry(entry));
    return by === "none" ? [{ group: null, ...groups.total() }] : inCostOrder(groups);
  }

  async entries({ from = 0, to = Infinity, filter = {}, requestId, after, order = "newest", limit }: EntriesQuery): Promise<EntriesPage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX) throw new TollgateError("invalid_request", `limit must be a whole number from 1 to ${PAGE_MAX}.`, { param: "limit" });
    const isNewest = order === "newest";
    const found = this.written.filter((entry) => entry.kind !== "adjustment" && entry.at >= from && entry.at < to && matches(entry, filter)
      && (requestId === undefined || entry.requestId === requestId) && (after === undefined || (isNewest ? entry.id < after : entry.id > after)));
    found.sort((a, b) => (a.id < b.id === isNewest ? 1 : -1));
    const entries = found.slice(0, limit);
    return { entries, next: found.length > limit ? (entries.at(-1)?.id ?? null) : null };
  }

  async arrivals(after?: number): Promise<Arrivals> {
    if (after === undefined) return { entries: [], position: this.written.length, missed: false };
    const position = Math.min(this.written.length, after + ARRIVALS_AT_ONCE);
    return { entries: this.written.slice(after, position).filter((entry) => entry.kind !== "adjustment"), position, missed: after > this.written.length };
  }

  async names(): Promise<ReadonlyMap<string, Name>> {
    return new Map();
  }

  async close(): Promise<void> {}
}

/** One walk over entries and spans, both in the order of time. */
function byTime(counted: readonly Entry[], spans: readonly { readonly start: number; readonly end: number; readonly name: string }[]): CostGroup[] {
  const inOrder = counted.toSorted((a, b) => a.at - b.at);
  let next = 0;
  return spans.map(({ start, end, name }) => {
    const own = new Groups();
    for (let entry = inOrder[next]; entry !== undefined && entry.at < end; entry = inOrder[(next += 1)]) own.add(null, sumsOfEntry(entry));
    return { group: name, span: { start, end }, ...own.total() };
  });
}
