import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { calendarSpans } from "../../src/domain/analytics/calendar.ts";
import { isTimeUnit, labelsOf, matches, type CostFilter, type GroupBy } from "../../src/domain/analytics/dimension.ts";
import { Groups, inCostOrder } from "../../src/domain/analytics/groups.ts";
import type { SumsQuery } from "../../src/domain/analytics/source.ts";
import { sumsOfEntry } from "../../src/domain/analytics/sums.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { clockChanges } from "../windows/calendars.ts";

const HOUR_MS = 3_600_000;
const ZONES = ["Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"] as const;
/** Kathmandu last changed its clocks in 1986, by a quarter of an hour. */
const AROUND = Object.fromEntries(ZONES.map((zone) => {
  const [from, to] = zone === "Asia/Kathmandu" ? [Date.UTC(1985, 11, 1), Date.UTC(1986, 1, 1)] : [Date.UTC(2026, 0, 1), Date.UTC(2026, 11, 31)];
  return [zone, clockChanges(zone, from, to)];
}));

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-analytics-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Draft { readonly at: number; readonly cost: bigint; readonly key: "K1" | "K2" | null; readonly customer: string | null; readonly tags: string[]; readonly model: string; readonly status: Entry["status"]; readonly kind: Entry["kind"] }
const draft: fc.Arbitrary<Draft> = fc.record({
  // Sixty hours on either side of the change, often on a border.
  at: fc.oneof(fc.integer({ min: -60 * HOUR_MS, max: 60 * HOUR_MS }), fc.integer({ min: -240, max: 240 }).map((quarter) => quarter * 900_000)),
  cost: fc.bigInt({ min: 0n, max: 1n << 40n }), key: fc.constantFrom("K1", "K2", null), customer: fc.constantFrom("ann", "bob:~all", "", null),
  tags: fc.array(fc.constantFrom("a", "b", "~untagged"), { maxLength: 3 }), model: fc.constantFrom("m", "n\n"), status: fc.constantFrom("ok", "cut_short"),
  kind: fc.constantFrom("charge", "charge", "charge", "correction", "adjustment"),
});

function entryOf(one: Draft, change: number, index: number): Entry {
  const at = change + one.at;
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  const scopes = one.key === null ? "global,deployment:d" : `global,key:${one.key},deployment:d`;
  return {
    id: `${requestId}.01`, kind: one.kind, requestId, attemptId: `${requestId}.01`, at, scopes, keyId: one.key, teamId: null, userId: null, customer: one.customer, model: one.model, provider: "p", upstreamModel: one.model,
    deployment: "d", route: "chat", stream: false, tags: one.tags.length === 0 ? null : JSON.stringify(one.tags), metadata: null, held: "0", cost: one.cost.toString(), overage: "0", estimated: one.status === "ok" ? null : "cut_short",
    status: one.status, httpStatus: 200, lines: null, priceVersion: "v", unpriced: false, inputTokens: 3, outputTokens: 4, cachedTokens: 1, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5,
  } as unknown as Entry;
}

/** The slow and plain way: every entry, one by one. */
function recount(entries: readonly Entry[], { from, to, by, filter = {}, timeZone = "UTC", weekStart = 0 }: SumsQuery) {
  const groups = new Groups();
  const counted = entries.filter((entry) => entry.kind !== "adjustment" && entry.at >= from && entry.at < to && matches(entry, filter));
  if (isTimeUnit(by)) {
    return calendarSpans(by, from, to, timeZone, weekStart).map((span) => {
      const own = new Groups();
      for (const entry of counted) if (entry.at >= span.start && entry.at < span.end) own.add(null, sumsOfEntry(entry));
      return { group: span.name, span: { start: span.start, end: span.end }, ...own.total() };
    });
  }
  for (const entry of counted) for (const group of by === "none" ? [null] : labelsOf(entry, by)) groups.add(group, sumsOfEntry(entry));
  return by === "none" ? [{ group: null, ...groups.total() }] : inCostOrder(groups);
}

const FILTERS: readonly CostFilter[] = [{}, { model: "m" }, { user: "bob:~all" }, { user: null }, { tag: "a" }, { tag: null }, { key: "K1", model: "n\n" }, { key: "K1", tag: "b" }];
const GROUPS: readonly GroupBy[] = ["none", "model", "provider", "user", "key", "tag", "deployment", "day", "hour", "week", "month"];

for (const zone of ZONES) {
  test(`every group and filter of a ledger file equals a recount of its entries, to the nano-dollar, over the clock changes of ${zone}`, async () => {
    let run = 0;
    await fc.assert(fc.asyncProperty(fc.constantFrom(...(AROUND[zone] ?? [])), fc.array(fc.array(draft, { maxLength: 12 }), { minLength: 1, maxLength: 4 }), fc.integer({ min: -60, max: 20 }), async (change, drafts, start) => {
      const path = join(folder, `ledger-${(run += 1)}.db`);
      const batches = drafts.map((list, batch) => list.map((one, i) => entryOf(one, change, batch * 100 + i)));
      const entries = batches.flat();
      const database = openForWriting(path);
      const writer = new LedgerWriter(database);
      for (const list of batches) writer.write([{ entries: list, balances: [], lastSequence: 1 }]);
      database.close();
      const reader = openSqliteReader(path);
      expect(reader.audit().firstDifference ?? "").not.toMatch(/roll-up/);
      for (const [from, to] of [[change - 70 * HOUR_MS, change + 70 * HOUR_MS], [change + start * HOUR_MS + 7 * 60_000, change + 37 * HOUR_MS + 1]] as const) {
        for (const by of GROUPS) {
          for (const filter of FILTERS) {
            const query: SumsQuery = { from, to, by, filter, timeZone: zone, weekStart: 1 };
            expect(await reader.costs.sums(query), JSON.stringify([by, filter])).toEqual(recount(entries, query));
          }
        }
      }
      reader.close();
    }), { numRuns: 8 });
  });
}

test("pages by keyset hold every entry once, and arrivals tell what was written in the order of writing", async () => {
  const path = join(folder, "ledger.db");
  const change = Date.UTC(2026, 5, 1);
  const entries = Array.from({ length: 25 }, (_, i) => entryOf({ at: (i % 2 === 0 ? -1 : 1) * i * 1_000, cost: BigInt(i), key: "K1", customer: "ann", tags: [], model: "m", status: "ok", kind: "charge" }, change, i));
  const database = openForWriting(path);
  const writer = new LedgerWriter(database);
  writer.write([{ entries: entries.slice(0, 10), balances: [], lastSequence: 1 }]);
  const reader = openSqliteReader(path);
  const { position } = await reader.costs.arrivals();
  writer.write([{ entries: entries.slice(10), balances: [], lastSequence: 2 }]);
  const arrived = await reader.costs.arrivals(position);
  expect(arrived.entries.map((entry) => entry.id)).toEqual(entries.slice(10).map((entry) => entry.id));
  expect(await reader.costs.arrivals(arrived.position)).toMatchObject({ entries: [], missed: false });
  const ids: string[] = [];
  for (let after: string | undefined | null; after !== null; ) {
    const page: Awaited<ReturnType<typeof reader.costs.entries>> = await reader.costs.entries({ limit: 4, filter: { user: "ann" }, ...(after === undefined ? {} : { after }) });
    ids.push(...page.entries.map((entry) => entry.id));
    after = page.next;
  }
  expect(ids).toEqual(entries.map((entry) => entry.id).sort().reverse());
  reader.close();
  database.close();
});
