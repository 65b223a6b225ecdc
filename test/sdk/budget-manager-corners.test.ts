import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { BudgetManager } from "../../src/app/budgets/budget-manager.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { testGateway } from "../support/gateway.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

const MODEL = "openai/gpt-4o-mini";
const messages = [{ role: "user" as const, content: "Hello" }];
let folder: string;
let provider: MockProvider;
let gateway: Awaited<ReturnType<typeof testGateway>> | undefined;
let manager: BudgetManager;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-corners-"));
  provider = await startMockProvider();
});
afterEach(async () => {
  await manager.close();
  await gateway?.stop();
  gateway = undefined;
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

const path = (): string => join(folder, "ledger.db");
const local = (): BudgetManager => new BudgetManager({ projectName: "test", path: path(), defaults: { apiBase: `${provider.url}/v1`, apiKey: "sk-test" } });
async function hosted(): Promise<BudgetManager> {
  gateway = await testGateway(`
model_list:
  - model_name: ${MODEL}
    litellm_params: { model: ${MODEL}, api_base: "${provider.url}/v1", api_key: sk-test }
tollgate: { log_level: silent }
`);
  return new BudgetManager({ projectName: "test", clientType: "hosted", apiBase: gateway.url, apiKey: gateway.master });
}
const billed = (): number => Number(provider.bill().totalNanoUsd) / 1e9;
const call = { model: MODEL, messages, max_tokens: 50 };

test("promise 2, hosted: a completion waits for money that other calls hold, up to its time-out; nothing is refused for good while money is free", async () => {
  manager = await hosted();
  await manager.createBudget({ user: "ann", totalBudget: "0.0003" });
  provider.behave(() => ({ headDelayMs: 50, completionTokens: 5 }));
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => manager.completion({ user: "ann", model: MODEL, messages, max_tokens: 200 })));
  expect(results.filter(({ status }) => status === "fulfilled").length).toBe(20);
  expect(await manager.getCurrentCost("ann")).toBe(billed());
  const hold = await manager.reserve({ user: "ann", model: MODEL, messages, maxTokens: 250 });
  await expect(manager.completion({ user: "ann", model: MODEL, messages, max_tokens: 200, timeoutMs: 300 })).rejects.toMatchObject({ code: expect.stringMatching(/^(budget_held|budget_exceeded|upstream_timeout)$/) as string });
  await hold.release();
});

