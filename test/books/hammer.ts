import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openSqliteBooks } from "../../src/adapters/books/sqlite/open-sqlite-books.ts";
import { SteadyClock } from "../../src/base/clock.ts";
import { UlidSource } from "../../src/base/ids.ts";
import { randomBytes } from "node:crypto";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { askOf, chargeOf, closed, DAILY, factsOf, KEY, money, opened } from "./conformance.ts";

// A program that spends one budget as fast as it may, from several asks at a time, until nothing of its size fits.
// Usage: hammer.ts LEDGER LOG BUDGET SEED [MODE]
const [path, log, budget, seed, mode] = process.argv.slice(2) as [string, string, string, string, string | undefined];
const random = seededRandom(Number(seed));
const clock = new SteadyClock({ now: () => Date.now(), monotonic: () => performance.now() }, () => {});
const ids = new UlidSource((size) => randomBytes(size));
const shared = await openSqliteBooks({ path, clock });
const cap = BigInt(budget);
const sets = [{ scopes: [GLOBAL_SCOPE, KEY], limits: [money(cap), money(cap * 2n, DAILY, { scope: GLOBAL_SCOPE })] }];

function nextFacts() {
  const at = clock.now();
  const requestId = ids.next(at);
  return { ...factsOf(at), requestId, attemptId: `${requestId}.01` };
}

async function ask(): Promise<"spent" | "done"> {
  const hold = 1_000n + BigInt(Math.floor(random() * 49_000));
  const facts = nextFacts();
  for (;;) {
    const opening = await opened(shared.books, askOf(hold), facts, sets);
    if (opening.kind === "failed") throw opening.error;
    if (opening.kind === "open") {
      appendFileSync(log, `open ${facts.attemptId} ${opening.attempt.hold.nanoUsd}\n`);
      await sleep(random() * 4);
      const cost = (hold * BigInt(Math.floor(random() * 101))) / 100n;
      const error = await closed(shared.books, opening.attempt, chargeOf(cost));
      if (error !== undefined) throw error;
      appendFileSync(log, `close ${facts.attemptId} ${cost}\n`);
      return "done";
    }
    const { outcome, spent, needed } = opening.refusal;
    if (outcome === "budget_exceeded") {
      if (spent + needed <= cap) appendFileSync(log, `wrong ${facts.attemptId} ${spent}\n`);
      return "spent";
    }
    await sleep(1 + random() * 4);
  }
}

if (mode === "hold") {
  // Opens many, settles none, says so, and waits for its end; at a line of input it settles after all.
  const attempts = await Promise.all(Array.from({ length: 50 }, () => opened(shared.books, askOf(100n), nextFacts(), sets)));
  process.stdin.once("data", async () => {
    for (const opening of attempts) if (opening.kind === "open") await closed(shared.books, opening.attempt, chargeOf(40n));
    await shared.close();
    process.exit(0);
  });
  process.stdout.write(`held ${attempts.filter((opening) => opening.kind === "open").length}\n`);
} else if (mode === "open") {
  await sleep(50);
  await shared.close();
} else {
  await Promise.all(Array.from({ length: 6 }, async () => {
    let misses = 0;
    // The last money goes to small asks.
    while (misses < 12) misses = (await ask()) === "spent" ? misses + 1 : 0;
  }));
  await shared.close();
}
