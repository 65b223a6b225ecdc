import type { CompletionParams, CompletionParamsPlain, CompletionParamsStreaming, CompletionResponse, CompletionStream } from "../../surfaces/sdk/completion-types.ts";
import type { Usd } from "../../surfaces/sdk/amounts.ts";
import type { CallDefaults } from "../../surfaces/sdk/plane.ts";

export interface BudgetManagerOptions {
  /** Names the project's own folder and file. */
  readonly projectName: string;
  /** `"local"` keeps everything in a file that processes share; `"hosted"` asks a running Tollgate gateway. Local if absent. */
  readonly clientType?: "local" | "hosted" | undefined;
  /** Local: the file; `.tollgate/<projectName>/ledger.db` if absent. */
  readonly path?: string | undefined;
  /** Hosted: the gateway; `TOLLGATE_URL` if absent, else `http://127.0.0.1:4000`. */
  readonly apiBase?: string | undefined;
  /** Hosted: its master key; `TOLLGATE_MASTER_KEY` if absent. */
  readonly apiKey?: string | undefined;
  /** IANA name for `daily`, `weekly`, `monthly`, `yearly`; UTC if absent. Hosted: the gateway's own. */
  readonly timeZone?: string | undefined;
  /** For the calls of `completion`. */
  readonly defaults?: CallDefaults | undefined;
}

export interface CreateBudget {
  readonly user: string;
  /** Dollars per window; `Infinity`: no limit. */
  readonly totalBudget: Usd;
  /** `"daily"`, `"weekly"`, `"monthly"`, `"yearly"`, or such as `"24h"`, `"30d"`; absent: for ever. */
  readonly duration?: string | undefined;
  /** Spend before it does not count. If it is still to come, the budget holds until then in a window of its own. */
  readonly createdAt?: Date | number | undefined;
}

export interface Budget {
  readonly user: string;
  /** Dollars; `Infinity` without a limit. */
  readonly totalBudget: number;
  /** Settled in the current window. */
  readonly currentCost: number;
  readonly duration: string | null;
  readonly windowStartsAt: Date | null;
  readonly resetsAt: Date | null;
}

export type UpdateCost =
  | { readonly user: string; readonly response: unknown; readonly completionObj?: undefined; readonly model?: string | undefined; readonly inputText?: undefined; readonly outputText?: undefined }
  /** The same, as LiteLLM calls it. */
  | { readonly user: string; readonly completionObj: unknown; readonly response?: undefined; readonly model?: string | undefined; readonly inputText?: undefined; readonly outputText?: undefined }
  | { readonly user: string; readonly model: string; readonly inputText: string; readonly outputText: string; readonly response?: undefined; readonly completionObj?: undefined };

export interface UpdatedCost {
  /** Dollars of this call. */
  readonly cost: number;
  /** False: it was counted already. */
  readonly posted: boolean;
  /** Dollars of the window, this call included. */
  readonly currentCost: number;
}

export interface ProjectedCostQuery {
  readonly model: string;
  readonly messages: readonly unknown[];
  readonly user: string;
  readonly maxTokens?: number | undefined;
}

export interface ProjectedCost {
  /** Dollars: what the user has spent, and this call as expected. */
  readonly projectedCost: number;
  readonly currentCost: number;
  readonly inputCost: number;
  readonly expectedOutputCost: number;
  /** The call alone: no output at all, and all that it may answer. */
  readonly low: number;
  readonly high: number;
  /** What the expectation rests on: this model's answers in these books, or half of the most it may answer. */
  readonly expectedFrom: "history" | "half of the cap";
}

export interface ReserveQuery {
  readonly user: string;
  readonly model: string;
  readonly messages: readonly unknown[];
  readonly maxTokens?: number | undefined;
  /** How long to wait for money that other calls hold; 30,000 if absent. */
  readonly timeoutMs?: number | undefined;
}

/** Money that is held for one call of yours. Settle it with the answer, or release it if nothing was sent. */
export interface Reservation extends AsyncDisposable {
  readonly id: string;
  /** Dollars, exact. */
  readonly held: string;
  /** Send it as the output cap: the hold covers no more. */
  readonly outputCap: number;
  /** @returns what was charged, in dollars */
  settle(response: unknown): Promise<{ readonly cost: number; readonly costExact: string }>;
  /** Nothing was sent: nothing is charged. */
  release(): Promise<void>;
}

export interface BudgetCompletion {
  (params: CompletionParamsPlain & { user: string }): Promise<CompletionResponse>;
  (params: CompletionParamsStreaming & { user: string }): Promise<CompletionStream>;
  (params: CompletionParams & { user: string }): Promise<CompletionResponse | CompletionStream>;
}

/** Where budgets and their spend live. */
export interface BudgetPlace {
  readonly completion: BudgetCompletion;
  create(budget: CreateBudget): Promise<Budget>;
  /** `undefined` for a user without a budget. */
  find(user: string): Promise<Budget | undefined>;
  users(): Promise<string[]>;
  modelCost(user: string): Promise<Record<string, number>>;
  update(update: UpdateCost): Promise<{ readonly cost: number; readonly posted: boolean }>;
  reset(user: string): Promise<void>;
  reserve(query: ReserveQuery): Promise<Reservation>;
  /** Average output tokens of a model's answers, if there are enough to tell. */
  usualOutput(model: string): Promise<number | undefined>;
  save(): Promise<void>;
  close(): Promise<void>;
}
