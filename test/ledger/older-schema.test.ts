import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CostReader } from "../../src/adapters/stores/sqlite/cost-reader.ts";
import { openSqliteBooks } from "../../src/adapters/books/sqlite/open-sqlite-books.ts";
import { auditLedger } from "../../src/adapters/stores/sqlite/audit.ts";
import { LedgerReader } from "../../src/adapters/stores/sqlite/ledger-reader.ts";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForReading, openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { counterId } from "../../src/domain/ledger/counter-id.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";

let folder: string;
let path: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-older-")); path = join(folder, "ledger.db"); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const START = Date.UTC(2026, 10, 20);
const DAY_MS = 86_400_000;

function entry(index: number, cost: bigint, saved?: bigint): Entry {
  const at = START + index * 7_000_000;
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: "global", keyId: null, teamId: null, userId: null, customer: "ann", model: "m", provider: "p",
    upstreamModel: "m", deployment: "d", route: "chat_completions", stream: false, tags: '["a"]', metadata: null, held: cost.toString(), cost: cost.toString(), overage: "0", estimated: null,
    status: saved === undefined ? "ok" : "cached", httpStatus: 200, lines: null, priceVersion: "v", unpriced: false, inputTokens: 3, outputTokens: 4, cachedTokens: 0, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5,
    ...(saved === undefined ? {} : { saved: saved.toString() }),
  };
}

const balance = (spent: bigint) => ({ counter: counterId(GLOBAL_SCOPE, undefined, LIFETIME, 0), scope: "global", spent, spec: JSON.stringify(LIFETIME), start: 0 });

/** A ledger as schema 1 had it: 40 entries over three days, two of which are closed. */
function writeSchema1(): bigint {
  const database = openForWriting(path);
  const entries = Array.from({ length: 40 }, (_, index) => entry(index, BigInt(index + 1)));
  const sum = entries.reduce((total, one) => total + BigInt(one.cost), 0n);
  new LedgerWriter(database).write([{ entries, balances: [balance(sum)], lastSequence: 40 }]);
  for (const [table, column] of [["entries", "saved"], ["rollups", "hits"], ["rollups", "saved"], ["rollup_days", "hits"], ["rollup_days", "saved"]]) database.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  database.exec("UPDATE meta SET schema_version = 1");
  database.close();
  return sum;
}

function columnsOf(table: string): string[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const names = database.prepare(`PRAGMA table_info(${table})`).all().map((row) => String(row["name"]));
  database.close();
  return names;
}

const PERIOD = { from: START, to: START + 4 * DAY_MS };

test("a ledger of schema 1 opens read-only as it is: entries, totals, sums and audit, and not a byte of it changes", () => {
  const sum = writeSchema1();
  const before = readFileSync(path);
  const database = openForReading(path);
  expect(auditLedger(database)).toMatchObject({ agree: true, entries: 40, totalNanoUsd: sum.toString() });
  expect(new LedgerReader(database).entries({ limit: 1, ascending: true })).toEqual([entry(0, 1n)]);
  const costs = new CostReader(database);
  for (const by of ["none", "model", "user", "tag"] as const) expect(costs.sums({ ...PERIOD, by })).toMatchObject([{ costNanoUsd: sum, requests: 40, hits: 0, savedNanoUsd: 0n }]);
  expect(costs.sums({ ...PERIOD, from: START + 1, by: "none" })).toMatchObject([{ costNanoUsd: sum - 1n, hits: 0 }]);
  expect(costs.entries({ ...PERIOD, limit: 2 }).entries).toHaveLength(2);
  database.close();
  expect(readFileSync(path).equals(before)).toBe(true);
});

test.each(["gateway", "program"])("a ledger of schema 1 is brought to this one by a %s that writes it, and audits clean before and after a cached answer", async (writer) => {
  const sum = writeSchema1();
  if (writer === "gateway") openForWriting(path).close();
  else await (await openSqliteBooks({ path, clock: { now: () => START + 4 * DAY_MS, monotonic: () => 0 } })).close();
  expect([columnsOf("entries").at(-1), ...columnsOf("rollups").slice(-2), ...columnsOf("rollup_days").slice(-2)]).toEqual(["saved", "hits", "saved", "hits", "saved"]);
  const database = openForWriting(path);
  expect(auditLedger(database)).toMatchObject({ agree: true, entries: 40 });
  new LedgerWriter(database).write([{ entries: [entry(41, 0n, 157_500n)], balances: [balance(sum)], lastSequence: 41 }]);
  expect(auditLedger(database)).toMatchObject({ agree: true, entries: 41, totalNanoUsd: sum.toString() });
  expect(new CostReader(database).sums({ ...PERIOD, by: "user" })).toMatchObject([{ group: "ann", costNanoUsd: sum, requests: 41, failed: 0, hits: 1, savedNanoUsd: 157_500n }]);
  expect(new LedgerReader(database).entries({ limit: 1 })).toEqual([entry(41, 0n, 157_500n)]);
  database.exec("UPDATE rollups SET saved = saved + 1 WHERE scope = 'global' AND saved > 0");
  expect(auditLedger(database).firstDifference).toContain("The roll-ups of global says that the cache saved $0.000157501");
  database.close();
});

test("who reads a ledger of schema 1 while its writer brings it to this one sees what comes after", () => {
  const sum = writeSchema1();
  const reading = openForReading(path);
  const costs = new CostReader(reading);
  expect(costs.sums({ ...PERIOD, by: "none" })).toMatchObject([{ hits: 0 }]);
  const database = openForWriting(path);
  new LedgerWriter(database).write([{ entries: [entry(41, 0n, 5n)], balances: [balance(sum)], lastSequence: 41 }]);
  database.close();
  expect(costs.sums({ ...PERIOD, by: "none" })).toMatchObject([{ costNanoUsd: sum, requests: 41, hits: 1, savedNanoUsd: 5n }]);
  expect(costs.entries({ ...PERIOD, limit: 1 }).entries).toEqual([entry(41, 0n, 5n)]);
  reading.close();
});
