import { TollgateError, type ErrorCode } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import type { Refusal } from "../../domain/limits/books.ts";
import { refusalError } from "../gateway/refusal.ts";
import { usdNumber } from "./amounts.ts";

/** Bundlers duplicate modules, so `instanceof` is not enough: errors carry a mark that every copy knows. */
const MARK = Symbol.for("tollgate.error@1");

function mark(error: object, kind: string): void {
  Object.defineProperty(error, MARK, { value: kind });
}

function kindOf(value: unknown): unknown {
  return typeof value === "object" && value !== null ? (value as Record<symbol, unknown>)[MARK] : undefined;
}

/** The refusals that are about money. */
export type BudgetCode = Extract<ErrorCode, "budget_exceeded" | "budget_held">;

export interface BudgetRefusal {
  /** Dollars settled in the window. */
  readonly currentCost: number;
  /** Dollars. */
  readonly maxBudget: number;
  /** Whose budget: `"process"`, `"customer"`, `"session"`, `"context"`, `"call"`, … */
  readonly scope: string;
  /** As configured, such as `"30d"`; `null` for a lifetime. */
  readonly window: string | null;
  readonly resetsAt: Date | null;
  readonly code: BudgetCode;
}

/**
 * A budget refused a call before anything was sent.
 *
 * `code` is `budget_exceeded` (the money is spent) or `budget_held` (other calls in flight still held it when the
 * time-out passed).
 *
 * @example
 * try { await completion({ model: "openai/gpt-4o-mini", messages }) } catch (error) {
 *   const refusal = BudgetExceededError.from(error);
 *   if (refusal) console.log(`${refusal.scope}: ${refusal.currentCost} of ${refusal.maxBudget}`);
 * }
 */
export class BudgetExceededError extends TollgateError implements BudgetRefusal {
  declare readonly code: BudgetCode;
  readonly currentCost: number;
  readonly maxBudget: number;
  readonly scope: string;
  readonly window: string | null;
  readonly resetsAt: Date | null;

  constructor(refusal: BudgetRefusal, message: string, options: ConstructorParameters<typeof TollgateError>[2] = {}) {
    super(refusal.code, message, options);
    this.name = "BudgetExceededError";
    this.currentCost = refusal.currentCost;
    this.maxBudget = refusal.maxBudget;
    this.scope = refusal.scope;
    this.window = refusal.window;
    this.resetsAt = refusal.resetsAt;
    mark(this, "BudgetExceededError");
  }

  /** True for errors of every copy of Tollgate in the program. */
  static isInstance(value: unknown): value is BudgetExceededError {
    return kindOf(value) === "BudgetExceededError";
  }
}

/**
 * The provider answered with an error. `code` is `upstream_refused`, `status` the provider's own, `body` its answer.
 * Nothing was charged for the attempt.
 */
export class ProviderError extends TollgateError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, or text. */
  readonly body: unknown;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: unknown, message: string) {
    super("upstream_refused", message);
    this.name = "ProviderError";
    this.status = status;
    this.headers = headers;
    this.body = body;
    mark(this, "ProviderError");
  }

  static isInstance(value: unknown): value is ProviderError {
    return kindOf(value) === "ProviderError";
  }
}

/** A refusal as the error that a program meets. */
export function errorOfRefusal(refusal: Refusal): TollgateError {
  const said = refusalError(refusal);
  const { limit, outcome } = refusal;
  if (outcome !== "budget_exceeded" && outcome !== "budget_held") return said;
  return new BudgetExceededError({
    code: outcome,
    currentCost: usdNumber(refusal.spent),
    maxBudget: usdNumber(limit.cap),
    scope: limit.scope.kind,
    window: limit.windowText ?? null,
    resetsAt: refusal.resetsAt === undefined ? null : new Date(refusal.resetsAt),
  }, said.message, { details: { ...said.details, held: formatNanoUsd(refusal.held) } });
}
