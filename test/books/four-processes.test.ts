import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteBooks, type SharedBooks } from "../../src/adapters/books/sqlite/open-sqlite-books.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { SteadyClock } from "../../src/base/clock.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { askOf, factsOf, GLOBAL_AND_KEY, KEY, money, opened, standingOf } from "./conformance.ts";

const HAMMER = fileURLToPath(new URL("hammer.ts", import.meta.url));
const BUDGET = 50_000_000n;

let folder: string;
let path: string;
let log: string;
let children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-processes-"));
  path = join(folder, "ledger.db");
  log = join(folder, "log");
});
afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

function start(seed: number, mode = ""): ChildProcess {
  const child = spawn(process.execPath, [HAMMER, path, log, BUDGET.toString(), String(seed), mode], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  return child;
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
};

const openHere = (): Promise<SharedBooks> => openSqliteBooks({ path, clock: new SteadyClock({ now: () => Date.now(), monotonic: () => performance.now() }, () => {}) });

function readLedger(): { entries: readonly Entry[]; audit: string | null; openHolds: number; heldTallies: number } {
  const reader = openSqliteReader(path);
  const database = new DatabaseSync(path, { readOnly: true });
  const number = (sql: string): number => (database.prepare(sql).get() as { count: number }).count;
  try {
    return {
      entries: reader.entries({ limit: 1_000_000, ascending: true }), audit: reader.audit().firstDifference,
      openHolds: number("SELECT count(*) AS count FROM holds"), heldTallies: number("SELECT count(*) AS count FROM tallies WHERE counter LIKE 'held|%'"),
    };
  } finally {
    reader.close();
    database.close();
  }
}

/** What the programs saw with their own eyes, against what the ledger says. */
function checkAgainstLog(entries: readonly Entry[]): void {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const settled = new Set<string>();
  const lines = readFileSync(log, "utf8").split("\n").filter((line) => line !== "").map((line) => line.split(" ") as [string, string, string]);
  expect(lines.filter(([what]) => what === "wrong")).toEqual([]);
  for (const [what, id, amount] of lines) {
    if (what !== "close") continue;
    settled.add(id);
    expect(byId.get(id)).toMatchObject({ cost: amount, status: "ok" });
  }
  for (const [what, id, amount] of lines) {
    if (what !== "open" || settled.has(id)) continue;
    const entry = byId.get(id);
    // Killed between the commit of its settlement and its note of it, or before: one entry in either case.
    expect(entry).toBeDefined();
    if (entry?.status === "crashed") expect(entry).toMatchObject({ cost: amount, estimated: "crashed" });
  }
  expect(byId.size).toBe(entries.length);
}

test("promises 1, 3, 4: four processes and kill -9 at random instants: the budget holds to the nano-dollar and is used up, every attempt has one entry", async () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e9));
  const random = seededRandom(seed);
  let next = seed;
  const running = Array.from({ length: 4 }, () => start(next++));
  let kills = 0;
  // On a busy machine programs need longer than that to begin, and who is killed before that proves nothing.
  while (!existsSync(log)) await sleep(10);
  while (kills < 12) {
    await sleep(60 + random() * 200);
    const place = Math.floor(random() * 4);
    const victim = running[place] as ChildProcess;
    if (victim.exitCode === null && victim.kill("SIGKILL")) kills += 1;
    await ended(victim);
    running[place] = start(next++);
  }
  await Promise.all(running.map(ended));
  expect(running.map((child) => child.exitCode), `seed ${seed}`).toEqual([0, 0, 0, 0]);
  const here = await openHere();
  const standing = await standingOf(here.books, KEY, LIFETIME);
  await here.close();
  const { entries, audit, openHolds, heldTallies } = readLedger();
  const spent = entries.reduce((sum, entry) => sum + BigInt(entry.cost), 0n);
  expect({ audit, openHolds, heldTallies }, `seed ${seed}`).toEqual({ audit: null, openHolds: 0, heldTallies: 0 });
  expect(standing).toEqual({ spent, held: 0n, lifetime: spent });
  expect(spent <= BUDGET, `seed ${seed}: ${spent}`).toBe(true);
  expect(spent >= (BUDGET * 97n) / 100n, `seed ${seed}: ${spent}`).toBe(true);
  checkAgainstLog(entries);
  expect(entries.filter((entry) => entry.status === "crashed").length).toBeGreaterThan(0);
}, 60_000);

test("GATE 5.6: several processes that find the same dead one charge its holds once", async () => {
  const victim = start(1, "hold");
  expect(String((await once(victim.stdout as NodeJS.ReadableStream, "data"))[0])).toBe("held 50\n");
  victim.kill("SIGKILL");
  await ended(victim);
  const sweepers = [2, 3, 4, 5].map((seed) => start(seed, "open"));
  await Promise.all(sweepers.map(ended));
  expect(sweepers.map((child) => child.exitCode)).toEqual([0, 0, 0, 0]);
  const { entries, audit, openHolds, heldTallies } = readLedger();
  expect({ audit, openHolds, heldTallies }).toEqual({ audit: null, openHolds: 0, heldTallies: 0 });
  expect(entries).toHaveLength(50);
  for (const entry of entries) expect(entry).toMatchObject({ kind: "charge", cost: "100", held: "100", estimated: "crashed" });
});

test("GATE 5.6: a living program that meets budget_held charges the dead one, and the same call gets the answer that is true then", async () => {
  const here = await openHere();
  const victim = start(1, "hold");
  await once(victim.stdout as NodeJS.ReadableStream, "data");
  victim.kill("SIGKILL");
  await ended(victim);
  // Held money makes an ask wait, spent money shortens its answer (GATE 3.2): 70 tokens of 100 are left beside 50 holds of 100.
  const opening = await opened(here.books, askOf(10_000n, 100), factsOf(Date.now()), [{ scopes: GLOBAL_AND_KEY, limits: [money(12_000n)] }]);
  expect(opening).toMatchObject({ kind: "open", attempt: { sendCap: 70, hold: { nanoUsd: 7_000n } } });
  expect(await standingOf(here.books, KEY, LIFETIME)).toEqual({ spent: 5_000n, held: 7_000n, lifetime: 5_000n });
  await here.close();
});

test("a frozen process keeps its holds, and what it settles afterwards is exact", async () => {
  const frozen = start(1, "hold");
  await once(frozen.stdout as NodeJS.ReadableStream, "data");
  frozen.kill("SIGSTOP");
  const here = await openHere();
  const opening = await opened(here.books, askOf(100n), factsOf(Date.now()), [{ scopes: GLOBAL_AND_KEY, limits: [money(5_050n)] }]);
  expect(opening).toMatchObject({ kind: "refused", refusal: { outcome: "budget_held", held: 5_000n, spent: 0n } });
  frozen.kill("SIGCONT");
  frozen.stdin?.write("settle\n");
  await ended(frozen);
  expect(await standingOf(here.books, KEY, LIFETIME)).toEqual({ spent: 2_000n, held: 0n, lifetime: 2_000n });
  await here.close();
  const { entries, audit } = readLedger();
  expect(audit).toBeNull();
  expect(entries.map((entry) => entry.cost)).toEqual(Array.from({ length: 50 }, () => "40"));
  expect(existsSync(join(folder, "owners"))).toBe(true);
});
