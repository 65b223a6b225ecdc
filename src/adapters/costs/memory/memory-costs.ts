import { TollgateError } from "../../../base/errors.ts";
import { ulidTime } from "../../../base/ids.ts";
import { calendarSpans } from "../../../domain/analytics/calendar.ts";
import { isTimeUnit, labelsOf, matches } from "../../../domain/analytics/dimension.ts";
import { Groups, inCostOrder } from "../../../domain/analytics/groups.ts";
import type { Arrivals, CostGroup, CostSource, EntriesPage, EntriesQuery, Name, SumsQuery } from "../../../domain/analytics/source.ts";
import { sumsOfEntry } from "../../../domain/analytics/sums.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";

const PAGE_MAX = 1_000;
const ARRIVALS_AT_ONCE = 1_000;
/** The last instant that an id can hold. */
const LAST_MS = 2 ** 48 - 1;

/** The costs of a program whose books are in memory: every question looks at each of its entries. */
export class MemoryCosts implements CostSource {
  private readonly written: readonly Entry[];
  /** What was written, by id, for pages; brought up to date by each question. */
  private readonly byId: Entry[] = [];
  private known = 0;

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
    const all = this.inOrder();
    const isNewest = order === "newest";
    // Ids begin with the time of admission, so a period is a range of them: a page costs what is in it.
    const first = Math.max(from <= 0 ? 0 : placeOf(all, ulidTime(Math.min(Math.floor(from), LAST_MS))), isNewest || after === undefined ? 0 : placeOf(all, `${after}\0`));
    const end = Math.min(to > LAST_MS ? all.length : placeOf(all, ulidTime(Math.max(0, Math.ceil(to)))), isNewest && after !== undefined ? placeOf(all, after) : all.length);
    const found: Entry[] = [];
    for (let step = 0; step < end - first && found.length <= limit; step += 1) {
      const entry = all[isNewest ? end - 1 - step : first + step] as Entry;
      if (entry.kind !== "adjustment" && (requestId === undefined || entry.requestId === requestId) && matches(entry, filter)) found.push(entry);
    }
    const entries = found.slice(0, limit);
    return { entries, next: found.length > limit ? (entries.at(-1)?.id ?? null) : null };
  }

  private inOrder(): readonly Entry[] {
    const { byId, written } = this;
    let isSorted = true;
    for (; this.known < written.length; this.known += 1) {
      const entry = written[this.known] as Entry;
      if (byId.length > 0 && entry.id < (byId[byId.length - 1] as Entry).id) isSorted = false;
      byId.push(entry);
    }
    if (!isSorted) byId.sort((a, b) => (a.id < b.id ? -1 : 1));
    return byId;
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

/** Where the first id stands that is not less. */
function placeOf(entries: readonly Entry[], id: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as Entry).id < id) low = middle + 1;
    else high = middle;
  }
  return low;
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
