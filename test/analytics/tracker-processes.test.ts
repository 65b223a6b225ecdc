import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostTracker } from "../../src/app/books/cost-tracker.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { sum } from "../../src/money.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { seededRandom } from "../support/seeded-random.ts";

const PROGRAM = fileURLToPath(new URL("tracker-program.ts", import.meta.url));
/** `ROWS=1000000 npx vitest run test/analytics/tracker-processes.test.ts` walks a million. */
const ROWS = Number(process.env["ROWS"] ?? 60_000);

let folder: string;
let path: string;
let children: ChildProcess[] = [];
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-trackers-")); path = join(folder, "costs.db"); });
afterEach(() => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
};

test("promises 3 and 4: four processes track and log into one file through kill -9: what a program was told stands once, at that cost, and a follower heard everything", async () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e9));
  const log = join(folder, "log");
  const random = seededRandom(seed);
  const start = (at: number): ChildProcess => {
    const child = spawn(process.execPath, [PROGRAM, path, log, String(seed + at), "3000"], { stdio: ["ignore", "ignore", "inherit"] });
    children.push(child);
    return child;
  };
  const tracker = new CostTracker({ path, pollMs: 20 });
  const heard = new Map<string, number>();
  const subscription = await tracker.subscribe((entry) => heard.set(entry.id, (heard.get(entry.id) ?? 0) + 1));
  const running = [0, 1, 2, 3].map(start);
  for (let kill = 0; kill < 4; kill += 1) {
    await sleep(300 + random() * 300);
    const victim = running[kill] as ChildProcess;
    victim.kill("SIGKILL");
    await ended(victim);
    running[kill] = start(10 + kill);
  }
  await Promise.all(running.map(ended));
  expect(running.map((child) => child.exitCode), `seed ${seed}`).toEqual([0, 0, 0, 0]);
  // Whoever opens the books charges what the dead ones held.
  await tracker.completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Last" }], mockResponse: "Hi" });

  const costs = new Map<string, string>();
  const totals: string[] = [];
  for await (const entry of tracker.entries()) {
    expect(costs.has(entry.id)).toBe(false);
    costs.set(entry.id, entry.costExact);
    totals.push(entry.costExact);
  }
  const lines = readFileSync(log, "utf8").split("\n").filter((line) => line.split(" ").length === 3).map((line) => line.split(" ") as [string, string, string]);
  expect(lines.length).toBeGreaterThan(100);
  for (const [, callId, total] of lines) expect(costs.get(`${callId}.01`), `seed ${seed} ${callId}`).toBe(total);
  const posted = lines.filter(([what]) => what === "posted").map(([, callId]) => callId);
  expect(new Set(posted).size, `seed ${seed}`).toBe(posted.length);
  expect(await new CostAnalyzer(tracker).total({ from: 0 })).toMatchObject({ costExact: sum(totals), requests: totals.length });
  for (let i = 0; heard.size < costs.size && i < 100; i += 1) await sleep(20);
  expect([...heard.keys()].toSorted(), `seed ${seed}`).toEqual([...costs.keys()].toSorted());
  expect([...heard.values()].every((times) => times === 1)).toBe(true);
  await subscription.close();
  await tracker.close();
  const reader = openSqliteReader(path);
  expect(reader.audit(), `seed ${seed}`).toMatchObject({ agree: true, firstDifference: null });
  reader.close();
}, 60_000);

test(`a walk through ${ROWS} entries holds a page of them at a time, meets each once and sums to the total`, async () => {
  const database = openForWriting(path);
  const writer = new LedgerWriter(database);
  const begin = Date.UTC(2026, 9, 1);
  for (let first = 0; first < ROWS; first += 1_000) {
    writer.write([{ entries: Array.from({ length: Math.min(1_000, ROWS - first) }, (_, i) => entryOf(begin, first + i)), balances: [], lastSequence: first + 1 }]);
  }
  database.close();
  const tracker = new CostTracker({ path });
  let [count, nano, last, peak] = [0, 0n, "", 0];
  const before = liveHeap();
  for await (const entry of tracker.entries({ order: "oldest" })) {
    if (entry.id <= last) throw new Error(`${entry.id} comes after ${last}.`);
    last = entry.id;
    count += 1;
    nano += BigInt(Math.round(entry.cost * 1e9));
    if (count % (ROWS / 20) === 0) peak = Math.max(peak, liveHeap() - before);
  }
  expect(count).toBe(ROWS);
  const total = await new CostAnalyzer(tracker).total({ from: 0 });
  expect([total.requests, BigInt(Math.round(total.cost * 1e9))]).toEqual([ROWS, nano]);
  // A page of a thousand rows and a little: the same for any number of rows.
  expect(peak, `${Math.round(peak / 1e6)} MB`).toBeLessThan(12e6);
  await tracker.close();
}, 600_000);

/** What is reachable: garbage says nothing about what a walk holds. */
function liveHeap(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

function entryOf(begin: number, index: number): Entry {
  const at = begin + index * 3;
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: "global", keyId: null, teamId: null, userId: null, customer: `user-${index % 7}`, model: "m", provider: "p", upstreamModel: "m",
    deployment: "d", route: "chat_completions", stream: false, tags: null, metadata: null, held: "0", cost: String(100 + (index % 977)), overage: "0", estimated: null, status: "ok", httpStatus: 200, lines: null, priceVersion: "v",
    unpriced: false, inputTokens: 1, outputTokens: 1, cachedTokens: 0, answeredModel: null, responseId: null, rawUsage: null, durationMs: 1,
  };
}
