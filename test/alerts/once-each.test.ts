import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteOutbox } from "../../src/adapters/outbox/sqlite/outbox.ts";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostMonitor, type CostMonitorOptions } from "../../src/app/books/cost-monitor.ts";
import { CLAIM_MS } from "../../src/domain/alerts/deliver.ts";
import type { Message } from "../../src/domain/alerts/message.ts";
import { discord, slack } from "../../src/notifications.ts";
import { TestLedger, usd } from "../monitor/ledger.ts";
import { startReceiver, type Receiver } from "./receiver.ts";

const run = promisify(execFile);
const NOW = Date.parse("2026-11-24T15:30:00Z");
let ledger: TestLedger;
let now: number;
const closing: (() => Promise<void>)[] = [];
beforeEach(() => { ledger = new TestLedger(); now = NOW; });
afterEach(async () => { for (const close of closing.splice(0)) await close(); ledger.remove(); });

async function receiver(answer?: Parameters<typeof startReceiver>[0]): Promise<Receiver> {
  const started = await startReceiver(answer);
  closing.push(() => started.close());
  return started;
}

function monitor(options: CostMonitorOptions): CostMonitor {
  const made = new CostMonitor(new CostAnalyzer(ledger.folder, { now: () => now }), { thresholds: { dailyLimit: 10 }, anomalies: false, statePath: join(ledger.folder, "state", "monitor.db"), retries: { firstPauseMs: 20 }, ...options });
  closing.push(() => made.close());
  return made;
}

test("once per threshold and period, also after a restart; a new day and a raised limit are told of anew", async () => {
  const { url, received } = await receiver();
  const channels = [slack({ url })];
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const first = monitor({ channels });
  expect(await first.run()).toMatchObject({ added: 1, sent: 1, postponed: 0, givenUp: 0 });
  expect(await first.run()).toMatchObject({ added: 0, sent: 0 });
  await first.close();
  const second = monitor({ channels });
  expect(await second.run()).toMatchObject({ alerts: [{ kind: "daily_limit" }], added: 0, sent: 0 });
  await monitor({ channels, thresholds: { dailyLimit: 11 } }).run();
  expect(received.length).toBe(2);
  now += 86_400_000;
  ledger.write([{ at: now, cost: usd(10) }]);
  await second.run();
  expect(received.length).toBe(3);
});

test("what was sent is forgotten after 90 days, but not what waits, and not an alert that lasts: it is never sent again", async () => {
  const path = join(ledger.folder, "outbox.db");
  const outbox = openSqliteOutbox(path);
  const DAY_MS = 86_400_000;
  const message = (id: string): Message => ({ id, type: "alert", severity: "warning", title: "t", text: "x", facts: [], at: new Date(NOW).toISOString(), data: {} as never });
  const send = (at: number): void => {
    for (let claimed = outbox.claim(["a"], at, CLAIM_MS); claimed !== undefined; claimed = outbox.claim(["a"], at, CLAIM_MS)) outbox.record(claimed, { at: new Date(at).toISOString(), messageId: claimed.message.id, channel: "a", attempt: 1, outcome: "sent", status: 200, detail: "", nextAttempt: null }, undefined);
  };
  for (const id of ["gone", "lasting"]) expect(outbox.add(message(id), ["a"], NOW)).toBe(1);
  send(NOW);
  outbox.add(message("waiting"), ["b"], NOW);
  for (let day = 1; day <= 200; day += 1) {
    expect(outbox.add(message("lasting"), ["a"], NOW + day * DAY_MS)).toBe(0);
    outbox.prune(NOW + (day - 90) * DAY_MS);
  }
  expect(outbox.claim(["a"], NOW + 201 * DAY_MS, CLAIM_MS)).toBeUndefined();
  expect([outbox.waiting(["b"]), outbox.log(10)]).toEqual([1, []]);
  expect(outbox.add(message("lasting"), ["a"], NOW + 201 * DAY_MS)).toBe(0);
  // Only what is not said any more is forgotten; were it said again, it would be news.
  expect(outbox.add(message("gone"), ["a"], NOW + 201 * DAY_MS)).toBe(1);
  outbox.close();
});

