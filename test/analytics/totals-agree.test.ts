import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { parquetReadObjects } from "hyparquet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CostReader } from "../../src/adapters/stores/sqlite/cost-reader.ts";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { GatewayCosts } from "../../src/adapters/costs/gateway/gateway-costs.ts";
import { MemoryCosts } from "../../src/adapters/costs/memory/memory-costs.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { exportCosts } from "../../src/app/books/export-costs.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { formatNanoUsd } from "../../src/base/money.ts";
import { calendarSpans } from "../../src/domain/analytics/calendar.ts";
import { isTimeUnit, labelsOf, matches, type CostFilter, type GroupBy } from "../../src/domain/analytics/dimension.ts";
import { Groups, inCostOrder } from "../../src/domain/analytics/groups.ts";
import type { CostSource, EntriesPage, EntriesQuery, SumsQuery } from "../../src/domain/analytics/source.ts";
import { plotDailyCosts } from "../../src/charts.ts";
import { sumsOfEntry } from "../../src/domain/analytics/sums.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { testGateway } from "../support/gateway.ts";
import { runCli } from "../support/run-cli.ts";
import { clockChanges } from "../windows/calendars.ts";

/** Printed by fast-check with what failed; `SEED=n` replays. */
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

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

interface Draft { readonly at: number; readonly cost: bigint; readonly key: "K1" | "K2" | null; readonly customer: string | null; readonly tags: string[]; readonly model: string; readonly status: Entry["status"]; readonly kind: Entry["kind"]; readonly unpriced: boolean; readonly saved: bigint }
const draft: fc.Arbitrary<Draft> = fc.record({
  // Sixty hours on either side of the change, often on a border.
  at: fc.oneof(fc.integer({ min: -60 * HOUR_MS, max: 60 * HOUR_MS }), fc.integer({ min: -240, max: 240 }).map((quarter) => quarter * 900_000)),
  cost: fc.bigInt({ min: 0n, max: 1n << 40n }), key: fc.constantFrom("K1", "K2", null), customer: fc.constantFrom("ann", "bob:~all", "", null),
  tags: fc.array(fc.constantFrom("a", "b", "~untagged"), { maxLength: 3 }), model: fc.constantFrom("m", "n\n"), status: fc.constantFrom("ok", "ok", "cut_short", "upstream_error", "client_gone", "crashed", "timeout", "cached"),
  kind: fc.constantFrom("charge", "charge", "charge", "correction", "adjustment"), unpriced: fc.constantFrom(false, false, false, true), saved: fc.bigInt({ min: 0n, max: 1n << 40n }),
});

/** What a provider did not report in full is an estimate; what has no price costs nothing and says so; a correction may give back. */
function costOf({ kind, status, unpriced, cost }: Draft): bigint {
  // An answer from a cache costs nothing, whatever it saved.
  if (status === "cached" && kind === "charge") return 0n;
  return kind === "correction" ? cost - (1n << 39n) : unpriced ? 0n : cost;
}