describe.each([["local", async () => local()], ["hosted", hosted]] as const)("%s", (_kind, open) => {
  beforeEach(async () => {
    manager = await open();
  });

  test("exactly once: updateCost of the manager's own answers and streams changes nothing, also from another process", async () => {
    await manager.createBudget({ user: "ann", totalBudget: 1 });
    const response = await manager.completion({ user: "ann", ...call });
    const stream = await manager.completion({ user: "ann", ...call, stream: true });
    for await (const _ of stream);
    const spent = await manager.getCurrentCost("ann");
    expect(spent).toBe(billed());
    for (const given of [response, stream, JSON.parse(JSON.stringify(response)) as unknown]) {
      expect(await manager.updateCost({ user: "ann", model: MODEL, response: given })).toMatchObject({ posted: false, currentCost: spent });
    }
  });

  test("exactly once: an answer that was made elsewhere is counted by its own id, however often it is given", async () => {
    await manager.createBudget({ user: "ann", totalBudget: 1 });
    const created = Math.floor(Date.now() / 1_000);
    const made = (id: string): object => ({ id, object: "chat.completion", created, model: "gpt-4o-mini", choices: [], usage: { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 } });
    expect((await manager.updateCost({ user: "ann", model: MODEL, response: made("chatcmpl-1") })).posted).toBe(true);
    expect((await manager.updateCost({ user: "ann", model: MODEL, completionObj: JSON.parse(JSON.stringify(made("chatcmpl-1"))) as unknown })).posted).toBe(false);
    expect(await manager.updateCost({ user: "ann", model: MODEL, response: made("chatcmpl-2") })).toEqual({ cost: 0.00045, posted: true, currentCost: 0.0009 });
  });

  test("what is no answer has a code, and nothing is counted", async () => {
    await manager.createBudget({ user: "ann", totalBudget: 1 });
    for (const response of [undefined, null, "text", 7, [], {}, { usage: null }, { usage: { prompt_tokens: -1, completion_tokens: 0 } }]) {
      await expect(manager.updateCost({ user: "ann", model: MODEL, response }), JSON.stringify(response)).rejects.toMatchObject({ code: expect.stringMatching(/^[a-z_]+$/) as string });
    }
    expect(await manager.getCurrentCost("ann")).toBe(0);
  });

  test("a spend that is reset at the same time by several is reset once: never below zero", async () => {
    await manager.createBudget({ user: "ann", totalBudget: 1 });
    await manager.completion({ user: "ann", ...call });
    const reset = await Promise.all(Array.from({ length: 5 }, () => manager.resetCost("ann")));
    expect(reset.every(({ currentCost }) => currentCost === 0)).toBe(true);
    const before = billed();
    await manager.completion({ user: "ann", ...call });
    expect(await manager.getCurrentCost("ann")).toBeCloseTo(billed() - before, 12);
    await manager.resetCost("ann");
    await manager.completion({ user: "ann", ...call });
    await manager.resetCost("ann");
    expect(await manager.getCurrentCost("ann")).toBe(0);
  });

  test("after a reset getModelCost still says what each model cost in the window: the ledger forgets nothing", async () => {
    await manager.createBudget({ user: "ann", totalBudget: 1, duration: "monthly" });
    await manager.completion({ user: "ann", ...call });
    await manager.resetCost("ann");
    expect([await manager.getCurrentCost("ann"), Object.values(await manager.getModelCost("ann"))]).toEqual([0, [billed()]]);
    await expect(manager.getModelCost("nobody")).rejects.toMatchObject({ code: "not_found" });
  });

  test("names of users may be anything that is a text; headers of a call's own are kept", async () => {
    for (const user of ["Jörg", "ユーザー", " spaced ", "a/b?c=d&e", "x".repeat(256), "line\nbreak"]) {
      await manager.createBudget({ user, totalBudget: 1 });
      await manager.completion({ user, ...call, extraHeaders: { "x-mine": "1" } });
      expect(await manager.getCurrentCost(user), user).toBeGreaterThan(0);
    }
    await manager.createBudget({ user: "ユーザー", totalBudget: 0 });
    expect(BudgetExceededError.from(await manager.completion({ user: "ユーザー", ...call }).catch((error: unknown) => error))).toBeDefined();
    for (const user of ["", "x".repeat(257), 7, null, undefined]) {
      await expect(manager.createBudget({ user: user as string, totalBudget: 1 }), String(user)).rejects.toMatchObject({ code: "invalid_request" });
      await expect(manager.completion({ user: user as string, ...call }), String(user)).rejects.toMatchObject({ code: expect.stringMatching(/^(invalid_request|not_found)$/) as string });
    }
  });
});

test("local: two managers on one file that reset at the same time reset once", async () => {
  manager = local();
  await using other = local();
  await manager.createBudget({ user: "ann", totalBudget: 1 });
  for (let round = 0; round < 5; round += 1) {
    await manager.completion({ user: "ann", ...call });
    await Promise.all([manager.resetCost("ann"), other.resetCost("ann"), manager.resetCost("ann")]);
    expect([await manager.getCurrentCost("ann"), await other.getCurrentCost("ann")]).toEqual([0, 0]);
  }
  const reader = openSqliteReader(path());
  expect(reader.audit()).toMatchObject({ agree: true });
  reader.close();
});

test("local: a budget whose createdAt is still to come, as on a clock that is behind, holds until then in a window of its own, and counts from zero afterwards", async () => {
  manager = local();
  const soon = Date.now() + 600;
  const made = await manager.createBudget({ user: "ann", totalBudget: "0.0001", createdAt: soon });
  expect(made.resetsAt?.getTime()).toBe(soon);
  const until = await Promise.allSettled(Array.from({ length: 20 }, () => manager.completion({ user: "ann", ...call })));
  expect(until.some(({ status }) => status === "rejected")).toBe(true);
  expect(await manager.getCurrentCost("ann")).toBe(billed());
  expect(billed()).toBeLessThanOrEqual(0.0001);
  await new Promise((resolve) => setTimeout(resolve, soon + 20 - Date.now()));
  expect(await manager.getCurrentCost("ann")).toBe(0);
  const before = billed();
  await manager.completion({ user: "ann", ...call });
  expect(await manager.getCurrentCost("ann")).toBeCloseTo(billed() - before, 12);
});
