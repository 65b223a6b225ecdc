import type { Period } from "../../domain/analytics/period.ts";
import type { CostFilter } from "../../domain/analytics/dimension.ts";
import type { Scores } from "../../domain/optimizer/quality.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";
import type { Usd } from "../../surfaces/sdk/amounts.ts";
import type { CompletionResponse } from "../../surfaces/sdk/completion-types.ts";
import type { ChatCompletionMessageParam } from "../../surfaces/sdk/wire-types.ts";
import type { Tollgate } from "../../surfaces/sdk/tollgate.ts";
import type { CostAnalyzer } from "./cost-analyzer.ts";

export interface CostOptimizerOptions {
  /** Past traffic, for `whatIf` and `waste`. */
  readonly analyzer?: CostAnalyzer | undefined;
  /** Makes the calls of `optimizeRequest`; the default instance if absent. */
  readonly tollgate?: Pick<Tollgate, "completion"> | undefined;
  /** Given each optimised answer. */
  readonly tracker?: { logCost(response: CompletionResponse, labels: { user?: string; metadata?: Record<string, unknown>; tags?: string[] }): unknown } | undefined;
  /** Names such as `"openai/gpt-4o-mini"`. Absent, `selectBestModel` compares every model of the price lists; `optimizeRequest` needs them. */
  readonly models?: readonly string[] | undefined;
  /** Your own, 0 to 1: by model, or by task and model. Never guessed. */
  readonly scores?: Scores | undefined;
  /** What you know that models can, such as `{ "openai/gpt-4o": ["vision", "tools"] }`: the price book knows no abilities. */
  readonly abilities?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly prices?: PriceBook | undefined;
  readonly now?: (() => number) | undefined;
}

export interface Requirements {
  readonly abilities?: readonly string[] | undefined;
  /** Tokens of context; models whose window is unknown do not qualify. */
  readonly contextTokens?: number | undefined;
  /** Providers that may be used. */
  readonly providers?: readonly string[] | undefined;
}

export interface SelectionQuery {
  /** Your name of the kind of work, under which scores and outcomes are kept. */
  readonly task?: string | undefined;
  readonly inputTokens: number;
  /** 1,000 if absent. */
  readonly maxOutputTokens?: number | undefined;
  readonly budget?: Usd | undefined;
  readonly minQuality?: number | undefined;
  readonly requires?: Requirements | undefined;
}

export interface ModelChoice {
  readonly model: string;
  /** Dollars with all of `maxOutputTokens` used; exact beside it. */
  readonly estimatedCost: number;
  readonly estimatedCostExact: string;
  readonly quality: number | null;
  readonly qualityFrom: "own score" | "measured" | null;
}

export interface ModelSelection extends ModelChoice {
  /** Others that fit, the next cheapest first. */
  readonly alternatives: readonly ModelChoice[];
  readonly rejected: readonly { readonly model: string; readonly reasons: readonly string[] }[];
}

export interface OptimizedRequest extends Omit<SelectionQuery, "inputTokens"> {
  readonly messages: readonly ChatCompletionMessageParam[];
  readonly user?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OptimizedAnswer {
  readonly response: CompletionResponse;
  readonly model: string;
  /** Dollars; exact in `response.cost.total`. */
  readonly cost: number;
  /** The cap that was sent, so that the budget holds. */
  readonly maxOutputTokens: number;
  readonly alternatives: readonly ModelChoice[];
}

export interface WhatIfQuery extends Period {
  readonly filter?: CostFilter | undefined;
  /** Every request by this model. */
  readonly model?: string | undefined;
  /** `share` of the plain input read from a cache (0 to 1, to a thousandth); without it, the share that each model has shown. */
  readonly caching?: true | { readonly share: number } | undefined;
  /** Answers that may wait: what is paid of the price, such as 0.5 (0 to 1, to a thousandth). Price lists do not know it, so say it. */
  readonly batch?: { readonly payShare: number } | undefined;
}

export interface Change {
  readonly requests: number;
  /** Dollars; exact beside each. */
  readonly before: number;
  readonly beforeExact: string;
  readonly after: number;
  readonly afterExact: string;
  /** Above zero: saved. */
  readonly saved: number;
  readonly savedExact: string;
}

export interface WhatIfResult extends Change {
  readonly byModel: readonly (Change & { readonly model: string })[];
  /** What could not be priced; its cost stands in both sums. */
  readonly notPriced: readonly { readonly reason: string; readonly requests: number; readonly cost: number; readonly costExact: string }[];
  /** What the figures rest on. */
  readonly assumes: readonly string[];
  /** Of caching: what the period itself shows. */
  readonly evidence?: CachingEvidence | undefined;
}

export interface CachingEvidence {
  /** By model: how much of the input was read from a provider's cache; `share` from 0 to 1, to a thousandth. */
  readonly cachedInput: readonly { readonly model: string; readonly inputTokens: number; readonly cachedTokens: number; readonly share: number }[];
  /** Prompts that came again, where their fingerprints are recorded. */
  readonly repeatedPrompts: WasteReport["repeatedPrompts"];
}

export interface Amount {
  readonly requests: number;
  readonly cost: number;
  readonly costExact: string;
}

export interface WasteReport {
  readonly total: Amount;
  readonly failedCalls: Amount & { readonly byStatus: readonly (Amount & { readonly status: string })[] };
  readonly retries: Amount;
  readonly clientsThatLeft: Amount;
  /** By model: what was held and not used. Not spent, but free for nobody else while it was held. */
  readonly unusedHolds: readonly { readonly model: string; readonly requests: number; readonly heldExact: string; readonly usedExact: string; readonly usedShare: number | null }[];
  /** `known: false` if no prompt of the period carries a fingerprint: see `fingerprintPrompts`. */
  readonly repeatedPrompts: (Amount & { readonly known: true; readonly fingerprinted: number; readonly complete: boolean }) | { readonly known: false; readonly reason: string };
}

