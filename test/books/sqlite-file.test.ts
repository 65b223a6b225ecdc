import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LedgerFile } from "../../src/adapters/books/sqlite/ledger-file.ts";
import { openSqliteBooks, type SharedBooks } from "../../src/adapters/books/sqlite/open-sqlite-books.ts";
import { Owners } from "../../src/adapters/books/sqlite/owners.ts";
import { SqliteBooks } from "../../src/adapters/books/sqlite/sqlite-books.ts";
import { openForSharing } from "../../src/adapters/stores/sqlite/schema.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { SteadyClock } from "../../src/base/clock.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { LIFETIME, NOW } from "../../src/domain/windows/window.ts";
import { admitted, askOf, chargeOf, closed, DAILY, factsOf, GLOBAL_AND_KEY, KEY, money, opened, seeded, standingOf, TestClock } from "./conformance.ts";

let folder: string;
let path: string;
let clock: TestClock;
let programs: SharedBooks[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-file-"));
  path = join(folder, "ledger.db");
  clock = new TestClock();
  programs = [];
});
afterEach(async () => {
  for (const program of programs) await program.close().catch(() => {});
  rmSync(folder, { recursive: true, force: true });
});

async function program(time: TestClock | SteadyClock = clock): Promise<SharedBooks> {
  const shared = await openSqliteBooks({ path, clock: time });
  programs.push(shared);
  return shared;
}

const setOf = (...limits: ReturnType<typeof money>[]) => [{ scopes: GLOBAL_AND_KEY, limits }];

function ledger(): { entries: readonly Entry[]; audit: string | null } {
  const reader = openSqliteReader(path);
  try {
    return { entries: reader.entries({ limit: 100_000, ascending: true }), audit: reader.audit().firstDifference };
  } finally {
    reader.close();
  }
}

/** Books on a connection that the test can starve of space or make read-only. */
function onOwnConnection(): { books: SqliteBooks; database: DatabaseSync } {
  const database = openForSharing(path);
  const file = new LedgerFile(database);
  const owners = new Owners(join(folder, "owners"), "test");
  file.begin(true);
  owners.enter();
  file.commit();
  return { books: new SqliteBooks({ clock, ledger: file, owners, committed: () => {} }), database };
}

for (const trouble of [
  { name: "full", begin: "PRAGMA max_page_count = 1", end: "PRAGMA max_page_count = 1000000", says: "full" },
  { name: "read-only", begin: "PRAGMA query_only = ON", end: "PRAGMA query_only = OFF", says: "readonly" },
]) {
  test(`GATE 8.4: on a ${trouble.name} disk nothing new is admitted, what is owed is kept, and it is written once there is room`, async () => {
    const { books, database } = onOwnConnection();
    const limit = money(100_000n);
    const first = admitted(await opened(books, askOf(1_000n), factsOf(clock.time), setOf(limit)));
    database.exec(trouble.begin);
    let refused = 0;
    for (let i = 0; i < 200 && refused === 0; i += 1) {
      const opening = await opened(books, askOf(1n), factsOf(clock.time), setOf(limit));
      if (opening.kind === "failed") {
        refused += 1;
        expect(opening.error).toMatchObject({ code: "journal_unavailable", message: expect.stringContaining(trouble.says) });
      }
    }
    expect(refused).toBe(1);
    const { held } = await standingOf(books, KEY, LIFETIME);
    const error = await closed(books, first, chargeOf(700n, { rawUsage: "x".repeat(200_000) }));
    expect(error).toMatchObject({ code: "journal_unavailable" });
    await expect(books.settled()).rejects.toMatchObject({ code: "journal_unavailable" });
    // The hold stands for the cost that is owed.
    expect(await standingOf(books, KEY, LIFETIME)).toMatchObject({ spent: 0n, held });
    database.exec(trouble.end);
    for (;;) {
      if ((await standingOf(books, KEY, LIFETIME)).spent === 700n) break;
      await sleep(20);
    }
    await books.settled();
    expect(await standingOf(books, KEY, LIFETIME)).toMatchObject({ spent: 700n, held: held - 1_000n });
    database.close();
    const { entries, audit } = ledger();
    expect(audit).toBeNull();
    expect(entries).toMatchObject([{ id: first.facts.attemptId, cost: "700" }]);
  });
}

test("a file that another program has locked is waited for, without stopping this thread", async () => {
  const { books } = await program();
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  let answered = false;
  const opening = opened(books, askOf(1n), factsOf(clock.time), setOf(money(10n))).then((result) => {
    answered = true;
    return result;
  });
  let turns = 0;
  for (; turns < 20; turns += 1) await sleep(2);
  expect(answered).toBe(false);
  other.exec("COMMIT");
  other.close();
  expect((await opening).kind).toBe("open");
});

test("a file that is no ledger, one of a newer version and a folder that cannot be made are refused by name", async () => {
  writeFileSync(path, "not a database at all, but long enough to be read as one by somebody careless");
  await expect(program()).rejects.toMatchObject({ code: "ledger_unreadable" });
  rmSync(path);
  await (await program()).close();
  const database = new DatabaseSync(path);
  database.exec("UPDATE meta SET schema_version = 99");
  database.close();
  await expect(program()).rejects.toMatchObject({ code: "ledger_newer" });
  writeFileSync(join(folder, "file"), "");
  await expect(openSqliteBooks({ path: join(folder, "file", "ledger.db"), clock })).rejects.toMatchObject({ code: "data_folder_unwritable" });
  rmSync(path);
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE mine (a)");
  other.close();
  await expect(program()).rejects.toMatchObject({ code: "ledger_unreadable", message: expect.stringContaining("no ledger of Tollgate") });
  // Nothing that failed still has the folder.
  rmSync(path);
  await program();
});

