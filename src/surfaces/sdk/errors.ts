import { ERROR_KIND, errorKind, TollgateError, type ErrorCode } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import type { Refusal } from "../../domain/limits/books.ts";
import { refusalError } from "../gateway/refusal.ts";
import { usdNumber } from "./amounts.ts";

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
  }

  override get [ERROR_KIND](): string {
    return "BudgetExceededError";
  }

  /** True for refusals of every copy of Tollgate in the program. */
  static override isInstance(value: unknown): value is BudgetExceededError {
    return errorKind(value) === "BudgetExceededError";
  }

  /**
   * The refusal behind whatever was caught: this error itself, one among its causes, a client's API error whose body is
   * a refusal of Tollgate (OpenAI, Anthropic, AI SDK), or a gateway's answer.
   * @returns `undefined` if no budget refused
   */
  static from(value: unknown): BudgetExceededError | undefined {
    return refusalIn(value);
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
  }

  override get [ERROR_KIND](): string {
    return "ProviderError";
  }

  static override isInstance(value: unknown): value is ProviderError {
    return errorKind(value) === "ProviderError";
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

/** Where errors of clients keep what is behind them: causes, lists, bodies parsed or as text. */
const BEHIND = ["cause", "error", "errors", "lastError", "body", "data", "responseBody", "response", "reason"] as const;
const LOOKED_AT_MAX = 64;

function refusalIn(value: unknown): BudgetExceededError | undefined {
  const queue: unknown[] = [value];
  const seen = new Set<unknown>();
  for (let at = 0; at < queue.length && at < LOOKED_AT_MAX; at += 1) {
    const current = parsedText(queue[at]);
    if (typeof current !== "object" || current === null || seen.has(current)) continue;
    seen.add(current);
    if (BudgetExceededError.isInstance(current)) return current;
    const told = refusalOfBody(current as Readonly<Record<string, unknown>>, value);
    if (told !== undefined) return told;
    if (Array.isArray(current)) queue.push(...(current as unknown[]).slice(0, LOOKED_AT_MAX));
    else for (const name of BEHIND) queue.push((current as Readonly<Record<string, unknown>>)[name]);
  }
  return undefined;
}

function parsedText(value: unknown): unknown {
  if (typeof value !== "string" || !value.includes("tollgate_code") || value.length > 65_536) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** The inside of the gateway's error envelope (`surfaces/http/status.ts`). */
function refusalOfBody(body: Readonly<Record<string, unknown>>, cause: unknown): BudgetExceededError | undefined {
  const { tollgate_code: code, message } = body;
  if (code !== "budget_exceeded" && code !== "budget_held") return undefined;
  const details = (typeof body["details"] === "object" && body["details"] !== null ? body["details"] : {}) as Readonly<Record<string, unknown>>;
  const resetsAt = typeof details["resets_at"] === "string" ? new Date(details["resets_at"]) : null;
  return new BudgetExceededError({
    code, currentCost: Number(details["spent"] ?? Number.NaN), maxBudget: Number(details["limit"] ?? Number.NaN), scope: String(details["scope"] ?? "unknown"),
    window: typeof details["window"] === "string" ? details["window"] : null, resetsAt,
  }, typeof message === "string" ? message : "A budget refused the request.", { cause });
}
