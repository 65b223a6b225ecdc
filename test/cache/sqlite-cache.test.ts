import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SqliteCache, type SqliteCacheOptions } from "../../src/adapters/cache/sqlite/sqlite-cache.ts";
import { HELLO, MODEL, sdkUnderTest } from "../sdk/instance.ts";
import { answerOf, cacheConformance, keyOf, NONSENSE, NOW } from "./conformance.ts";

let folder: string;
let path: string;
const caches: SqliteCache[] = [];
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-cache-")); path = join(folder, "cache.db"); });
afterEach(async () => {
  for (const cache of caches.splice(0)) await cache.close();
  rmSync(folder, { recursive: true, force: true });
});

function make(options: Partial<SqliteCacheOptions> = {}): SqliteCache {
  const cache = new SqliteCache({ path, ...options });
  caches.push(cache);
  return cache;
}

const textOf = async (cache: SqliteCache, name: number, now = NOW): Promise<string | undefined> => {
  const found = await cache.get(keyOf(name), now);
  return found === undefined ? undefined : new TextDecoder().decode(found.body);
};

cacheConformance("SqliteCache", make);

test.each(NONSENSE)("%j is refused by name", (bounds, param) => {
  expect(() => new SqliteCache({ path: "x", ...bounds })).toThrow(expect.objectContaining({ code: "invalid_request", param }) as Error);
});

test.each(["", undefined, 5])("a path of %j is refused by name", (wrong) => {
  expect(() => new SqliteCache({ path: wrong as string })).toThrow(expect.objectContaining({ code: "invalid_request", param: "path" }) as Error);
});

