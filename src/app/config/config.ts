import type { NanoUsd } from "../../base/money.ts";
import type { TokenRateLimitType } from "../../domain/limits/compile-limits.ts";
import type { WeekDay } from "../../domain/windows/window.ts";

/** How a provider is reached when nothing more is said. Holds secrets: never log it. */
export interface ProviderAccess {
  readonly apiKey: string | undefined;
  readonly apiBase: string | undefined;
  readonly apiVersion: string | undefined;
}

/** One entry of `model_list`. Holds secrets: never log it. */
export interface ModelEntry {
  readonly modelName: string;
  /** LiteLLM's `model`, with its provider's prefix. */
  readonly model: string;
  readonly access: ProviderAccess;
  readonly organization: string | undefined;
  readonly rpm: number | undefined;
  readonly tpm: number | undefined;
  readonly maxParallelRequests: number | undefined;
  readonly maxBudget: NanoUsd | undefined;
  readonly budgetDuration: string | undefined;
  readonly outputCapField: "max_tokens" | "max_completion_tokens" | undefined;
  readonly supportsStreamOptions: boolean | undefined;
  readonly boundableParams: readonly string[];
  /** Price fields as decimal text. */
  readonly prices: Readonly<Record<string, string>>;
  readonly id: string | undefined;
  readonly baseModel: string | undefined;
  readonly maximumOutput: number | undefined;
}

export interface BudgetLimit {
  readonly maxBudget: NanoUsd;
  readonly budgetDuration: string | undefined;
}

/** A configuration that was read and found good. Holds secrets: never log it. */
export interface Config {
  /** The file it came from, if any. */
  readonly file: string | undefined;
  readonly models: readonly ModelEntry[];
  /** By our own provider name; `tollgate.providers` wins over the environment. */
  readonly providers: ReadonlyMap<string, ProviderAccess>;
  readonly masterKey: string | undefined;
  /** Limits of scope `global`; see `globalCharges`. */
  readonly globalBudgets: readonly BudgetLimit[];
  readonly globalSoftBudget: BudgetLimit | undefined;
  readonly globalMaxParallelRequests: number | undefined;
  /** The budget of customers that have none of their own; without one a customer is only a label (GATE 10.1). */
  readonly customerMaxBudget: NanoUsd | undefined;
  readonly timeZone: string;
  readonly weekStart: WeekDay;
  readonly tokenRateLimitType: TokenRateLimitType;
  readonly budgetExceededStatus: 400 | 402 | 422 | 429;
  readonly requireAuthForMetrics: boolean;
  /** Where no hard budget applies; under one an unpriced model is always refused (GATE 2.3). */
  readonly unpriced: "block" | "allow";
  readonly onDisconnect: "drain" | "cancel";
  readonly drainMs: number;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly shutdownMs: number;
  readonly bodyLimitBytes: number;
  /** File or URL of a LiteLLM-format price map. */
  readonly priceMap: string | undefined;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly simulated: "auto" | "always" | "never";
  /** `provider/model` works without an entry in `model_list`. */
  readonly directModels: boolean;
  readonly customersPerMinute: number;
  /** Known keys without a function, one sentence each, for `tollgate.warnings`. */
  readonly warnings: readonly string[];
}

export const DEFAULTS = {
  timeZone: "UTC",
  weekStart: 0,
  tokenRateLimitType: "total",
  budgetExceededStatus: 422,
  requireAuthForMetrics: false,
  unpriced: "allow",
  onDisconnect: "drain",
  drainMs: 30_000,
  requestTimeoutMs: 600_000,
  idleTimeoutMs: 120_000,
  shutdownMs: 25_000,
  bodyLimitBytes: 10_000_000,
  logLevel: "info",
  simulated: "auto",
  directModels: true,
  customersPerMinute: 100,
} as const satisfies Partial<Config>;
