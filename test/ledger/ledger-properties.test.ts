import { mkdtempSync, rmSync } from "node:fs";
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
import { spanAt } from "../../src/domain/windows/span.ts";
import { LIFETIME, type WindowSpec } from "../../src/domain/windows/window.ts";

const START = Date.UTC(2026, 10, 24);
const HOURLY: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "h" }, zone: "UTC", weekStart: 0 };

let folder: string;
let path: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-ledger-")); path = join(folder, "ledger.db"); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Draft { readonly minute: number; readonly cost: bigint; readonly key: "A" | "B"; readonly model: "m" | "n" }
const draft: fc.Arbitrary<Draft> = fc.record({
  minute: fc.integer({ min: 0, max: 300 }), cost: fc.bigInt({ min: 0n, max: 1n << 55n }), key: fc.constantFrom("A", "B"), model: fc.constantFrom("m", "n"),
});

function entryOfDraft({ minute, cost, key, model }: Draft, index: number): Entry {
  const at = START + minute * 60_000;
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: `global,key:${key}`, keyId: key, teamId: null, userId: null, customer: null, model, provider: "p",
    upstreamModel: model, deployment: "d", route: "chat", stream: true, tags: '["t"]', metadata: "{}", held: cost.toString(), cost: cost.toString(), overage: "0", estimated: "cut_short",
    status: "cut_short", httpStatus: null, lines: null, priceVersion: "v", unpriced: false, inputTokens: 3, outputTokens: 4, cachedTokens: 1, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5.25,
  };
}

/** What a gateway would send: each scope for ever, by the hour, and by the hour for one model. */
function balancesOf(entries: readonly Entry[]): Balance[] {
  const balances = new Map<string, Balance>();
  for (const entry of entries) {
    for (const text of entry.scopes.split(",")) {
      const scope = text === "global" ? { kind: "global" as const, id: "", label: "" } : { kind: "key" as const, id: text.slice(4), label: "" };
      for (const [spec, model] of [[LIFETIME, undefined], [HOURLY, undefined], [HOURLY, entry.model]] as const) {
        const { start } = spanAt(spec, entry.at);
        const counter = counterId(scope, model, spec, start);
        const spent = (balances.get(counter)?.spent ?? 0n) + BigInt(entry.cost);
        balances.set(counter, { counter, scope: text, spent, spec: JSON.stringify(spec), start });
      }
    }
  }
  return [...balances.values()];
}

