import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, test } from "vitest";
import { Closers } from "../../src/app/gateway/closers.ts";
import { openBooks } from "../../src/app/gateway/open-books.ts";
import { Directory } from "../../src/engine/manage/directory.ts";
import { chat, startWorld } from "../support/world.ts";

test("GATE 6.4: a clock that steps back while the gateway runs is held where it was, and logged once for each step", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-clock-"));
  const lines: string[] = [];
  const log = pino({}, new Writable({ write(line, _encoding, done) { lines.push(String(line)); done(); } }));
  const time = { wall: Date.UTC(2026, 10, 24, 12), now() { return this.wall; }, monotonic() { return 0; } };
  const closers = new Closers();
  try {
    const directory = new Directory({ global: { scopes: [], limits: [] }, masterHash: "", tokenRateLimitType: "total", timeZone: "UTC", weekStart: 0, maxEndUserBudgetNanoUsd: undefined, customersPerMinute: 100 });
    const { clock } = await openBooks({ folder, directory, log, closers, time });
    const noon = clock.now();
    time.wall -= 3_600_000;
    expect([clock.now(), clock.now()]).toEqual([noon, noon]);
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([expect.objectContaining({ level: 40, byMs: 3_600_000, msg: expect.stringContaining("stepped back") })]);
    time.wall += 3_600_001;
    expect(clock.now()).toBe(noon + 1);
    time.wall -= 1_000;
    expect(clock.now()).toBe(noon + 1);
    expect(lines).toHaveLength(2);
  } finally {
    await closers.closeAll();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("GATE 6.4: what is charged after a step back stands in the window that had begun", async () => {
  const world = await startWorld();
  try {
    const hour = 3_600_000;
    world.time.to(Math.ceil(world.time.now() / hour) * hour + 1_000);
    const key = await world.key({ max_budget: 0.00012, budget_duration: "1h" });
    const send = () => world.gateway.call("POST", "/v1/chat/completions", chat(), key);
    world.mock.enqueue({ promptTokens: 100, completionTokens: 100 });
    expect((await send()).status).toBe(200);
    // Into the hour before, whose budget is untouched.
    world.time.advance(-hour / 2);
    const refused = await send();
    expect([refused.status, refused.body["error"]]).toEqual([422, expect.objectContaining({ details: expect.objectContaining({ spent: "0.000075", window: "1h" }) })]);
  } finally {
    await world.stop();
  }
});
