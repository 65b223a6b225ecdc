import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { chat, startWorld, until } from "../support/world.ts";

const PATH = "/v1/chat/completions";

test("GATE 8.2, 8.4: while the thread that writes is gone readiness is 503, requests are metered and charged as ever, a crash then loses nothing, and with a thread again all of it is in the ledger, once", async () => {
  const threads: Worker[] = [];
  let deadly = false;
  const seen = (worker: Worker): void => {
    threads.push(worker);
    if (deadly) void worker.terminate();
  };
  process.on("worker", seen);
  const copy = mkdtempSync(join(tmpdir(), "tollgate-writer-copy-"));
  const world = await startWorld();
  try {
    // The first thread of a gateway is its writer; the next one reads.
    const [writer] = threads;
    const key = await world.key({ max_budget: 0.001 });
    const send = () => world.gateway.call("POST", PATH, chat(), key);
    const ready = async (): Promise<number> => (await world.gateway.call("GET", "/health/readiness")).status;
    world.mock.behave(() => ({ promptTokens: 100, completionTokens: 100 }));
    expect((await send()).status).toBe(200);
    expect(await ready()).toBe(200);
    // A report commits what came before.
    await world.gateway.call("GET", "/spend/logs");

    deadly = true;
    await (writer as Worker).terminate();
    await until(async () => (await ready()) === 503, "readiness is 503");
    for (let index = 0; index < 3; index += 1) {
      const answer = await send();
      expect([answer.status, answer.headers.get("x-litellm-response-cost")]).toEqual([200, "0.000075"]);
    }
    expect((await world.keyInfo(key)).spend).toBe(0.0003);
    expect(await ready()).toBe(503);
    // As a power cut would leave it: the journal has what the ledger has not.
    cpSync(world.gateway.folder, copy, { recursive: true, filter: (path) => !/\/(lock|lock-journal|gateway\.json)$/.test(path) });

    deadly = false;
    await until(async () => (await ready()) === 200, "readiness is 200 again");
    expect(((await world.gateway.call("GET", `/spend/logs?api_key=${key}`)).body as unknown as unknown[]).length).toBe(4);
    expect((await world.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, entries: 4 });
    expect(threads.length).toBeGreaterThan(2);

    const after = await startWorld({ folder: copy });
    try {
      expect(after.gateway.recovered.replayed).toBe(3);
      expect((await after.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, entries: 4 });
      expect((await after.keyInfo(key)).spend).toBe(0.0003);
    } finally {
      await after.stop();
    }
  } finally {
    process.off("worker", seen);
    await world.stop();
    rmSync(copy, { recursive: true, force: true });
  }
});
