import { Counter, Gauge, Registry } from "prom-client";
import type { ErrorCode } from "../../base/errors.ts";
import type { Refusal } from "../../domain/limits/books.ts";
import type { Limit } from "../../domain/limits/limit.ts";
import { scopeText } from "../../domain/scopes/scope.ts";
import type { Call, Settled } from "../../engine/call.ts";
import type { Observer } from "../../engine/engine.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import { spanAt } from "../../domain/windows/span.ts";
import type { UpstreamFailure } from "../../domain/upstream/upstream.ts";

/** Plain sums on the hot path, turned into Prometheus series when they are scraped. Labels name configured things only (GATE 10.3). */
class Sums {
  private readonly values = new Map<string, { labels: Record<string, string>; value: number }>();

  add(labels: Record<string, string>, key: string, value: number): void {
    const known = this.values.get(key);
    if (known === undefined) this.values.set(key, { labels, value });
    else known.value += value;
  }

  collectInto(metric: Counter): void {
    metric.reset();
    for (const { labels, value } of this.values.values()) metric.inc(labels, value);
  }
}

export interface RefusalRecord {
  readonly requestId: string;
  readonly at: number;
  readonly model: string;
  readonly refusal: Refusal;
}

/** The last refusals stay in memory by request id (GATE 4.5). */
const REFUSALS_KEPT = 10_000;

export class GatewayObserver implements Observer {
  readonly registry = new Registry();
  readonly refusals = new Map<string, RefusalRecord>();
  private readonly requests = new Sums();
  private readonly spend = new Sums();
  private readonly refusalSums = new Sums();
  private readonly estimated = new Sums();
  private readonly errors = new Sums();
  private readonly softCrossings = new Sums();
  /** Until when (epoch milliseconds) a crossed soft budget has been told; the end of its window. */
  private readonly softTold = new Map<string, number>();
  private overages = 0;
  private unpriced = 0;
  private upstreamFailures = 0;
  private readonly onRefusal: (call: Call, refusal: Refusal) => void;
  private readonly onFailure: (deployment: Deployment, failure: UpstreamFailure) => void;
  private readonly onSoftBudget: (limit: Limit, until: number) => void;

  constructor(options: {
    inFlight: () => number; onRefusal: (call: Call, refusal: Refusal) => void; onFailure: (deployment: Deployment, failure: UpstreamFailure) => void;
    onSoftBudget: (limit: Limit, until: number) => void;
  }) {
    this.onRefusal = options.onRefusal;
    this.onSoftBudget = options.onSoftBudget;
    this.onFailure = options.onFailure;
    const registers = [this.registry];
    const sums = (name: string, help: string, labelNames: string[], source: Sums): void => {
      const counter = new Counter({ name, help, labelNames, registers, collect() { source.collectInto(this as unknown as Counter); } });
      counter.reset();
    };
    sums("tollgate_requests_total", "Attempts settled, by outcome.", ["model", "provider", "outcome"], this.requests);
    sums("tollgate_spend_usd_total", "Dollars charged (a float for display; the ledger is exact).", ["model", "provider"], this.spend);
    sums("tollgate_refusals_total", "Requests refused by the gate.", ["outcome", "scope", "measure"], this.refusalSums);
    sums("tollgate_estimated_total", "Charges that are not what a provider reported.", ["reason"], this.estimated);
    sums("tollgate_errors_total", "Requests of the data plane answered with an error of the gateway, by its code.", ["code"], this.errors);
    sums("tollgate_soft_budgets_crossed_total", "Soft budgets crossed, once per window.", ["scope"], this.softCrossings);
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({ name, help, registers, collect() { this.set(read()); } });
    };
    gauge("tollgate_in_flight", "Attempts in flight.", options.inFlight);
    gauge("tollgate_overages_total", "Charges above their hold.", () => this.overages);
    gauge("tollgate_unpriced_total", "Requests without a price that were allowed.", () => this.unpriced);
    gauge("tollgate_upstream_failures_total", "Exchanges with providers that failed.", () => this.upstreamFailures);
  }

  refused(call: Call, refusal: Refusal): void {
    const { outcome, limit } = refusal;
    this.refusalSums.add({ outcome, scope: limit.scope.kind, measure: limit.measure }, `${outcome} ${limit.scope.kind} ${limit.measure}`, 1);
    this.refusals.set(call.requestId, { requestId: call.requestId, at: call.at, model: call.request.model, refusal });
    if (this.refusals.size > REFUSALS_KEPT) this.refusals.delete(this.refusals.keys().next().value as string);
    this.onRefusal(call, refusal);
  }

  settled({ charge, deployment, attempt }: Settled): void {
    const { modelName: model, provider } = deployment;
    this.requests.add({ model, provider, outcome: charge.status }, `${model} ${provider} ${charge.status}`, 1);
    this.spend.add({ model, provider }, `${model} ${provider}`, Number(charge.cost) / 1e9);
    if (charge.estimated !== null) this.estimated.add({ reason: charge.estimated }, charge.estimated, 1);
    if (charge.cost > attempt.hold.nanoUsd) this.overages += 1;
    if (charge.unpriced) this.unpriced += 1;
    for (const limit of attempt.softCrossed) this.softCrossed(limit, attempt.facts.at);
  }

  /** Counts an answer that is an error of ours. */
  answeredError(code: ErrorCode): void {
    this.errors.add({ code }, code, 1);
  }

  /** GATE 4.7: one log line and one count for each window. */
  private softCrossed(limit: Limit, at: number): void {
    const budget = `${scopeText(limit.scope)} ${limit.windowText ?? ""} ${limit.model ?? ""}`;
    const told = this.softTold.get(budget);
    if (told !== undefined && at < told) return;
    const until = spanAt(limit.window, at).end;
    this.softTold.set(budget, until);
    this.softCrossings.add({ scope: limit.scope.kind }, limit.scope.kind, 1);
    this.onSoftBudget(limit, until);
  }

  upstreamFailed(_call: Call, deployment: Deployment, failure: UpstreamFailure): void {
    this.upstreamFailures += 1;
    this.onFailure(deployment, failure);
  }
}
