import { expect, test } from "vitest";
import { MemoryCache } from "../../src/adapters/cache/memory/memory-cache.ts";
import { cacheConformance, NONSENSE } from "./conformance.ts";

cacheConformance("MemoryCache", (bounds) => new MemoryCache(bounds));

test.each(NONSENSE)("%j is refused by name", (bounds, param) => {
  expect(() => new MemoryCache(bounds)).toThrow(expect.objectContaining({ code: "invalid_request", param }) as Error);
});
