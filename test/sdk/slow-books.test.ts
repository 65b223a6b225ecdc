import { afterEach, expect, test } from "vitest";
import { openMemoryBooks } from "../../src/app/sdk/memory.ts";
import type { Books } from "../../src/domain/limits/books.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { HELLO, MODEL, sdkUnderTest, type SdkUnderTest } from "./instance.ts";

/** Books that answer later, as those on a file do: every decision and every settlement takes turns of the event loop. */
function slowly(inner: Books): Books {
  const later = (run: () => void): void => void setTimeout(run, 1);
  return {
    ...inner,
    open: (ask, facts, charges, then) => later(() => inner.open(ask, facts, charges, (opening) => later(() => then(opening)))),
    close: (attempt, charge, then) => later(() => inner.close(attempt, charge, (error) => later(() => then(error)))),
  };
}

let sdk: SdkUnderTest | undefined;

afterEach(async () => {
  await sdk?.stop();
  sdk = undefined;
});

test("books that answer later: five hundred calls at once never pass the budget, use 97 % of it, and none is refused while money is free", async () => {
  sdk = await sdkUnderTest({ maxBudget: 0.01, books: async (clock) => ({ books: slowly(openMemoryBooks(clock)) }), provider: { standard: { headDelayMs: 1 } } });
  const { tollgate, provider, spent } = sdk;
  const results = await Promise.allSettled(Array.from({ length: 500 }, (_, index) => tollgate.completion({ model: MODEL, messages: [{ role: "user", content: `Question ${index}` }], max_tokens: 100 })));
  const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  expect(refused.every((error) => BudgetExceededError.isInstance(error) && error.code === "budget_exceeded")).toBe(true);
  expect(spent()).toBe(provider.bill().totalNanoUsd);
  expect(spent()).toBeLessThanOrEqual(10_000_000n);
  expect(spent()).toBeGreaterThanOrEqual(9_700_000n);
});

test("the cost stands in the books before the caller has its answer, and before finalCost resolves", async () => {
  sdk = await sdkUnderTest({ books: (clock) => ({ books: slowly(openMemoryBooks(clock)) }) });
  const { tollgate, entries } = sdk;
  const response = await tollgate.completion({ model: MODEL, messages: HELLO });
  expect(entries.map((entry) => entry.requestId)).toEqual([response.cost.callId]);
  const stream = await tollgate.completion({ model: MODEL, messages: HELLO, stream: true });
  for await (const _ of stream) break;
  expect((await stream.finalCost()).callId).toBe(entries[1]?.requestId);
});

test("books that cannot be opened fail the call with their reason, and the next call tries again; closing lets go of them", async () => {
  let opened = 0;
  let closed = 0;
  sdk = await sdkUnderTest({
    books: async (clock) => {
      opened += 1;
      if (opened === 1) throw new Error("the file is in use");
      return { books: openMemoryBooks(clock), close: async () => { closed += 1; } };
    },
  });
  const { tollgate } = sdk;
  await expect(tollgate.completion({ model: MODEL, messages: HELLO })).rejects.toThrow("the file is in use");
  await tollgate.completion({ model: MODEL, messages: HELLO });
  await Promise.all([tollgate.close(), tollgate.close()]);
  expect([opened, closed]).toEqual([2, 1]);
});
