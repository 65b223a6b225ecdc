import { formatNanoUsd } from "../../base/money.ts";
import type { CostSums } from "./sums.ts";

/** The costs of one group, JSON-safe. */
export interface Costs {
  /** Dollars, made once from the exact integer; for looking at and drawing. */
  readonly cost: number;
  /** The same, exact decimal text. @example "0.0001575" */
  readonly costExact: string;
  readonly requests: number;
  readonly failedRequests: number;
  readonly estimatedEntries: number;
  readonly unpricedEntries: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly totalTokens: number;
  /** Of the requests, those that the response cache answered: for $0, and without a token. */
  readonly cacheHits: number;
  /** Dollars that they would have cost; exact beside it. */
  readonly saved: number;
  readonly savedExact: string;
}

export function costsOf(sums: CostSums): Costs {
  const costExact = formatNanoUsd(sums.costNanoUsd);
  const savedExact = formatNanoUsd(sums.savedNanoUsd);
  return {
    cost: Number(costExact), costExact, requests: sums.requests, failedRequests: sums.failed, estimatedEntries: sums.estimated, unpricedEntries: sums.unpriced,
    inputTokens: sums.inputTokens, outputTokens: sums.outputTokens, cachedTokens: sums.cachedTokens, totalTokens: sums.inputTokens + sums.outputTokens,
    cacheHits: sums.hits, saved: Number(savedExact), savedExact,
  };
}

/** Ratios are `null` where there is nothing to divide by. Dollars. */
export interface Efficiency {
  readonly costPerToken: number | null;
  /** Of the requests that a provider answered. */
  readonly tokensPerRequest: number | null;
  readonly costPer1000OutputTokens: number | null;
  /** Of the input tokens, those read from a cache: 0 to 1. */
  readonly cachedShare: number | null;
}

export function efficiencyOf(costs: Costs): Efficiency {
  const ratio = (a: number, b: number): number | null => (b > 0 ? a / b : null);
  const perOutput = ratio(costs.cost, costs.outputTokens);
  return {
    costPerToken: ratio(costs.cost, costs.totalTokens), tokensPerRequest: ratio(costs.totalTokens, costs.requests - costs.cacheHits),
    costPer1000OutputTokens: perOutput === null ? null : perOutput * 1_000, cachedShare: ratio(costs.cachedTokens, costs.inputTokens),
  };
}
