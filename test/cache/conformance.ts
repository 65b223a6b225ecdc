import { describe, expect, test } from "vitest";
import type { CacheBounds, CacheStats, ResponseCache } from "../../src/domain/cache/response-cache.ts";
import { bytesOf, type StoredAnswer } from "../../src/domain/cache/stored-answer.ts";
import { seededRandom } from "../support/seeded-random.ts";

export interface CacheUnderTest extends ResponseCache {
  clear(): void | Promise<void>;
  stats(): CacheStats | Promise<CacheStats>;
}

export const NOW = Date.UTC(2026, 10, 24);
export const keyOf = (name: string | number): string => String(name).padStart(64, "0");

export function answerOf(text: string, changes: Partial<StoredAnswer> = {}): StoredAnswer {
  return { body: new TextEncoder().encode(text), storedAt: NOW, expiresAt: NOW + 60_000, cost: "157500", priceVersion: "v1", model: "gpt-4o-mini", responseId: "r1", rawUsage: '{"prompt_tokens":1}', ...changes };
}

const textOf = (answer: StoredAnswer | undefined): string | undefined => (answer === undefined ? undefined : new TextDecoder().decode(answer.body));

/** What every cache of ours promises. */
export function cacheConformance(name: string, make: (bounds: CacheBounds) => CacheUnderTest): void {
  describe(`every cache: ${name}`, () => {
    test("gives back what it was given, byte for byte, and nothing for other keys", async () => {
      const cache = make({});
      const answer = answerOf('{"a":"ü\u0000😀"}', { expiresAt: null, cost: "9223372036854775807", priceVersion: null, model: null, responseId: null, rawUsage: null });
      await cache.set(keyOf(1), answer, NOW);
      await cache.set(keyOf(2), answerOf("two"), NOW);
      const found = await cache.get(keyOf(1), NOW);
      expect({ ...found, body: [...(found?.body ?? [])] }).toEqual({ ...answer, body: [...answer.body] });
      expect(await cache.get(keyOf(2), NOW)).toMatchObject({ storedAt: NOW, expiresAt: NOW + 60_000, cost: "157500", priceVersion: "v1", model: "gpt-4o-mini", responseId: "r1", rawUsage: '{"prompt_tokens":1}' });
      expect(await cache.get(keyOf(3), NOW)).toBeUndefined();
    });

    test("a key that is set again has the new answer, counted once", async () => {
      const cache = make({});
      await cache.set(keyOf(1), answerOf("a".repeat(1_000)), NOW);
      await cache.set(keyOf(1), answerOf("b"), NOW);
      expect(textOf(await cache.get(keyOf(1), NOW))).toBe("b");
      expect(await cache.stats()).toEqual({ entries: 1, bytes: bytesOf(keyOf(1), answerOf("b")) });
    });

    test("what has expired is gone, by the time it is told", async () => {
      const cache = make({});
      await cache.set(keyOf(1), answerOf("a"), NOW);
      expect(textOf(await cache.get(keyOf(1), NOW + 59_999))).toBe("a");
      expect(await cache.get(keyOf(1), NOW + 60_000)).toBeUndefined();
    });

    test("bytes are counted with keys and facts, and never above the bound", async () => {
      const one = bytesOf(keyOf(1), answerOf("x".repeat(100)));
      const cache = make({ maxBytes: 3 * one });
      for (let i = 0; i < 10; i += 1) {
        await cache.set(keyOf(i), answerOf("x".repeat(100)), NOW);
        expect((await cache.stats()).bytes).toBe(Math.min(i + 1, 3) * one);
      }
      expect(one).toBeGreaterThan(64 + 100);
    });

    test("what was not used for longest goes first", async () => {
      const cache = make({ maxEntries: 3 });
      for (const name of [1, 2, 3]) await cache.set(keyOf(name), answerOf(`${name}`), NOW + name);
      await cache.get(keyOf(1), NOW + 10);
      await cache.set(keyOf(4), answerOf("4"), NOW + 20);
      const kept = await Promise.all([1, 2, 3, 4].map(async (name) => textOf(await cache.get(keyOf(name), NOW + 30))));
      expect(kept).toEqual(["1", undefined, "3", "4"]);
    });

    test("an answer that is too large for the bound is not kept, and drives nothing out", async () => {
      const cache = make({ maxBytes: 2_000 });
      await cache.set(keyOf(1), answerOf("a"), NOW);
      await cache.set(keyOf(2), answerOf("b".repeat(2_000)), NOW);
      expect(await cache.get(keyOf(2), NOW)).toBeUndefined();
      expect(textOf(await cache.get(keyOf(1), NOW))).toBe("a");
      // It replaces what its key had: that answer is no longer the newest.
      await cache.set(keyOf(1), answerOf("b".repeat(2_000)), NOW);
      expect(await cache.stats()).toEqual({ entries: 0, bytes: 0 });
    });

    test("clear forgets everything", async () => {
      const cache = make({});
      for (let i = 0; i < 5; i += 1) await cache.set(keyOf(i), answerOf("a"), NOW);
      await cache.clear();
      expect(await cache.stats()).toEqual({ entries: 0, bytes: 0 });
      expect(await cache.get(keyOf(1), NOW)).toBeUndefined();
    });

    test("whatever is set, read and expires: stats are the sum of what is there, within both bounds, and no answer is another key's (seeded)", async () => {
      const seed = 20261124;
      const random = seededRandom(seed);
      const cache = make({ maxBytes: 20_000, maxEntries: 12 });
      const last = new Map<string, string>();
      let now = NOW;
      for (let step = 0; step < 600; step += 1) {
        now += Math.floor(random() * 3_000);
        const key = keyOf(Math.floor(random() * 25));
        if (random() < 0.5) {
          const text = `${key}:${step}:${"x".repeat(Math.floor(random() * 4_000))}`;
          await cache.set(key, answerOf(text, { storedAt: now, expiresAt: now + 20_000 }), now);
          last.set(key, text);
        } else {
          const found = textOf(await cache.get(key, now));
          if (found !== undefined) expect(found, `seed ${seed}, step ${step}`).toBe(last.get(key));
        }
        const { entries, bytes } = await cache.stats();
        expect(entries, `seed ${seed}, step ${step}`).toBeLessThanOrEqual(12);
        expect(bytes, `seed ${seed}, step ${step}`).toBeLessThanOrEqual(20_000);
      }
      // An answer that is kept takes expired ones with it.
      await cache.set(keyOf(99), answerOf("last", { storedAt: now, expiresAt: now + 1 }), now);
      last.set(keyOf(99), "last");
      let sum = 0;
      let count = 0;
      for (const [key, text] of last) {
        const found = await cache.get(key, now);
        if (found === undefined) continue;
        expect(textOf(found)).toBe(text);
        sum += bytesOf(key, found);
        count += 1;
      }
      expect(count).toBeGreaterThan(1);
      expect(await cache.stats()).toEqual({ entries: count, bytes: sum });
    });
  });
}

/** Bounds that are none. */
export const NONSENSE: readonly [CacheBounds, string][] = [
  [{ ttlSeconds: 0 }, "ttlSeconds"], [{ ttlSeconds: -5 }, "ttlSeconds"], [{ ttlSeconds: Number.NaN }, "ttlSeconds"], [{ ttlSeconds: "1h" as never }, "ttlSeconds"], [{ ttlSeconds: 1e10 }, "ttlSeconds"],
  [{ maxBytes: -1 }, "maxBytes"], [{ maxBytes: 0 }, "maxBytes"], [{ maxBytes: 1.5 }, "maxBytes"], [{ maxBytes: Infinity }, "maxBytes"], [{ maxBytes: "64MB" as never }, "maxBytes"],
  [{ maxEntries: 0 }, "maxEntries"], [{ maxEntries: -1 }, "maxEntries"], [{ maxEntries: Number.NaN }, "maxEntries"],
];