describe("a file of answers", () => {
  test("is made by the first use, with its folder, for this user alone; the constructor touches nothing", async () => {
    path = join(folder, "deep", "er", "cache.db");
    const cache = make();
    expect(() => statSync(path)).toThrow();
    await cache.get(keyOf(1), NOW);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("outlasts its program, and several may use it at a time", async () => {
    const first = make();
    await first.set(keyOf(1), answerOf("one"), NOW);
    const second = make();
    expect(await textOf(second, 1)).toBe("one");
    await second.set(keyOf(2), answerOf("two"), NOW);
    expect(await textOf(first, 2)).toBe("two");
    expect(await first.stats()).toEqual(await second.stats());
    await first.close();
    await second.close();
    expect(await textOf(make(), 1)).toBe("one");
  });

  test("remembers over a restart what was used", async () => {
    const first = make({ maxEntries: 3 });
    for (const name of [1, 2, 3]) await first.set(keyOf(name), answerOf(`${name}`), NOW + name);
    await first.get(keyOf(1), NOW + 10);
    await first.close();
    const second = make({ maxEntries: 3 });
    await second.set(keyOf(4), answerOf("4"), NOW + 20);
    expect([await textOf(second, 1), await textOf(second, 2)]).toEqual(["1", undefined]);
  });

  test("keeps what a program keeps whose clock is behind the others'", async () => {
    const cache = make({ maxEntries: 2 });
    for (const name of [1, 2]) await cache.set(keyOf(name), answerOf(`${name}`), NOW + 50_000);
    await cache.set(keyOf(3), answerOf("3"), NOW);
    expect([await textOf(cache, 3), await textOf(cache, 1)]).toEqual(["3", undefined]);
  });

  test("does not grow beyond its bound, whatever passes through it", async () => {
    const cache = make({ maxBytes: 1_000_000 });
    for (let i = 0; i < 300; i += 1) await cache.set(keyOf(i), answerOf("x".repeat(20_000)), NOW + i);
    await cache.close();
    expect(statSync(path).size).toBeLessThan(1_000_000 * 1.5);
  });

  test("while another program writes for long, reading goes on and an answer is not kept, in half a second", async () => {
    const cache = make();
    await cache.set(keyOf(1), answerOf("one"), NOW);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    expect(await textOf(cache, 1)).toBe("one");
    const before = performance.now();
    await expect(cache.set(keyOf(2), answerOf("two"), NOW)).rejects.toThrow("locked");
    expect(performance.now() - before).toBeLessThan(4_000);
    other.exec("ROLLBACK");
    other.close();
    await cache.set(keyOf(2), answerOf("two"), NOW);
    expect(await textOf(cache, 2)).toBe("two");
  });
});

describe("a file that is none, or damaged", () => {
  test.each([
    ["text", () => writeFileSync(path, "not a database at all, but long enough to be read as one by somebody careless".repeat(100)), "cache_unreadable"],
    ["another database", () => { const other = new DatabaseSync(path); other.exec("CREATE TABLE mine (a)"); other.close(); }, "cache_unreadable"],
    ["a folder", () => mkdirSync(path), "file_unwritable"],
    ["below a file", () => { writeFileSync(path, ""); path = join(path, "cache.db"); }, "file_unwritable"],
  ] as const)("%s: open says so by its code, and not a byte of it changes", async (_what, put, code) => {
    put();
    const before = code === "cache_unreadable" ? readFileSync(path) : undefined;
    await expect(make().open()).rejects.toMatchObject({ code });
    if (before !== undefined) expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("a file of a newer version is refused by name", async () => {
    const cache = make();
    await cache.open();
    await cache.close();
    const other = new DatabaseSync(path);
    other.exec("PRAGMA user_version = 99");
    other.close();
    await expect(make().open()).rejects.toMatchObject({ code: "cache_newer", message: expect.stringContaining("99") as string });
  });

  test("an answer whose bytes have changed is lost, and given to nobody", async () => {
    const cache = make();
    await cache.set(keyOf(1), answerOf("the answer"), NOW);
    await cache.set(keyOf(2), answerOf("another"), NOW);
    const other = new DatabaseSync(path);
    other.exec("UPDATE answers SET body = CAST('the ansxer' AS BLOB) WHERE body = CAST('the answer' AS BLOB)");
    other.close();
    expect(await textOf(cache, 1)).toBeUndefined();
    expect(await textOf(cache, 2)).toBe("another");
    await cache.set(keyOf(1), answerOf("the answer"), NOW);
    expect(await textOf(cache, 1)).toBe("the answer");
  });

  test("a call goes on beside it: the provider answers, it is told once, and one put in its place is used", async () => {
    writeFileSync(path, "nonsense ".repeat(2_000));
    const told: unknown[] = [];
    const cache = make();
    const { tollgate, provider, stop } = await sdkUnderTest({ cache, onCallbackError: (error, { callback }) => told.push([callback, (error as { code?: string }).code]) });
    const ask = () => tollgate.completion({ model: MODEL, messages: HELLO });
    for (let i = 0; i < 3; i += 1) {
      await ask();
      await tollgate.flush();
    }
    expect(provider.requests).toHaveLength(3);
    expect(told).toEqual([["cache", "cache_unreadable"]]);
    await stop();
  });

  test("damage that comes while it is open is a miss, and the file is let go of", async () => {
    const cache = make();
    for (let i = 0; i < 50; i += 1) await cache.set(keyOf(i), answerOf("x".repeat(5_000)), NOW);
    await cache.close();
    const bytes = readFileSync(path);
    for (let at = 8_192; at < bytes.length; at += 1) bytes[at] = (at * 7) & 0xff;
    writeFileSync(path, bytes);
    const damaged = make();
    const found = await Promise.allSettled([1, 2, 3].map(async (name) => damaged.get(keyOf(name), NOW)));
    for (const one of found) expect(one.status === "rejected" || one.value === undefined).toBe(true);
    await expect((async () => damaged.set(keyOf(1), answerOf("one"), NOW))()).rejects.toMatchObject({ code: "cache_unreadable" });
    rmSync(path, { force: true });
  });
});

test("GATE 5.8: a second program gets the first one's answer from the file for $0, streamed too", async () => {
  const first = await sdkUnderTest({ cache: make() });
  const second = await sdkUnderTest({ cache: make(), defaults: { apiBase: `${first.provider.url}/v1` } });
  for (const stream of [false, true] as const) {
    const ask = { model: MODEL, messages: HELLO, max_tokens: 50, stream } as const;
    const costOf = async (answer: unknown): Promise<{ total: string; saved?: string }> => (stream ? (answer as { finalCost(): Promise<{ total: string }> }).finalCost() : (answer as { cost: { total: string } }).cost);
    const bought = await costOf(await first.tollgate.completion(ask));
    await first.tollgate.flush();
    expect(await costOf(await second.tollgate.completion(ask))).toMatchObject({ total: "0", saved: bought.total });
  }
  expect([first.provider.requests.length, second.provider.requests.length]).toEqual([2, 0]);
  expect(first.spent() + second.spent()).toBe(first.provider.bill().totalNanoUsd);
  await first.stop();
  await second.stop();
});
