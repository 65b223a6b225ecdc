import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { WriterThread } from "../../src/adapters/stores/sqlite/writer-thread.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { counterId } from "../../src/domain/ledger/counter-id.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import type { Batch } from "../../src/domain/ledger/store.ts";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";
import { until } from "../support/world.ts";

let folder: string;
let path: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-writer-")); path = join(folder, "ledger.db"); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The `index`th entry of a cost of 10, and the balance that it makes. */
function batch(index: number): Batch {
  const at = Date.UTC(2026, 10, 24) + index;
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  const entry: Entry = {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: "global", keyId: null, teamId: null, userId: null, customer: null, model: "m", provider: "p",
    upstreamModel: "m", deployment: "d", route: "chat", stream: false, tags: null, metadata: null, held: "10", cost: "10", overage: "0", estimated: null, status: "ok", httpStatus: 200, lines: null,
    priceVersion: "v", unpriced: false, inputTokens: 3, outputTokens: 4, cachedTokens: 0, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5,
  };
  const balance = { counter: counterId(GLOBAL_SCOPE, undefined, LIFETIME, 0), scope: "global", spent: BigInt(index) * 10n, spec: JSON.stringify(LIFETIME), start: 0 };
  return { entries: [], lines: { bytes: new TextEncoder().encode(`${JSON.stringify(entry)}\n`), count: 1 }, balances: [balance], lastSequence: index };
}

/** Ways of a thread to end. */
const ENDS: readonly [string, (thread: WriterThread) => void][] = [
  ["throws", (thread) => thread.post({ type: "write" })],
  ["exits", (thread) => { void (thread as unknown as { thread: { worker: { terminate(): Promise<number> } } }).thread.worker.terminate(); }],
];

test.each(ENDS)("promise 3: when the writer's thread %s under load it is replaced, told again what it had not committed, and nothing is lost or counted twice", async (_how, end) => {
  const health: boolean[] = [];
  const problems: Error[] = [];
  let committed = 0;
  const thread = new WriterThread(path, { committed: (sequence) => { committed = sequence; }, problem: (error) => problems.push(error), health: (healthy) => health.push(healthy) });
  await thread.call({ type: "load" });
  let index = 0;
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 40; i += 1) thread.write(batch((index += 1)));
    const change = thread.call({ type: "change", changes: [{ kind: "setting", id: `round${round}`, expectedVersion: 0, document: "{}" }], balancesToDelete: [] });
    end(thread);
    for (let i = 0; i < 40; i += 1) thread.write(batch((index += 1)));
    await until(() => health.length === round * 2 + 2, "a new thread has caught up");
    await change;
  }
  expect(health).toEqual([false, true, false, true, false, true, false, true, false, true]);
  expect(problems).toHaveLength(5);
  await thread.call({ type: "commit" });
  expect(committed).toBe(400);
  await thread.close();
  const reader = openSqliteReader(path);
  expect(reader.audit()).toMatchObject({ agree: true, entries: 400, totalNanoUsd: "4000" });
  expect(reader.records()).toHaveLength(5);
  reader.close();
});

test("a thread that ended and was not replaced yet keeps nobody from closing", async () => {
  const problems: Error[] = [];
  const thread = new WriterThread(path, { committed: () => {}, problem: (error) => problems.push(error) });
  await thread.call({ type: "load" });
  ENDS[0]?.[1](thread);
  await until(() => problems.length === 1, "the end is noticed");
  const waits = thread.call({ type: "commit" });
  await Promise.all([expect(waits).rejects.toThrow(), thread.close()]);
});

test("GATE 8.2: a batch is committed at 1,000 rows at once, and fewer rows after 200 ms", async () => {
  const commits: { sequence: number; afterMs: number }[] = [];
  let begunMs = 0;
  const thread = new WriterThread(path, { committed: (sequence) => commits.push({ sequence, afterMs: performance.now() - begunMs }), problem: (error) => { throw error; } });
  await thread.call({ type: "load" });
  begunMs = performance.now();
  thread.write(batch(1));
  await until(() => commits.length === 1, "the one row is committed");
  expect(commits[0]?.afterMs).toBeGreaterThan(150);
  for (let index = 2; index <= 3_001; index += 1) thread.write(batch(index));
  // Behind what is full already nothing waits for a time to pass: each of these commits has a thousand rows at most.
  await until(() => commits.at(-1)?.sequence === 3_001, "all are committed");
  const sizes = commits.slice(1).map(({ sequence }, at) => sequence - (commits[at]?.sequence ?? 0));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
  await thread.close();
});

test("GATE 8.4: while a batch cannot be written, whoever reads is told so instead of waiting without end; a patient one waits", async () => {
  const problems: Error[] = [];
  const thread = new WriterThread(path, { committed: () => {}, problem: (error) => problems.push(error) });
  await thread.call({ type: "load" });
  const unwritable = batch(1);
  thread.write({ ...unwritable, balances: unwritable.balances.map((balance) => ({ ...balance, spent: 2n ** 70n })) });
  const patient = thread.call({ type: "commit", patient: true }).then(() => "done", () => "ended");
  await expect(thread.call({ type: "commit" })).rejects.toMatchObject({ code: "ledger_unwritable" });
  expect(problems.length).toBeGreaterThan(0);
  expect(await Promise.race([patient, new Promise((resolve) => setTimeout(resolve, 300, "waits"))])).toBe("waits");
  await thread.close();
  expect(await patient).toBe("ended");
});
