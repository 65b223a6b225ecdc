import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BudgetManager } from "../../src/app/budgets/budget-manager.ts";
import { BudgetPlans } from "../../src/app/budgets/budget-plans.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

const MODEL = "openai/gpt-4o-mini";
const messages = [{ role: "user" as const, content: "Hello" }];
let folder: string;
let provider: MockProvider;
let budgets: BudgetManager;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-plans-"));
  provider = await startMockProvider();
  budgets = new BudgetManager({ projectName: "plans", path: join(folder, "ledger.db"), defaults: { apiBase: `${provider.url}/v1`, apiKey: "sk-test" } });
});
afterEach(async () => {
  await budgets.close();
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

test("plans are $1, $10, $100 and unlimited a month; a change keeps what was spent; unknown ones are refused", async () => {
  const plans = new BudgetPlans({ budgets, defaultPlan: "free" });
  expect(await plans.checkBudget("ann")).toEqual({ withinBudget: true, budget: 1, spending: 0, remaining: 1 });
  const response = await plans.completionWithBudgetCheck({ user: "ann", model: MODEL, messages });
  const spending = response.cost.totalUsd;
  expect(await plans.assignPlan("ann", "pro")).toMatchObject({ budget: 100, spending });
  expect(await plans.assignPlan("ann", "enterprise")).toEqual({ withinBudget: true, budget: Infinity, spending, remaining: Infinity });
  await expect(plans.assignPlan("ann", "gold")).rejects.toMatchObject({ code: "not_found" });
  expect(() => new BudgetPlans({ budgets, plans: { mini: -1 } })).toThrow(expect.objectContaining({ code: "invalid_amount" }) as Error);
  await expect(new BudgetPlans({ budgets }).checkBudget("nobody")).rejects.toMatchObject({ code: "not_found" });
});

test("promise 1: five hundred parallel calls never pass a plan, and spend 97 % of it", async () => {
  const plans = new BudgetPlans({ budgets, plans: { mini: "0.005" } });
  await plans.assignPlan("ann", "mini");
  const results = await Promise.allSettled(Array.from({ length: 500 }, () => plans.completionWithBudgetCheck({ user: "ann", model: MODEL, messages, max_tokens: 60 })));
  const { spending, remaining } = await plans.checkBudget("ann");
  expect(spending).toBe(Number(provider.bill().totalNanoUsd) / 1e9);
  expect(spending).toBeLessThanOrEqual(0.005);
  expect(remaining).toBeLessThan(0.00015);
  expect(results.some((result) => result.status === "rejected" && BudgetExceededError.isInstance(result.reason))).toBe(true);
}, 60_000);
