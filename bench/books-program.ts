import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { openSqliteBooks } from "../src/adapters/books/sqlite/open-sqlite-books.ts";
import { openMemoryBooks } from "../src/app/sdk/memory.ts";
import { SteadyClock } from "../src/base/clock.ts";
import { UlidSource } from "../src/base/ids.ts";
import type { AttemptFacts, Charge } from "../src/domain/ledger/entry.ts";
import type { Ask } from "../src/domain/limits/ask.ts";
import type { Books, OpenAttempt } from "../src/domain/limits/books.ts";
import type { ChargeSet } from "../src/domain/limits/limit.ts";
import { GLOBAL_SCOPE, scopeText, type Scope } from "../src/domain/scopes/scope.ts";
import { LIFETIME } from "../src/domain/windows/window.ts";

// One program of the books bench: opens and closes attempts as fast as the books take them, and reports on stdout.
// Usage: books-program.ts LEDGER|memory MILLISECONDS CONCURRENCY THINK_MS
const [place, duration, concurrency, think] = process.argv.slice(2) as [string, string, string, string];

/** What a program says of its round; latencies in milliseconds. */
export interface ProgramReport {
  readonly attempts: number;
  readonly openP50: number;
  readonly openP99: number;
  readonly openMax: number;
  readonly busy: number;
  readonly cpuMicrosPerAttempt: number;
}

const clock = new SteadyClock({ now: () => Date.now(), monotonic: () => performance.now() }, () => {});
const ids = new UlidSource((size) => randomBytes(size));
const shared = place === "memory" ? undefined : await openSqliteBooks({ path: place, clock });
const books: Books = shared?.books ?? openMemoryBooks(clock);

// What a program with a budget for itself and one for its user by the day asks: four scopes, three budgets.
const user: Scope = { kind: "customer", id: "bob", label: "bob" };
const self: Scope = { kind: "process", id: String(process.pid), label: "process" };
const daily = { kind: "aligned", duration: { count: 1, unit: "d" }, zone: "UTC", weekStart: 0 } as const;
const huge = 10n ** 18n;
const sets: ChargeSet[] = [{
  scopes: [GLOBAL_SCOPE, user, self],
  limits: [
    { scope: GLOBAL_SCOPE, model: undefined, measure: "nanoUsd", window: LIFETIME, cap: huge, hard: true, windowText: undefined },
    { scope: user, model: undefined, measure: "nanoUsd", window: daily, cap: huge, hard: true, windowText: "1d" },
    { scope: self, model: undefined, measure: "nanoUsd", window: LIFETIME, cap: huge, hard: true, windowText: undefined },
  ],
}];
const ask: Ask = { money: { fixed: 1_000_000n, perToken: 600_000n }, tokens: { fixed: 100n, perToken: 1n }, inputTokens: 100n, outputPerToken: 1n, declaredCap: 500, maximumOutput: 16_384 };
const charge: Charge = {
  cost: 123_456n, estimated: null, status: "ok", httpStatus: 200, lines: [{ dimension: "input", quantity: 100, rate: "150000", per: "1", pico: "15000000" }], priceVersion: "v", unpriced: false,
  inputTokens: 100, outputTokens: 180, cachedTokens: 0, answeredModel: "gpt-5-mini", responseId: "chatcmpl-1", rawUsage: '{"prompt_tokens":100,"completion_tokens":180}', durationMs: 812,
};

function facts(): AttemptFacts {
  const at = clock.now();
  const requestId = ids.next(at);
  return {
    requestId, attemptId: `${requestId}.01`, at, scopes: sets[0]?.scopes.map(scopeText) ?? [], keyId: null, teamId: null, userId: null, customer: "bob", model: "gpt-5-mini", provider: "openai",
    upstreamModel: "gpt-5-mini", deployment: "d", route: "chat", stream: false, tags: ["nightly"], metadata: null,
  };
}

const open = (): Promise<OpenAttempt> => new Promise((resolve, reject) => {
  books.open(ask, facts(), sets, (opening) => (opening.kind === "open" ? resolve(opening.attempt) : reject(new Error(opening.kind))));
});
const close = (attempt: OpenAttempt): Promise<void> => new Promise((resolve, reject) => {
  books.close(attempt, charge, (error) => (error === undefined ? resolve() : reject(error)));
});

const latencies: number[] = [];
const until = performance.now() + Number(duration);
async function loop(): Promise<void> {
  while (performance.now() < until) {
    const begun = performance.now();
    const attempt = await open();
    latencies.push(performance.now() - begun);
    if (think !== "0") await new Promise((resolve) => setTimeout(resolve, Number(think)));
    await close(attempt);
  }
}
const before = process.cpuUsage();
await Promise.all(Array.from({ length: Number(concurrency) }, loop));
const used = process.cpuUsage(before);
const busy = shared?.books.busyCount ?? 0;
await shared?.close();
latencies.sort((a, b) => a - b);
const at = (part: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? 0;
const report: ProgramReport = {
  attempts: latencies.length, openP50: at(0.5), openP99: at(0.99), openMax: at(1), busy, cpuMicrosPerAttempt: (used.user + used.system) / latencies.length,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
