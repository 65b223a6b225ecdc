import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { openSqliteReader, openSqliteStore } from "../../src/adapters/stores/sqlite/store.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { counterId } from "../../src/domain/ledger/counter-id.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import type { Balance } from "../../src/domain/ledger/ports.ts";
import type { Batch } from "../../src/domain/ledger/store.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";

let folder: string;
let path: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-ledger-")); path = join(folder, "ledger.db"); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const START = Date.UTC(2026, 10, 24);

function entry(index: number, cost: bigint, at = START + index, scopes = "global,key:K"): Entry {
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes, keyId: "K", teamId: null, userId: null, customer: null, model: "m", provider: "p",
    upstreamModel: "m", deployment: "d", route: "chat", stream: false, tags: null, metadata: null, held: cost.toString(), cost: cost.toString(), overage: "0", estimated: null,
    status: "ok", httpStatus: 200, lines: null, priceVersion: "v", unpriced: false, inputTokens: 3, outputTokens: 4, cachedTokens: 0, answeredModel: null, responseId: `r${index}`, rawUsage: null, durationMs: 5,
  };
}

function lifetime(kind: "global" | "key", spent: bigint): Balance {
  const scope = { kind, id: kind === "key" ? "K" : "", label: "" };
  return { counter: counterId(scope, undefined, LIFETIME, 0), scope: kind === "key" ? "key:K" : "global", spent, spec: JSON.stringify(LIFETIME), start: 0 };
}

/** Writes each list of batches in a transaction of its own. */
function writeAll(...lists: readonly Batch[][]): void {
  const database = openForWriting(path);
  const writer = new LedgerWriter(database);
  for (const batches of lists) writer.write(batches);
  database.close();
}

test("promise 5: entries, roll-ups and balances agree to the nano-dollar, beyond what a float can hold", async () => {
  const store = await openSqliteStore({ path, onProblem: (error) => { throw error; } });
  const costs = [1n, 9_007_199_254_740_993n, 157_500n];
  const sum = costs.reduce((a, b) => a + b);
  store.write({ entries: costs.map((cost, i) => entry(i, cost)), balances: [lifetime("global", sum), lifetime("key", sum)], lastSequence: 7 });
  expect(await store.spent("key:K", undefined, 0, Infinity)).toBe(sum);
  expect(await store.audit()).toMatchObject({ agree: true, entries: 3, totalNanoUsd: sum.toString() });
  expect((await store.entries({ limit: 10 })).map((row) => row.cost)).toEqual(["157500", "9007199254740993", "1"]);
  await store.close();
  const again = await openSqliteStore({ path, onProblem: () => {} });
  expect(await again.load()).toMatchObject({ lastSequence: 7, newestAt: START + 2 });
  await again.close();
});

test("promise 4: a batch that is written again changes nothing", () => {
  const batch = { entries: [entry(1, 5n), entry(2, 6n)], balances: [lifetime("global", 11n), lifetime("key", 11n)], lastSequence: 2 };
  writeAll([batch, batch], [batch]);
  const reader = openSqliteReader(path);
  expect(reader.audit()).toMatchObject({ agree: true, entries: 2, totalNanoUsd: "11" });
  reader.close();
});

test("6.3 the sum of any period equals the sum of its entries, whole quarters and parts of them", () => {
  const entries = Array.from({ length: 300 }, (_, i) => entry(i, BigInt(i * i + 1), START + i * 47_123));
  writeAll([{ entries, balances: [], lastSequence: 300 }]);
  const reader = openSqliteReader(path);
  const instant = fc.integer({ min: START - 1_000_000, max: START + 15_000_000 });
  fc.assert(fc.property(instant, instant, (a, b) => {
    const [from, to] = a < b ? [a, b] : [b, a];
    const expected = entries.filter((one) => one.at >= from && one.at < to).reduce((sum, one) => sum + BigInt(one.cost), 0n);
    expect(reader.spent("key:K", undefined, from, to)).toBe(expected);
  }), { numRuns: 100 });
  reader.close();
});

test("8.3 an audit names the first difference, in a balance, a roll-up and a live counter", () => {
  writeAll([{ entries: [entry(1, 5n)], balances: [lifetime("global", 5n), lifetime("key", 5n)], lastSequence: 1 }]);
  const reader = openSqliteReader(path);
  expect(reader.audit([lifetime("key", 6n)])).toMatchObject({ agree: false, firstDifference: expect.stringContaining("The live counter key:K") });
  reader.close();
  const database = new DatabaseSync(path);
  database.exec("UPDATE balances SET spent = 4 WHERE scope = 'global'");
  const balance = openSqliteReader(path);
  expect(balance.audit().firstDifference).toContain("says $0.000000004, the entries say $0.000000005");
  database.exec("UPDATE rollups SET cost = 9 WHERE scope = 'key:K'");
  expect(balance.audit().firstDifference).toContain("The roll-ups of key:K");
  balance.close();
  database.close();
});

test("8.2 a management write with an old version is a conflict and changes nothing", async () => {
  const store = await openSqliteStore({ path, onProblem: () => {} });
  await store.change([{ kind: "key", id: "A", expectedVersion: 0, document: "1" }, { kind: "key", id: "B", expectedVersion: 0, document: "1" }]);
  await store.change([{ kind: "key", id: "A", expectedVersion: 1, document: "2" }]);
  await expect(store.change([{ kind: "key", id: "B", expectedVersion: 1, document: "2" }, { kind: "key", id: "A", expectedVersion: 1, document: "3" }])).rejects.toMatchObject({ code: "conflict" });
  await store.close();
  const again = await openSqliteStore({ path, onProblem: () => {} });
  expect((await again.load()).records).toEqual([{ kind: "key", id: "A", version: 2, document: "2" }, { kind: "key", id: "B", version: 1, document: "1" }]);
  await again.close();
});

test("a file that is no ledger, and one of a newer version, are refused by name", async () => {
  writeFileSync(path, "not a database at all, but long enough to be read as one by somebody careless");
  expect(() => openForWriting(path)).toThrowError(expect.objectContaining({ code: "ledger_unreadable" }));
  rmSync(path);
  openForWriting(path).close();
  const database = new DatabaseSync(path);
  database.exec("UPDATE meta SET schema_version = 99");
  database.close();
  expect(() => openForWriting(path)).toThrowError(expect.objectContaining({ code: "ledger_newer" }));
});

test("GATE 8.3: entries have one index beside their ids, and a small one of adjustments alone: each costs every request", () => {
  const database = openForWriting(path);
  const indexes = database.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'entries' AND sql IS NOT NULL ORDER BY name").all();
  database.close();
  expect(indexes.map(({ sql }) => sql)).toEqual(["CREATE INDEX adjustments ON entries (counter, id) WHERE counter IS NOT NULL", "CREATE INDEX entries_by_key ON entries (key_id, id)"]);
});