test("GATE 6.4: a clock behind the newest entry is held there; more than a day behind, nothing starts", async () => {
  const first = await program();
  await closed(first.books, admitted(await opened(first.books, askOf(1n), factsOf(clock.time), setOf())), chargeOf(1n));
  await first.close();
  const behind = { now: () => clock.time - 3_600_000, monotonic: () => 0 };
  const steady = new SteadyClock(behind, () => {});
  await (await program(steady)).close();
  expect(steady.now()).toBe(clock.time);
  const farBehind = new SteadyClock({ now: () => clock.time - 90_000_000, monotonic: () => 0 }, () => {});
  await expect(program(farBehind)).rejects.toMatchObject({ code: "clock_behind" });
});

test("GATE 6.4: what another program has written meanwhile holds the clock as well", async () => {
  const ahead = await program();
  const steady = new SteadyClock({ now: () => clock.time - 60_000, monotonic: () => 0 }, () => {});
  const behind = await program(steady);
  await closed(ahead.books, admitted(await opened(ahead.books, askOf(1n), factsOf(clock.time), setOf())), chargeOf(1n));
  await standingOf(behind.books, KEY, LIFETIME);
  expect(steady.now()).toBe(clock.time);
});

test("a budget that one program knows is moved by every program that charges its scope", async () => {
  const [one, two] = [await program(), await program()];
  const daily = money(100n, DAILY);
  await closed(two.books, admitted(await opened(two.books, askOf(10n), factsOf(clock.time), setOf())), chargeOf(10n));
  const running = admitted(await opened(two.books, askOf(20n), factsOf(clock.time), setOf()));
  await seeded(one.books, [daily]);
  expect(await standingOf(one.books, KEY, DAILY)).toMatchObject({ spent: 10n, held: 20n });
  await closed(two.books, running, chargeOf(15n));
  await closed(two.books, admitted(await opened(two.books, askOf(60n), factsOf(clock.time), setOf())), chargeOf(60n));
  expect(await standingOf(one.books, KEY, DAILY)).toMatchObject({ spent: 85n, held: 0n });
  expect(await opened(one.books, askOf(20n), factsOf(clock.time), setOf(daily))).toMatchObject({ kind: "refused", refusal: { outcome: "budget_exceeded", spent: 85n } });
  await Promise.all([one, two, await program()].map(({ books }) => seeded(books, [daily, money(5n, { kind: "aligned", duration: { count: 1, unit: "d" }, zone: "Europe/Berlin", weekStart: 0 })])));
  expect(ledger().audit).toBeNull();
});

test("a limit of requests for ever is exact over several programs, and slots are shared", async () => {
  const all = [await program(), await program(), await program()];
  const session = money(25n, LIFETIME, { measure: "requests" });
  const openings = await Promise.all(Array.from({ length: 90 }, (_, i) => opened((all[i % 3] as SharedBooks).books, askOf(1n), factsOf(clock.time), setOf(session))));
  expect(openings.filter((opening) => opening.kind === "open")).toHaveLength(25);
  const slots = money(2n, NOW, { measure: "slots", scope: { kind: "key", id: "K", label: "k" } });
  const taken = await Promise.all(all.map(({ books }) => opened(books, askOf(1n), factsOf(clock.time), setOf(slots))));
  expect(taken.filter((opening) => opening.kind === "open")).toHaveLength(2);
});

test("GATE 5.6: slots and holds of a program that ended with open attempts are free for the next one", async () => {
  const first = await program();
  const slots = money(1n, NOW, { measure: "slots" });
  admitted(await opened(first.books, askOf(70n), factsOf(clock.time), setOf(money(100n), slots)));
  const second = await program();
  expect(await opened(second.books, askOf(1n), factsOf(clock.time), setOf(slots))).toMatchObject({ kind: "refused" });
  await first.close();
  await sleep(110);
  admitted(await opened(second.books, askOf(30n), factsOf(clock.time), setOf(money(100n), slots)));
  expect(await standingOf(second.books, KEY, LIFETIME)).toEqual({ spent: 70n, held: 30n, lifetime: 70n });
});

test("GATE 5.6: a settlement that arrives after its program was taken for dead corrects the difference, once", async () => {
  const alive = await program();
  const attempt = admitted(await opened(alive.books, askOf(100n), factsOf(clock.time), setOf(money(1_000n, DAILY))));
  // Somebody deletes the files that say who lives.
  rmSync(join(folder, "owners"), { recursive: true });
  mkdirSync(join(folder, "owners"));
  const other = await program();
  expect(await standingOf(other.books, KEY, DAILY)).toMatchObject({ spent: 100n, held: 0n });
  await closed(alive.books, attempt, chargeOf(30n));
  expect(await standingOf(other.books, KEY, DAILY)).toMatchObject({ spent: 30n, held: 0n });
  const { entries, audit } = ledger();
  expect(audit).toBeNull();
  expect(entries.map((entry) => [entry.kind, entry.cost])).toEqual([["charge", "100"], ["correction", "-70"]]);
});

test("flush and close resolve once everything is in the file, and closing twice is closing once", async () => {
  const shared = await program();
  const openings = await Promise.all(Array.from({ length: 600 }, () => opened(shared.books, askOf(1n), factsOf(clock.time), setOf())));
  let told = 0;
  for (const opening of openings) shared.books.close(admitted(opening), chargeOf(1n), () => { told += 1; });
  await shared.flush();
  expect(told).toBe(600);
  await Promise.all([shared.close(), shared.close()]);
  expect(ledger()).toMatchObject({ audit: null, entries: { length: 600 } });
});
