import type { NanoUsd } from "../../base/money.ts";
import type { Entry } from "../ledger/entry.ts";

/** What the entries of one group come to. */
export interface CostSums {
  /** Attempts that were charged. */
  readonly requests: number;
  /** Of these, those that were not answered in full. */
  readonly failed: number;
  readonly estimated: number;
  readonly unpriced: number;
  /** Input includes what was read from a cache. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly costNanoUsd: NanoUsd;
  /** Requests that the response cache answered, and what they would have cost. */
  readonly hits: number;
  readonly savedNanoUsd: NanoUsd;
}

export const NO_COSTS: CostSums = { requests: 0, failed: 0, estimated: 0, unpriced: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0, costNanoUsd: 0n, hits: 0, savedNanoUsd: 0n };

export function addSums(a: CostSums, b: CostSums): CostSums {
  return {
    requests: a.requests + b.requests, failed: a.failed + b.failed, estimated: a.estimated + b.estimated, unpriced: a.unpriced + b.unpriced,
    inputTokens: a.inputTokens + b.inputTokens, outputTokens: a.outputTokens + b.outputTokens, cachedTokens: a.cachedTokens + b.cachedTokens,
    costNanoUsd: a.costNanoUsd + b.costNanoUsd, hits: a.hits + b.hits, savedNanoUsd: a.savedNanoUsd + b.savedNanoUsd,
  };
}

export function subtractSums(a: CostSums, b: CostSums): CostSums {
  return {
    requests: a.requests - b.requests, failed: a.failed - b.failed, estimated: a.estimated - b.estimated, unpriced: a.unpriced - b.unpriced,
    inputTokens: a.inputTokens - b.inputTokens, outputTokens: a.outputTokens - b.outputTokens, cachedTokens: a.cachedTokens - b.cachedTokens,
    costNanoUsd: a.costNanoUsd - b.costNanoUsd, hits: a.hits - b.hits, savedNanoUsd: a.savedNanoUsd - b.savedNanoUsd,
  };
}

export function isNothing(sums: CostSums): boolean {
  return sums.requests === 0 && sums.costNanoUsd === 0n && sums.inputTokens === 0 && sums.outputTokens === 0 && sums.cachedTokens === 0 && sums.estimated === 0 && sums.unpriced === 0 && sums.failed === 0 && sums.hits === 0 && sums.savedNanoUsd === 0n;
}

/** The members of an entry that count. */
export type CountedEntry = Pick<Entry, "kind" | "status" | "estimated" | "unpriced" | "inputTokens" | "outputTokens" | "cachedTokens" | "cost" | "saved">;

/** What one entry adds; nothing for an adjustment, which is no cost (GATE 1.3). */
export function sumsOfEntry(entry: CountedEntry): CostSums {
  if (entry.kind === "adjustment") return NO_COSTS;
  const charge = entry.kind === "charge";
  return {
    requests: charge ? 1 : 0, failed: charge && isFailure(entry.status) ? 1 : 0, estimated: entry.estimated === null ? 0 : 1, unpriced: entry.unpriced ? 1 : 0,
    inputTokens: entry.inputTokens, outputTokens: entry.outputTokens, cachedTokens: entry.cachedTokens, costNanoUsd: BigInt(entry.cost),
    hits: charge && entry.saved !== undefined ? 1 : 0, savedNanoUsd: BigInt(entry.saved ?? 0),
  };
}

/** A client that left was served until then, and a cached answer is an answer; everything else that is not `ok` failed. */
export function isFailure(status: Entry["status"]): boolean {
  return status !== "ok" && status !== "client_gone" && status !== "cached";
}
