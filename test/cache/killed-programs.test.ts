import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { SqliteCache } from "../../src/adapters/cache/sqlite/sqlite-cache.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { answerOf, keyOf, NOW } from "./conformance.ts";

const PROGRAM = fileURLToPath(new URL("./cache-program.ts", import.meta.url));

test("three programs on one file, killed with -9 at random instants: no answer is another key's or half of one, the sums and the bounds hold", async () => {
  const seed = Date.now() % 1_000_000;
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "tollgate-cache-killed-"));
  const path = join(folder, "cache.db");
  let output = "";
  const working = new WeakSet<ChildProcess>();
  const start = (number: number): ChildProcess => {
    const child = spawn(process.execPath, [PROGRAM, path, String(seed + number)], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      working.add(child);
    });
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
  rmSync(folder, { recursive: true, force: true });
}, 150_000);