test("a failure is retried with growing pauses, every attempt is in the log and survives a restart", async () => {
  const { url, received } = await receiver((response, index) => { response.statusCode = index < 3 ? 503 : 200; response.end(); });
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const first = monitor({ channels: [slack({ url })] });
  expect(await first.run()).toMatchObject({ sent: 1, postponed: 0 });
  const pauses = received.slice(1).map(({ at }, index) => at - (received[index]?.at ?? 0));
  // 20, 40, 80 ms, each between half and all of it.
  for (const [index, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(10 * 2 ** index - 2);
  await first.close();
  const log = await monitor({ channels: [slack({ url })] }).deliveries();
  expect(log.map(({ attempt, outcome, status, channel }) => [attempt, outcome, status, channel])).toEqual([[4, "sent", 200, "slack"], [3, "failed", 503, "slack"], [2, "failed", 503, "slack"], [1, "failed", 503, "slack"]]);
  expect(log.at(-1)?.nextAttempt).not.toBeNull();
});

test("retry-after is honoured: a long one is left to a later run, and a run before it sends nothing", async () => {
  const { url, received } = await receiver((response) => { response.writeHead(429, { "retry-after": "120" }); response.end(); });
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const watch = monitor({ channels: [slack({ url })] });
  expect(await watch.run()).toMatchObject({ sent: 0, postponed: 1 });
  expect(await watch.run()).toMatchObject({ sent: 0 });
  expect(received.length).toBe(1);
  const [{ at = "", nextAttempt = "" } = {}] = await watch.deliveries();
  expect(Date.parse(nextAttempt as string) - Date.parse(at)).toBeGreaterThanOrEqual(120_000);
});

test("a refusal and the last attempt end a delivery; one dead channel holds up no other", async () => {
  const gone = await receiver((response) => { response.statusCode = 404; response.end("no_service"); });
  const broken = await receiver((response) => { response.statusCode = 500; response.end(); });
  const good = await receiver();
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const watch = monitor({ channels: [slack({ url: gone.url, name: "gone" }), slack({ url: broken.url, name: "broken" }), discord({ url: good.url })], retries: { firstPauseMs: 1, attemptsMax: 3 } });
  expect(await watch.run()).toMatchObject({ added: 3, sent: 1, givenUp: 2, postponed: 0 });
  expect([gone.received.length, broken.received.length, good.received.length]).toEqual([1, 3, 1]);
  expect((await watch.deliveries()).filter(({ nextAttempt }) => nextAttempt === null).map(({ channel, outcome }) => `${channel} ${outcome}`).toSorted()).toEqual(["broken given_up", "discord sent", "gone refused"]);
  await watch.run();
  expect(gone.received.length + broken.received.length).toBe(4);
});

test("six processes over one state send each message once", async () => {
  const { url, received } = await receiver((response) => { setTimeout(() => response.end("ok"), 100); });
  ledger.write([{ at: NOW, user: "ann", cost: usd(12) }, { at: NOW, user: "bob", cost: usd(12) }]);
  const script = fileURLToPath(new URL("./once-process.ts", import.meta.url));
  await Promise.all(Array.from({ length: 6 }, () => run(process.execPath, [script, ledger.folder, join(ledger.folder, "shared.db"), url, String(NOW)])));
  const told = received.map(({ body }) => (JSON.parse(body) as { text: string }).text);
  expect(told.length).toBe(3);
  expect(new Set(told).size).toBe(3);
});

test("a claim of a process that died runs out, and another one sends; before that nobody does", () => {
  const outbox = openSqliteOutbox(join(ledger.folder, "claims.db"));
  const message: Message = { id: "a", type: "alert", severity: "warning", title: "t", text: "x", facts: [], at: "", data: null };
  expect(outbox.add(message, ["slack", "email"], 1_000)).toBe(2);
  expect(outbox.add({ ...message, text: "changed" }, ["slack"], 2_000)).toBe(0);
  expect(outbox.claim(["slack"], 1_000, CLAIM_MS)?.message).toEqual(message);
  expect(outbox.claim(["slack"], 1_000 + CLAIM_MS - 1, CLAIM_MS)).toBeUndefined();
  expect(outbox.claim(["slack"], 1_000 + CLAIM_MS, CLAIM_MS)?.message.id).toBe("a");
  expect(outbox.waiting(["slack", "email"])).toBe(2);
  outbox.close();
});

test("webhook addresses are in no file of the state", async () => {
  const { url } = await receiver((response) => { response.statusCode = 500; response.end(); });
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const watch = monitor({ channels: [slack({ url: `${url}/services/T0/very-secret` })], retries: { attemptsMax: 1 } });
  await watch.run();
  await watch.close();
  const { readFileSync } = await import("node:fs");
  expect(readFileSync(join(ledger.folder, "state", "monitor.db"), "latin1")).not.toContain("very-secret");
});

test("a state that cannot be written, or is something else's, is said with its path and not touched", async () => {
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const { url, received } = await receiver();
  mkdirSync(join(ledger.folder, "folder"));
  writeFileSync(join(ledger.folder, "text"), "this is no database, it only looks like a file of the same name");
  for (const path of ["folder", "text", "ledger.db", join("text", "below.db")]) {
    const statePath = join(ledger.folder, path);
    const failure = await monitor({ channels: [slack({ url })], statePath }).run().then(() => undefined, (error: unknown) => error);
    expect(failure).toMatchObject({ code: "monitor_state_unwritable", param: "statePath" });
    expect((failure as Error).message).toContain(statePath);
  }
  expect(received).toEqual([]);
  expect(await new CostAnalyzer(ledger.folder, { now: () => NOW }).totalCost({ days: 1 })).toBe(12);
});

test("on a schedule: runs at once and again, never two at a time, errors go to the handler and end nothing, stop waits", async () => {
  const { url, received } = await receiver((response) => { setTimeout(() => response.end("ok"), 250); });
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const watch = monitor({ channels: [slack({ url })] });
  let running = 0;
  let most = 0;
  let runs = 0;
  const original = watch.run.bind(watch);
  watch.run = async (options) => {
    running += 1;
    runs += 1;
    most = Math.max(most, running);
    try {
      if (runs === 2) throw new Error("planted");
      return await original(options);
    } finally {
      running -= 1;
    }
  };
  const errors: unknown[] = [];
  const reported = Promise.withResolvers<void>();
  let done = 0;
  watch.start({ everyMs: 100, onError: (error) => { errors.push(error); }, onRun: () => { done += 1; if (done === 2) reported.resolve(); } });
  expect(() => watch.start({ everyMs: 100 })).toThrowError(expect.objectContaining({ code: "conflict" }));
  await reported.promise;
  await watch.stop();
  const after = runs;
  expect([most, running, (errors[0] as Error).message, errors.length, received.length]).toEqual([1, 0, "planted", 1, 1]);
  expect(after).toBe(3);
  expect(() => watch.start({ everyMs: 5 })).toThrowError(expect.objectContaining({ code: "invalid_request", param: "everyMs" }));
  watch.start({ everyMs: 60_000 });
  await watch.stop();
  expect(runs).toBe(after + 1);
});

test("a stop in the middle of a send ends it soon and loses nothing: the next run sends", async () => {
  const waiting = Promise.withResolvers<void>();
  let slow = true;
  const { url, received } = await receiver((response) => { if (slow) waiting.resolve(); else response.end("ok"); });
  ledger.write([{ at: NOW, cost: usd(12) }]);
  const watch = monitor({ channels: [slack({ url })], retries: { firstPauseMs: 1 } });
  watch.start({ everyMs: 60_000 });
  await waiting.promise;
  await watch.stop();
  slow = false;
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await watch.run()).toMatchObject({ sent: 1 });
  expect(received.length).toBe(2);
});

test("a summary of the last whole day goes out once, with what it cost and on what", async () => {
  const { url, received } = await receiver();
  ledger.write([{ at: "2026-11-23T10:00:00Z", user: "ann", cost: usd(3) }, { at: "2026-11-22T10:00:00Z", cost: usd(2) }, { at: "2026-11-24T10:00:00Z", cost: usd(1) }]);
  const watch = monitor({ channels: [slack({ url })], summaries: ["daily", "monthly"] });
  await watch.run();
  await watch.run();
  await watch.close();
  await monitor({ channels: [slack({ url })], summaries: ["daily"] }).run();
  expect(received.map(({ body }) => (JSON.parse(body) as { text: string }).text)).toEqual([":bar_chart: Costs of the day 2026-11-23: $3.00 for 1 request, +50 % against the day before.", ":bar_chart: Costs of the month 2026-10: $0.00 for 0 requests."]);
});
