/*
 * Compiled, never run: by test/package/types.test.ts, against the types of the packed package. A line under
 * `@ts-expect-error` has to be an error, all others must be none.
 */
import {
  BudgetManager, BudgetPlans, CostAnalyzer, CostMonitor, CostOptimizer, CostTracker, costOf, createTollgate, MemoryCache, PLANS, track,
  type Alert, type Budget, type BudgetCheck, type CompletionResponse, type CompletionStream, type Cost, type CostReport, type Forecast, type LoggedCost, type ModelSelection, type ProjectedCost,
  type Reservation, type SuccessfulCall, type Tollgate, type TrackedEntry, type UnreadResponse, type Usd, type WasteReport, type WhatIfResult,
} from "tollgate";
import { plotDailyCosts, renderHtmlReport } from "tollgate/charts";
import { exportCosts } from "tollgate/exports";
import { slack, webhook, type Notifier } from "tollgate/notifications";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
declare function same<A, B>(proof: Equal<A, B>): void;

const call = { model: "openai/gpt-4o-mini", messages: [{ role: "user" as const, content: "Hi" }] };

export async function budgets(): Promise<void> {
  await using manager = new BudgetManager({ projectName: "p", clientType: "local", path: "ledger.db", timeZone: "Europe/Berlin" });
  const made: Budget = await manager.createBudget({ user: "ann", totalBudget: "10", duration: "monthly", createdAt: new Date() });
  const plain = await manager.completion({ ...call, user: "ann" });
  same<typeof plain, CompletionResponse>(true);
  const streamed = await manager.completion({ ...call, user: "ann", stream: true });
  same<typeof streamed, CompletionStream>(true);
  // @ts-expect-error: somebody pays
  await manager.completion(call);
  // @ts-expect-error: a budget needs an amount
  await manager.createBudget({ user: "ann" });
  // @ts-expect-error: local or hosted
  void new BudgetManager({ projectName: "p", clientType: "remote" });
  const spent: number = await manager.getCurrentCost("ann");
  const byModel: Record<string, number> = await manager.getModelCost("ann");
  const projected: ProjectedCost = await manager.projectedCost({ user: "ann", model: "openai/gpt-4o-mini", messages: [] });
  await using hold: Reservation = await manager.reserve({ user: "ann", ...call, maxTokens: 100 });
  const { cost, costExact } = await hold.settle({});
  same<typeof costExact, string>(true);
  const { posted, currentCost } = await manager.updateCost({ user: "ann", response: plain });
  await manager.updateCost({ user: "ann", model: "m", inputText: "a", outputText: "b" });
  // @ts-expect-error: both texts
  await manager.updateCost({ user: "ann", model: "m", inputText: "a" });
  const plans = new BudgetPlans({ budgets: manager, plans: { ...PLANS, team: "250" }, defaultPlan: "free" });
  const check: BudgetCheck = await plans.assignPlan("ann", "pro");
  same<Awaited<ReturnType<typeof plans.checkBudget>>, BudgetCheck>(true);
  const amount: Usd | undefined = PLANS["free"];
  void [made, spent, byModel, projected, cost, posted, currentCost, check, amount];
}

export async function books(): Promise<void> {
  await using tracker = new CostTracker({ path: "costs.db" });
  const tollgate: Tollgate = createTollgate({ tracker, cache: new MemoryCache(), maxBudget: 1, onCallbackError: (error, { callId }) => void [error, callId.trim()], waitUntil: (promise) => void promise.then(() => {}) });
  const logged: LoggedCost = await tracker.logCost(await tollgate.completion(call), { user: "ann", tags: ["t"] });
  const page = await tracker.query({ filter: { user: "ann" }, order: "newest", limit: 10 });
  same<typeof page.next, string | null>(true);
  for await (const entry of tracker.entries({ days: 7 })) same<typeof entry, TrackedEntry>(true);
  await tracker.subscribe((entry) => void entry.cost);
  // @ts-expect-error: newest or oldest
  await tracker.query({ order: "sideways" });

  const analyzer = new CostAnalyzer(tracker, { timeZone: "Asia/Kathmandu", weekStart: 1 });
  const total: number = await analyzer.totalCost({ days: 30 });
  const [first] = await analyzer.costByModel({ days: 30, limit: 3 });
  const model: string | null | undefined = first?.model;
  const users = (await analyzer.costByUser()).map(({ user, cost, costExact }) => [user, cost, costExact] as const);
  same<(typeof users)[number][0], string | null>(true);

  const monitor = new CostMonitor(analyzer, { channels: [slack({ url: "https://hooks.example/x" }), webhook({ url: "https://example.com", secret: "whsec_x" })] });
  const alerts: Alert[] = await monitor.checkAlerts();
  for (const alert of alerts) if (alert.kind === "budget") void alert;
  const forecast: Forecast = await monitor.forecast({ maxBudget: "100", duration: "monthly" });
  const report = await monitor.generateReport();
  same<typeof report, CostReport>(true);
  const text = await monitor.generateReport({ format: "markdown" });
  same<typeof text, string>(true);
  // @ts-expect-error: no such format
  await monitor.generateReport({ format: "pdf" });
  const html: string = renderHtmlReport(report);

  const optimizer = new CostOptimizer({ analyzer, tollgate, models: ["openai/gpt-4o-mini"] });
  const selection: ModelSelection = await optimizer.selectBestModel({ inputTokens: 100, budget: "0.01", requires: { abilities: ["tools"] } });
  const answer = await optimizer.optimizeRequest({ messages: call.messages, budget: 0.01 });
  same<typeof answer.response, CompletionResponse>(true);
  const whatIf: WhatIfResult = await optimizer.whatIf({ model: "openai/gpt-4o-mini", days: 7 });
  const waste: WasteReport = await optimizer.waste();
  if (waste.repeatedPrompts.known) void waste.repeatedPrompts.complete;
  // @ts-expect-error: how large the request is has to be said
  await optimizer.selectBestModel({ budget: 1 });
  void [logged, total, model, alerts, forecast, html, selection, whatIf, plotDailyCosts, exportCosts];
}

export function notifiers(own: Notifier): Notifier[] {
  return [own];
}

export async function dropIns(tollgate: Tollgate): Promise<void> {
  const tracked = track(fetch, { user: "ann", tags: ["t"], outputCap: false, tollgate });
  same<typeof tracked, typeof fetch>(true);
  const cost: Promise<Cost> | undefined = costOf(await tracked("https://example.com"));
  const told = ({ type, response, responseCost }: SuccessfulCall): number => {
    if (type === "unread") same<typeof response, UnreadResponse>(true);
    return responseCost;
  };
  // @ts-expect-error: a name of an option that does not exist
  track(fetch, { outputcap: false });
  void [cost, told];
}