function entryOf(one: Draft, change: number, index: number): Entry {
  const at = change + one.at;
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  const scopes = one.key === null ? "global,deployment:d" : `global,key:${one.key},deployment:d`;
  return {
    id: `${requestId}.01`, kind: one.kind, counter: one.kind === "adjustment" ? "global|*|lifetime" : null, requestId, attemptId: `${requestId}.01`, at, scopes, keyId: one.key, teamId: null, userId: null, customer: one.customer, model: one.model, provider: "p", upstreamModel: one.model,
    deployment: "d", route: "chat", stream: false, tags: one.tags.length === 0 ? null : JSON.stringify(one.tags), metadata: null, held: "0", cost: costOf(one).toString(), overage: "0", estimated: one.status === "ok" || one.status === "cached" || one.status === "upstream_error" ? null : one.status === "timeout" ? "no_status" : one.status,
    status: one.status, httpStatus: 200, lines: one.status === "ok" ? JSON.stringify([{ dimension: "input", quantity: 3, rate: "150000", per: "1", pico: "450000" }]) : null, priceVersion: "v", unpriced: one.unpriced, inputTokens: 3, outputTokens: 4, cachedTokens: 1, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5, ...(one.status === "cached" && one.kind === "charge" ? { saved: one.saved.toString() } : {}),
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
  test(`promise 9: every group and filter equals a recount of the entries, to the nano-dollar, in a ledger's file, over a gateway's URL, in memory and by the analyzer, over the clock changes of ${zone}`, async () => {
    let run = 0;
    await fc.assert(fc.asyncProperty(fc.constantFrom(...(AROUND[zone] ?? [])), fc.array(fc.array(draft, { maxLength: 12 }), { minLength: 1, maxLength: 4 }), fc.integer({ min: -60, max: 20 }), async (change, drafts, start) => {
      const data = join(folder, String((run += 1)));
      mkdirSync(data);
      const path = join(data, "ledger.db");
      const batches = drafts.map((list, batch) => list.map((one, i) => entryOf(one, change, batch * 100 + i)));
      const entries = batches.flat();
      const database = openForWriting(path);
      const writer = new LedgerWriter(database);
      for (const list of batches) writer.write([{ entries: list, balances: [], lastSequence: 1 }]);
      database.close();
      const reader = openSqliteReader(path);
      expect(reader.audit().firstDifference ?? "").not.toMatch(/roll-up/);
      const gateway = await testGateway("tollgate: { log_level: silent }", data);
      const sources: Record<string, CostSource> = { file: reader.costs, url: new GatewayCosts({ url: gateway.url, key: gateway.master }), memory: new MemoryCosts(entries) };
      for (const [from, to] of [[change - 70 * HOUR_MS, change + 70 * HOUR_MS], [change + start * HOUR_MS + 7 * 60_000, change + 37 * HOUR_MS + 1]] as const) {
        for (const by of GROUPS) {
          for (const filter of FILTERS) {
            const query: SumsQuery = { from, to, by, filter, timeZone: zone, weekStart: 1 };
            const counted = recount(entries, query);
            for (const [name, source] of Object.entries(sources)) expect(await source.sums(query), JSON.stringify([name, by, filter])).toEqual(counted);
          }
        }
        // Long series are read another way.
        const hours: SumsQuery = { from: from - 200 * HOUR_MS, to: to + 200 * HOUR_MS - 61_000, by: "hour", filter: FILTERS[run % FILTERS.length] ?? {}, timeZone: zone };
        const counted = recount(entries, hours);
        expect(counted.length).toBeGreaterThan(400);
        for (const [name, source] of Object.entries(sources)) expect(await source.sums(hours), JSON.stringify([name, hours])).toEqual(counted);
        const days = recount(entries, { from, to, by: "day", timeZone: zone }).map((day) => [day.group, formatNanoUsd(day.costNanoUsd)]);
        for (const place of [path, gateway.url]) {
          const analyzer = new CostAnalyzer(place, { timeZone: zone, apiKey: gateway.master });
          expect((await analyzer.dailyCosts({ from, to })).map((day) => [day.date, day.costExact]), place).toEqual(days);
          await analyzer.close();
        }
        // What the route writes are these digits, not those of a float.
        const answer = await (await fetch(`${gateway.url}/v1/tollgate/costs?by=user&from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`, { headers: { authorization: `Bearer ${gateway.master}` } })).text();
        expect([...answer.matchAll(/"cost":(-?[\d.]+)/g)].map((match) => match[1])).toEqual(recount(entries, { from, to, by: "user" }).map((group) => formatNanoUsd(group.costNanoUsd)));
      }
      for (const order of ["newest", "oldest"] as const) {
        const pages = await Promise.all(Object.values(sources).map((source) => allOf(source, { order, limit: 5, filter: { user: "ann" } })));
        for (const page of pages) expect(page.map(readable)).toEqual(pages[0]?.map(readable));
      }
      reader.close();
      await gateway.close();
    }), { numRuns: 6, seed: SEED });
  }, 60_000);
}

/** Nano-dollars by local day, by arithmetic that shares nothing with the code: a day is what `Intl` calls it. */
function byDay(zone: string, rows: Iterable<{ readonly at: number; readonly nano: bigint }>): Record<string, bigint> {
  const dayOf = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" });
  const days: Record<string, bigint> = {};
  for (const { at, nano } of rows) days[dayOf.format(at)] = (days[dayOf.format(at)] ?? 0n) + nano;
  return nonZero(days);
}

function nonZero(days: Readonly<Record<string, bigint>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(days).filter(([, nano]) => nano !== 0n).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function nano(text: string): bigint {
  const [, sign, whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (sign === undefined) throw new Error(`${text} is no amount`);
  return (sign === "-" ? -1n : 1n) * BigInt(whole + fraction.padEnd(9, "0"));
}

const dated = (rows: readonly { readonly date: string; readonly cost: string }[]): Record<string, bigint> => nonZero(Object.fromEntries(rows.map(({ date, cost }) => [date, nano(cost)])));

/** The days of everything that shows them, in one zone and period. */
async function daysEverywhere({ place, zone, from, to, apiKey, folder: into }: { place: string; zone: string; from: number; to: number; apiKey: string; folder: string }): Promise<Record<string, Record<string, bigint>>> {
  const analyzer = new CostAnalyzer(place, { timeZone: zone, apiKey });
  const period = { from, to };
  const found: Record<string, Record<string, bigint>> = {};
  const daily = await analyzer.dailyCosts(period);
  found["analyzer"] = dated(daily.map(({ date, costExact }) => ({ date, cost: costExact })));
  const report = await analyzer.report(period);
  found["report"] = dated(report.daily.map(({ date, costExact }) => ({ date, cost: costExact })));
  const { svg } = await plotDailyCosts(analyzer, { ...period, path: join(into, "daily.svg") });
  found["chart"] = dated((JSON.parse((/<metadata>(.*?)<\/metadata>/s.exec(svg)?.[1] ?? "").replaceAll("&quot;", '"')) as { rows: { date: string; cost: string }[] }).rows);
  const [csv, jsonl, parquet] = ["csv", "jsonl", "parquet"].map((ending) => join(into, `costs.${ending}`)) as [string, string, string];
  const totals = new Set<string>();
  for (const path of [csv, jsonl, parquet]) totals.add((await exportCosts(analyzer, { ...period, path, columns: ["time", "cost_usd"] })).totalExact);
  expect([...totals]).toEqual([(await analyzer.total(period)).costExact]);
  found["csv"] = byDay(zone, readFileSync(csv, "utf8").trimEnd().split("\r\n").slice(1).map((line) => line.split(",")).map(([time = "", cost = ""]) => ({ at: Date.parse(time), nano: nano(cost) })));
  found["jsonl"] = byDay(zone, [...readFileSync(jsonl, "utf8").matchAll(/^\{"time":"([^"]+)","cost_usd":([-\d.]+)\}$/gm)].map(([, time = "", cost = ""]) => ({ at: Date.parse(time), nano: nano(cost) })));
  const bytes = readFileSync(parquet);
  const rows = await parquetReadObjects({ file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer });
  // Below 2^41 nano-dollars a double still tells one from the next.
  found["parquet"] = byDay(zone, rows.map((row) => ({ at: (row["time"] as Date).getTime(), nano: BigInt(Math.round(Number(row["cost_usd"]) * 1e9)) })));
  await analyzer.close();
  const where = place.startsWith("http") ? ["--url", place, "--key", apiKey] : ["--data", dirname(place)];
  const run = await runCli(["report", "--by", "day", "--from", new Date(from).toISOString(), "--to", new Date(to).toISOString(), "--time-zone", zone, "--json", ...where]);
  expect(run).toMatchObject({ code: 0, stderr: "" });
  const printed = JSON.parse(run.stdout) as { total: { cost_nano_usd: string }; rows: { day: string; cost_nano_usd: string }[] };
  found["command line"] = nonZero(Object.fromEntries(printed.rows.map((row) => [row.day, BigInt(row.cost_nano_usd)])));
  expect(formatNanoUsd(BigInt(printed.total.cost_nano_usd))).toBe([...totals][0]);
  return found;
}

for (const zone of ZONES) {
  test(`promise 9: each local day comes to the same nano-dollars in the analyzer, its report, the chart's data, CSV, JSON lines, Parquet, the gateway's answer and \`tollgate report\`, over the clock changes of ${zone}`, async () => {
    let run = 0;
    await fc.assert(fc.asyncProperty(fc.constantFrom(...(AROUND[zone] ?? [])), fc.array(draft, { minLength: 1, maxLength: 40 }), fc.integer({ min: -60, max: 20 }), async (change, drafts, start) => {
      const data = join(folder, `days-${(run += 1)}`);
      mkdirSync(data);
      const path = join(data, "ledger.db");
      const entries = drafts.map((one, i) => entryOf(one, change, i));
      const database = openForWriting(path);
      new LedgerWriter(database).write([{ entries, balances: [], lastSequence: 1 }]);
      database.close();
      const gateway = await testGateway("tollgate: { log_level: silent }", data);
      try {
        for (const [from, to] of [[change - 70 * HOUR_MS, change + 70 * HOUR_MS], [change + start * HOUR_MS + 7 * 60_000, change + 37 * HOUR_MS + 1]] as const) {
          const naive = byDay(zone, entries.filter((entry) => entry.kind !== "adjustment" && entry.at >= from && entry.at < to).map((entry) => ({ at: entry.at, nano: BigInt(entry.cost) })));
          for (const place of [path, gateway.url]) {
            for (const [what, days] of Object.entries(await daysEverywhere({ place, zone, from, to, apiKey: gateway.master, folder: data }))) expect(days, `${what} of ${place}`).toEqual(naive);
          }
          const inMemory = new CostAnalyzer({ costs: async () => new MemoryCosts(entries) }, { timeZone: zone });
          expect(dated((await inMemory.dailyCosts({ from, to })).map(({ date, costExact }) => ({ date, cost: costExact })))).toEqual(naive);
          const answer = await gateway.call("GET", `/v1/tollgate/costs?by=day&time_zone=${zone}&from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`);
          expect(dated((answer.body["rows"] as { group: string; cost_exact: string }[]).map((row) => ({ date: row.group, cost: row.cost_exact })))).toEqual(naive);
        }
      } finally {
        await gateway.close();
      }
    }), { numRuns: 3, seed: SEED, endOnFailure: true });
  }, 120_000);
}

/** An entry with what JSON texts mean: a gateway writes them anew. */
function readable(entry: Entry): unknown {
  const json = (text: string | null): unknown => (text === null || text === "[]" ? null : JSON.parse(text));
  return { ...entry, tags: json(entry.tags), lines: json(entry.lines), metadata: json(entry.metadata), counter: entry.counter ?? null };
}

async function allOf(source: CostSource, query: EntriesQuery): Promise<Entry[]> {
  const all: Entry[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const page: EntriesPage = await source.entries({ ...query, ...(after === undefined ? {} : { after }) });
    expect(page.entries.length).toBeLessThanOrEqual(query.limit);
    all.push(...page.entries);
    after = page.next;
  }
  return all;
}

test("a page of a long ledger costs the same wherever it is: of all bounds of a period, a request and a place, one on either side is asked for", () => {
  const database = openForWriting(join(folder, "ledger.db"));
  const entries = Array.from({ length: 40 }, (_, i) => entryOf({ at: i * 1_000, cost: BigInt(i), key: "K1", customer: "ann", tags: [], model: "m", status: "ok", kind: "charge", unpriced: false, saved: 0n }, Date.UTC(2026, 5, 1), i));
  new LedgerWriter(database).write([{ entries, balances: [], lastSequence: 1 }]);
  const asked: string[] = [];
  const reader = new CostReader(new Proxy(database, { get: (target, name) => (name === "prepare" ? (sql: string) => { asked.push(sql); return target.prepare(sql); } : Reflect.get(target, name)) }));
  const memory = new MemoryCosts(entries);
  const instants = [undefined, 0, entries[10]?.at, entries[11]?.at, 2 ** 47];
  const checks: Promise<void>[] = [];
  for (const from of instants) for (const to of instants) for (const after of [undefined, entries[4]?.id, entries[10]?.id, entries[30]?.id]) for (const requestId of [undefined, entries[10]?.requestId]) for (const order of ["newest", "oldest"] as const) {
    const query = { from, to, after, requestId, order, limit: 7 };
    const page = reader.entries(query);
    checks.push(memory.entries(query).then((expected) => expect({ ids: page.entries.map(({ id }) => id), next: page.next }, JSON.stringify(query)).toEqual({ ids: expected.entries.map(({ id }) => id), next: expected.next })));
  }
  for (const sql of asked) expect([sql.match(/\bid >/g)?.length ?? 0, sql.match(/\bid </g)?.length ?? 0].every((bounds) => bounds <= 1), sql).toBe(true);
  database.close();
  return Promise.all(checks).then(() => {});
});

test("pages by keyset hold every entry once, and arrivals tell what was written in the order of writing", async () => {
  const path = join(folder, "ledger.db");
  const change = Date.UTC(2026, 5, 1);
  const entries = Array.from({ length: 25 }, (_, i) => entryOf({ at: (i % 2 === 0 ? -1 : 1) * i * 1_000, cost: BigInt(i), key: "K1", customer: "ann", tags: [], model: "m", status: "ok", kind: "charge", unpriced: false, saved: 0n }, change, i));
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