test("8.3 for any entries in any batches, sent twice, roll-ups, windows and totals equal the entries", () => {
  fc.assert(fc.property(fc.array(fc.array(draft, { maxLength: 8 }), { minLength: 1, maxLength: 5 }), (drafts) => {
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    const batches = drafts.map((list, batch) => list.map((one, i) => entryOfDraft(one, batch * 100 + i)));
    const entries = batches.flat();
    const database = openForWriting(path);
    const writer = new LedgerWriter(database);
    for (const list of [...batches, ...batches]) writer.write([{ entries: list, balances: [], lastSequence: 1 }]);
    writer.write([{ entries: [], balances: balancesOf(entries), lastSequence: 2 }]);
    database.close();
    const reader = openSqliteReader(path);
    const sum = (list: readonly Entry[]): bigint => list.reduce((total, one) => total + BigInt(one.cost), 0n);
    expect(reader.audit()).toMatchObject({ firstDifference: null, entries: entries.length, totalNanoUsd: sum(entries).toString() });
    expect(new Map(reader.totals({ by: "model" }).map((row) => [row.group, row.cost]))).toEqual(
      new Map([...new Set(entries.map((one) => one.model))].map((model) => [model, sum(entries.filter((one) => one.model === model)).toString()])),
    );
    const [from, to] = [START + 10 * 60_000, START + 100 * 60_000];
    const inside = entries.filter((one) => one.at >= from && one.at < to);
    for (const row of reader.totalsByScope("key", from, to)) {
      const own = inside.filter((one) => one.scopes.endsWith(row.scope));
      expect(row).toMatchObject({ cost: sum(own).toString(), requests: own.length });
    }
    expect(reader.totalsByScope("key", from, to).length).toBe(new Set(inside.map((one) => one.keyId)).size);
    expect(reader.entries({ limit: 1_000, ascending: true })).toEqual(entries.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
    reader.close();
  }), { numRuns: 25 });
});

test("8.3 an audit finds one nano-dollar planted in an hour's balance of one model", () => {
  const entries = [entryOfDraft({ minute: 5, cost: 7n, key: "A", model: "m" }, 1)];
  const database = openForWriting(path);
  new LedgerWriter(database).write([{ entries, balances: balancesOf(entries), lastSequence: 1 }]);
  database.exec("UPDATE balances SET spent = spent + 1 WHERE counter LIKE 'key:A|m|%'");
  database.close();
  const reader = openSqliteReader(path);
  expect(reader.audit().firstDifference).toMatch(/key:A\|m\|.*\$0\.000000008.*\$0\.000000007.*\$0\.000000001\.$/);
  reader.close();
});

test("8.2 a commit that another program blocks is reported, tried again, and loses nothing", async () => {
  const reported = Promise.withResolvers<Error>();
  const store = await openSqliteStore({ path, onProblem: reported.resolve });
  const blocker = new DatabaseSync(path);
  // A trigger stands for every failure of a write, such as a full disk.
  blocker.exec("CREATE TRIGGER fail BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'no room'); END");
  const committed: number[] = [];
  store.onCommitted((sequence) => committed.push(sequence));
  store.write({ entries: [entryOfDraft({ minute: 1, cost: 9n, key: "A", model: "m" }, 1)], balances: [], lastSequence: 3 });
  const done = store.commit();
  expect((await reported.promise).message).toContain("no room");
  expect(committed).toEqual([]);
  blocker.exec("DROP TRIGGER fail");
  blocker.close();
  await done;
  expect(committed).toEqual([3]);
  expect(await store.spent("key:A", undefined, 0, Infinity)).toBe(9n);
  await store.close();
});

test("8.3 counters taken while traffic goes on are compared with the entries of that moment, not with later ones", async () => {
  const store = await openSqliteStore({ path, onProblem: (error) => { throw error; } });
  const entries: Entry[] = [];
  for (let round = 0; round < 20; round += 1) {
    const entry = entryOfDraft({ minute: round, cost: 5n, key: "A", model: "m" }, round);
    entries.push(entry);
    store.write({ entries: [entry], balances: balancesOf(entries), lastSequence: round + 1 });
    const audits = [store.audit(balancesOf(entries)), store.audit(balancesOf(entries))];
    const late = entryOfDraft({ minute: round, cost: 3n, key: "A", model: "n" }, 1_000 + round);
    entries.push(late);
    store.write({ entries: [late], balances: balancesOf(entries), lastSequence: round + 1 });
    const after = store.audit(balancesOf(entries));
    await Promise.all([store.commit(), store.change([{ kind: "setting", id: "s", expectedVersion: round, document: "{}" }])]);
    for (const report of await Promise.all(audits)) expect(report).toMatchObject({ firstDifference: null, entries: 2 * round + 1 });
    expect(await after).toMatchObject({ firstDifference: null, entries: 2 * round + 2 });
  }
  await store.close();
});

test("8.3 the balance of a deleted scope is not missed by an audit, one that vanished is", async () => {
  const store = await openSqliteStore({ path, onProblem: (error) => { throw error; } });
  const entry = entryOfDraft({ minute: 1, cost: 5n, key: "A", model: "m" }, 1);
  const balances = balancesOf([entry]);
  store.write({ entries: [entry], balances, lastSequence: 1 });
  await store.change([], balances.filter((one) => one.scope === "key:A").map((one) => one.counter));
  expect(await store.audit()).toMatchObject({ agree: true });
  await store.close();
  const database = new DatabaseSync(path);
  database.exec("DELETE FROM deleted_balances");
  database.close();
  const reader = openSqliteReader(path);
  expect(reader.audit().firstDifference).toContain("missing lifetime balance of key:A");
  reader.close();
});

test("8.2 closing commits what was written last", async () => {
  const store = await openSqliteStore({ path, onProblem: (error) => { throw error; } });
  store.write({ entries: [entryOfDraft({ minute: 1, cost: 5n, key: "A", model: "m" }, 1)], balances: [], lastSequence: 8 });
  await store.close();
  const reader = openSqliteReader(path);
  expect(reader.entries({ limit: 10 }).map((one) => one.cost)).toEqual(["5"]);
  reader.close();
});
