import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { BudgetManager } from "../../src/app/budgets/budget-manager.ts";
import type { BudgetManagerOptions } from "../../src/app/budgets/budget-types.ts";
import { loadConfig } from "../../src/app/config/load-config.ts";
import { startGateway, type RunningGateway } from "../../src/app/gateway.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

const MODEL = "openai/gpt-4o-mini";
const messages = [{ role: "user" as const, content: "Hello" }];
const MASTER = "sk-test-master-key-1234567890";
let folder: string;
let provider: MockProvider;
let gateway: RunningGateway | undefined;
let manager: BudgetManager;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-budgets-"));
  provider = await startMockProvider();
});

afterEach(async () => {
  await manager?.close();
  await gateway?.close();
  gateway = undefined;
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

const local = (more: Partial<BudgetManagerOptions> = {}): BudgetManager => new BudgetManager({ projectName: "test", path: join(folder, "budgets", "ledger.db"), defaults: { apiBase: `${provider.url}/v1`, apiKey: "sk-test" }, ...more });

async function hosted(): Promise<BudgetManager> {
  const text = `
model_list:
  - model_name: ${MODEL}
    litellm_params: { model: ${MODEL}, api_base: "${provider.url}/v1", api_key: sk-test }
general_settings: { master_key: ${MASTER} }
tollgate: { log_level: silent }
`;
  gateway = await startGateway({ config: loadConfig({ text, env: {} }), env: {}, host: "127.0.0.1", port: 0, folder: join(folder, "gateway") });
  return new BudgetManager({ projectName: "test", clientType: "hosted", apiBase: gateway.url, apiKey: MASTER });
}

const billed = (): number => Number(provider.bill().totalNanoUsd) / 1e9;

describe.each([["local", async () => local()], ["hosted", hosted]] as const)("%s", (kind, open) => {
  beforeEach(async () => {
    manager = await open();
  });

  test("a budget is made, spent, told by model, and refuses before anything is sent", async () => {
    expect(await manager.isValidUser("ann")).toBe(false);
    await expect(manager.completion({ user: "ann", model: MODEL, messages })).rejects.toMatchObject({ code: "not_found" });
    const made = await manager.createBudget({ user: "ann", totalBudget: 10, duration: "monthly" });
    expect(made).toMatchObject({ user: "ann", totalBudget: 10, currentCost: 0 });
    expect(made.resetsAt?.getTime()).toBeGreaterThan(Date.now());
    expect([await manager.isValidUser("ann"), await manager.getUsers(), await manager.getTotalBudget("ann")]).toEqual([true, ["ann"], 10]);
    const response = await manager.completion({ user: "ann", model: MODEL, messages, max_tokens: 50 });
    expect(response.choices[0]?.message.content).toMatch(/\w/);
    expect(await manager.getCurrentCost("ann")).toBe(billed());
    for await (const _ of await manager.completion({ user: "ann", model: MODEL, messages, max_tokens: 50, stream: true }));
    expect(await manager.getCurrentCost("ann")).toBe(billed());
    expect(Object.values(await manager.getModelCost("ann"))).toEqual([billed()]);
    // A smaller budget changes the limit, never the spend.
    const before = provider.requests.length;
    await manager.createBudget({ user: "ann", totalBudget: 0.000001, duration: "monthly" });
    expect(await manager.getCurrentCost("ann")).toBe(billed());
    const error = await manager.completion({ user: "ann", model: MODEL, messages }).catch((caught: unknown) => caught);
    expect(BudgetExceededError.from(error)).toMatchObject({ code: "budget_exceeded", scope: "customer" });
    expect(provider.requests.length).toBe(before);
    expect((await manager.resetCost("ann")).currentCost).toBe(0);
    expect((await manager.updateBudgetAllUsers()).map(({ user, currentCost }) => [user, currentCost])).toEqual([["ann", 0]]);
    expect((await manager.resetOnDuration("ann")).resetsAt).toEqual(made.resetsAt);
  });

  test("updateCost counts a response once, and texts by their tokens", async () => {
    await manager.createBudget({ user: "bob", totalBudget: 1 });
    const response = { id: "chatcmpl-x1", object: "chat.completion", created: Math.floor(Date.now() / 1_000), model: "gpt-4o-mini", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Hi" } }], usage: { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 } };
    const first = await manager.updateCost({ user: "bob", response, model: MODEL });
    expect(first).toEqual({ cost: 0.00045, posted: true, currentCost: 0.00045 });
    if (kind === "local") expect(await manager.updateCost({ user: "bob", completionObj: response, model: MODEL })).toEqual({ cost: 0.00045, posted: false, currentCost: 0.00045 });
    const texts = await manager.updateCost({ user: "bob", model: MODEL, inputText: "Hello there", outputText: "General greetings" });
    expect(texts.cost).toBeGreaterThan(0);
    expect(texts.currentCost).toBeCloseTo(0.00045 + texts.cost, 12);
    // A call of the manager's own is in the books already.
    const own = await manager.completion({ user: "bob", model: MODEL, messages, max_tokens: 20 });
    const spent = await manager.getCurrentCost("bob");
    if (kind === "local") {
      expect((await manager.updateCost({ user: "bob", response: own })).posted).toBe(false);
      expect(await manager.getCurrentCost("bob")).toBe(spent);
    }
  });

  test("a reservation is a hard cap: it holds, settles at the real cost once, and released it costs nothing", async () => {
    await manager.createBudget({ user: "eve", totalBudget: "0.0005" });
    const held = await manager.reserve({ user: "eve", model: MODEL, messages, maxTokens: 500 });
    expect([Number(held.held) > 0.0003, held.outputCap]).toEqual([true, 500]);
    await expect(manager.reserve({ user: "eve", model: MODEL, messages, maxTokens: 500, timeoutMs: 60 })).rejects.toMatchObject({ code: "budget_held" });
    const settled = await held.settle({ object: "chat.completion", model: "gpt-4o-mini", choices: [], usage: { prompt_tokens: 8, completion_tokens: 12, total_tokens: 20 } });
    expect(settled).toEqual({ cost: 0.0000084, costExact: "0.0000084" });
    expect(await manager.getCurrentCost("eve")).toBe(0.0000084);
    const second = await manager.reserve({ user: "eve", model: MODEL, messages, maxTokens: 500 });
    await second.release();
    expect(await manager.getCurrentCost("eve")).toBe(0.0000084);
  });

  test("a projection has input, expected output and the band; an unknown model is unpriced, never free", async () => {
    await manager.createBudget({ user: "dan", totalBudget: 1 });
    const projected = await manager.projectedCost({ user: "dan", model: MODEL, messages, maxTokens: 1_000 });
    expect(projected.low).toBeGreaterThan(0);
    expect(projected.high).toBeCloseTo(projected.inputCost + 1_000 * 6e-7, 12);
    expect(projected.projectedCost).toBeCloseTo(projected.inputCost + projected.expectedOutputCost, 12);
    expect(projected.expectedFrom).toBe("half of the cap");
    await expect(manager.projectedCost({ user: "dan", model: "openai/none-such", messages })).rejects.toMatchObject({ code: "unpriced" });
    await expect(manager.projectedCost({ user: "nobody", model: MODEL, messages })).rejects.toMatchObject({ code: "not_found" });
  });

  test("nonsense has stable codes", async () => {
    for (const totalBudget of [-1, Number.NaN, "1.0000000001", "x", undefined]) await expect(manager.createBudget({ user: "u", totalBudget: totalBudget as number })).rejects.toMatchObject({ code: "invalid_amount" });
    for (const duration of ["0d", "-1h", "1e9d", "often"]) await expect(manager.createBudget({ user: "u", totalBudget: 1, duration })).rejects.toMatchObject({ code: "invalid_duration" });
    await expect(manager.getCurrentCost("nobody")).rejects.toMatchObject({ code: "not_found" });
    await expect(manager.updateCost({ user: "nobody", response: {} })).rejects.toThrow();
    expect(await manager.getUsers()).toEqual([]);
  });

  test("promise 1: a thousand parallel completions never pass a budget, and use 97 % of it", async () => {
    await manager.createBudget({ user: "ann", totalBudget: "0.01" });
    const results = await Promise.allSettled(Array.from({ length: kind === "local" ? 1_000 : 400 }, () => manager.completion({ user: "ann", model: MODEL, messages, max_tokens: 100, timeoutMs: 60_000, maxRetries: 60 })));
    const spent = await manager.getCurrentCost("ann");
    expect(spent).toBe(billed());
    expect(spent).toBeLessThanOrEqual(0.01);
    expect(spent).toBeGreaterThan(0.0097);
    expect(results.some((result) => result.status === "rejected" && BudgetExceededError.from(result.reason)?.code === "budget_exceeded")).toBe(true);
  }, 120_000);
});

test("local: the file outlasts the manager; Infinity is no limit; spend before createdAt does not count", async () => {
  manager = local();
  await manager.createBudget({ user: "ann", totalBudget: Infinity, duration: "daily" });
  await manager.completion({ user: "ann", model: MODEL, messages });
  const spent = await manager.getCurrentCost("ann");
  expect([await manager.getTotalBudget("ann"), spent]).toEqual([Infinity, billed()]);
  await manager.saveData();
  await manager.close();
  expect(await manager.getCurrentCost("ann")).toBe(spent);
  await manager.createBudget({ user: "ann", totalBudget: 1, createdAt: Date.now() + 1 });
  expect(await manager.getCurrentCost("ann")).toBe(0);
});

test("local: no file of ours, a gateway's file and a hopeless path have stable codes; wrong options are told at once", async () => {
  manager = local({ path: join(folder, "other.db") });
  writeFileSync(join(folder, "other.db"), "not a ledger at all, not a ledger at all, not a ledger at all, not a ledger at all");
  await expect(manager.getUsers()).rejects.toMatchObject({ code: "ledger_unreadable" });
  const beside = await hosted();
  const intruder = local({ path: join(folder, "gateway", "ledger.db") });
  await expect(intruder.getUsers()).rejects.toMatchObject({ code: "data_folder_in_use" });
  await beside.close();
  for (const wrong of [{ projectName: "" }, { projectName: "../x" }, { projectName: ".." }, { projectName: "x", clientType: "remote" }, { projectName: "x", timeZone: "Mars/Base" }]) expect(() => new BudgetManager(wrong as BudgetManagerOptions)).toThrow();
  await expect(new BudgetManager({ projectName: "x", clientType: "hosted", apiBase: "http://127.0.0.1:9", apiKey: "sk-x" }).getUsers()).rejects.toMatchObject({ code: "gateway_unreachable" });
});

test("promise 1, 3: four processes on one file, one of them killed: the budget holds to the nano-dollar, is used, and nothing is refused for good while money is free", async () => {
  const path = join(folder, "shared", "ledger.db");
  manager = local({ path });
  await manager.createBudget({ user: "ann", totalBudget: "0.02" });
  const programs = Array.from({ length: 4 }, () => fork(new URL("./budget-program.ts", import.meta.url), [path, provider.url], { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
  const ends = programs.map((program) => new Promise<void>((resolve) => program.once("exit", () => resolve())));
  await new Promise<void>((resolve) => (programs[0] as ChildProcess).once("message", () => resolve()));
  await new Promise((resolve) => setTimeout(resolve, 150));
  (programs[0] as ChildProcess).kill("SIGKILL");
  await Promise.all(ends);
  await manager.close();
  const reopened = local({ path });
  manager = reopened;
  const spent = await reopened.getCurrentCost("ann");
  expect(spent).toBeLessThanOrEqual(0.02);
  expect(spent).toBeGreaterThan(0.0194);
  expect(spent).toBeGreaterThanOrEqual(billed());
  await reopened.close();
  const reader = openSqliteReader(path);
  expect(reader.audit()).toMatchObject({ agree: true, firstDifference: null });
  reader.close();
}, 120_000);
