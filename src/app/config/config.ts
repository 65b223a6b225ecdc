import type { NanoUsd } from "../../base/money.ts";
import type { TokenRateLimitType } from "../../domain/limits/compile-limits.ts";
import type { WeekDay } from "../../domain/windows/window.ts";

/** One entry of `model_list`. Money in nano-dollars. */
export interface ModelConfig {
  /** Unique in the configuration, and stable as long as the entry keeps its name and model. */
  readonly id: string;
  readonly modelName: string;
  readonly provider: string;
  /** The provider's own name of the model. */
  readonly model: string;
  /** The model whose price holds, where the provider's name says nothing (an Azure deployment). */
  readonly baseModel?: string;
  readonly apiKey?: string;
  readonly apiBase?: string;
  readonly apiVersion?: string;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly maxParallelRequests?: number;
  readonly maxBudgetNanoUsd?: NanoUsd;
  readonly budgetDuration?: string;
  /** LiteLLM price fields, dollars per unit as decimal text. */
  readonly priceFields: Readonly<Record<string, string>>;
  readonly maxOutputTokens?: number;
  readonly outputCapField?: "max_tokens" | "max_completion_tokens";
  readonly supportsStreamOptions?: boolean;
  readonly boundableParams: readonly string[];
}

export interface ProviderConfig {
  readonly apiKey?: string;
  readonly apiBase?: string;
  readonly apiVersion?: string;
}

/** The configuration as the gateway uses it: plain data, read once. Contains secrets: never log it. */
export interface Config {
  readonly masterKey?: string;
  readonly models: readonly ModelConfig[];
  readonly globalBudget: { readonly maxBudgetNanoUsd?: NanoUsd; readonly budgetDuration?: string; readonly softBudgetNanoUsd?: NanoUsd };
  readonly timeZone: string;
  readonly weekStart: WeekDay;
  readonly maxEndUserBudgetNanoUsd?: NanoUsd;
  readonly budgetExceededStatus: number;
  readonly tokenRateLimitType: TokenRateLimitType;
  /** Of models without a price: under a hard budget only an estimate lets them pass. */
  readonly unpriced: "block" | "estimate" | "allow";
  readonly onDisconnect: "drain" | "cancel";
  readonly drainMs: number;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly shutdownMs: number;
  readonly bodyLimitBytes: number;
  readonly customersPerMinute: number;
  /** File or URL of a LiteLLM-format price map. */
  readonly priceMap?: string;
  /** By our name of the provider. */
  readonly providers: Readonly<Record<string, ProviderConfig>>;
  /** `environment_variables` of the file, over those of the process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly simulated: "auto" | "always" | "never";
  readonly metricsAuth: boolean;
  /** Known keys without a function, for the log and the management API. */
  readonly warnings: readonly string[];
}
