import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SqliteCache } from "../../src/adapters/cache/sqlite/sqlite-cache.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { CostTracker } from "../../src/app/books/cost-tracker.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { answerOf, keyOf, NOW } from "./conformance.ts";

/** Runs three of a program over one folder and kills one of them with -9 at a random instant, six times, then all. @returns what they said */
async function killAtRandom(program: string, folder: string, seed: number): Promise<string> {
  const random = seededRandom(seed);
  let output = "";
  const working = new WeakSet<ChildProcess>();
  const start = (number: number): ChildProcess => {
    const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), folder, String(seed + number)], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        working.add(child);
      });
    }
    return child;
  };
  let children = [0, 1, 2].map(start);
  for (let round = 1; round <= 6; round += 1) {
    // However slowly they start on a busy machine: all of them are at work when one is killed.
    await expect.poll(() => children.every((child) => working.has(child)), { timeout: 20_000, interval: 20 }).toBe(true);
    await pause(random() * 250);
    for (const child of children) expect(child.exitCode, `seed ${seed}: ${output}`).toBeNull();
    const victim = Math.floor(random() * children.length);
    children[victim]?.kill("SIGKILL");
    children = children.map((child, index) => (index === victim ? start(round * 10) : child));
  }
  await Promise.all(children.map((child) => new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill("SIGKILL");
  })));
  return output;
}

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-cache-killed-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("three programs on one file, killed with -9 at random instants: no answer is another key's or half of one, the sums and the bounds hold", async () => {
  const seed = Date.now() % 1_000_000;
  const path = join(folder, "cache.db");
  const output = await killAtRandom("./cache-program.ts", path, seed);
  expect(output, `seed ${seed}`).toMatch(/read [1-9]/);
  expect(output, `seed ${seed}`).not.toMatch(/wrong|Error/);

  const cache = new SqliteCache({ path, maxBytes: 300_000, maxEntries: 40 });
  const { entries, bytes } = await cache.stats();
  expect(entries).toBeGreaterThan(0);
  expect(entries).toBeLessThanOrEqual(40);
  expect(bytes).toBeLessThanOrEqual(300_000);
  await cache.set(keyOf(99), answerOf("after"), NOW);
  expect(await cache.get(keyOf(99), NOW)).toBeDefined();
  await cache.close();
  const file = new DatabaseSync(path);
  expect(file.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect(file.prepare("SELECT entries = (SELECT count(*) FROM answers) AND bytes = (SELECT sum(bytes) FROM answers) AS agree FROM totals").get()).toEqual({ agree: 1 });
  file.close();
}, 150_000);

test("GATE 5.8: three programs with one ledger and one cache, killed with -9 at random instants: each hit is one entry of $0 that saved what its answer cost, and the audit agrees", async () => {
  const seed = Date.now() % 1_000_000;
  const output = await killAtRandom("./tracked-program.ts", folder, seed);
  expect(output, `seed ${seed}`).toMatch(/hit/);
  expect(output, `seed ${seed}`).not.toMatch(/wrong|Error/);

  const tracker = new CostTracker({ path: join(folder, "ledger.db") });
  await tracker.completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "after" }], mockResponse: "after" });
  const hits: unknown[] = [];
  for await (const { status, costExact, saved } of tracker.entries()) {
    if (status === "cached") hits.push(costExact === "0" && saved === "0.0000135");
    else if (status === "ok") expect([costExact, saved]).toEqual(["0.0000135", null]);
    else expect([status, saved]).toEqual(["crashed", null]);
  }
  await tracker.close();
  // What a program said, it had written before.
  expect(hits.length, `seed ${seed}`).toBeGreaterThanOrEqual(output.match(/hit/g)?.length ?? 0);
  expect(hits.every((isRight) => isRight), `seed ${seed}`).toBe(true);
  const reader = openSqliteReader(join(folder, "ledger.db"));
  expect(reader.audit(), `seed ${seed}`).toMatchObject({ agree: true });
  reader.close();
}, 150_000);
