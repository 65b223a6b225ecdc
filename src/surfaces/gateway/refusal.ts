import { formatNanoUsd } from "../../base/money.ts";
import { TollgateError, type ErrorDetails } from "../../base/errors.ts";
import type { Refusal } from "../../domain/limits/books.ts";
import type { Limit } from "../../domain/limits/limit.ts";

/** The words of LiteLLM's contract for a budget's scope, between the exclamation mark and the amounts. */
function scopeWords(limit: Limit): string {
  const { kind, label } = limit.scope;
  switch (kind) {
    case "team":
      return `Team=${label} `;
    case "member":
      return `Member=${label} `;
    case "user":
      return `User=${label} `;
    case "customer":
      return `End User=${label} `;
    case "global":
      return "Global ";
    case "deployment":
      return `Deployment=${label} `;
    default:
      return "";
  }
}

const RATE_WORDS: Readonly<Record<Limit["measure"], string>> = {
  nanoUsd: "money", requests: "requests", tokens: "tokens", inputTokens: "tokens", outputTokens: "tokens", slots: "max_parallel_requests",
};

/** A refusal in words: scope, window, limit, spent, held, reset (GATE 4.6). */
export function refusalError(refusal: Refusal): TollgateError {
  const { limit, outcome } = refusal;
  const money = limit.measure === "nanoUsd";
  const print = money ? formatNanoUsd : (value: bigint) => value.toString();
  const window = limit.windowText === undefined ? "" : ` over ${limit.windowText} budget`;
  const resets = refusal.resetsAt === undefined ? "" : ` Resets at: ${new Date(refusal.resetsAt).toISOString()}.`;
  const details: ErrorDetails = {
    scope: limit.scope.kind, scope_id: limit.scope.label, model: limit.model ?? null, window: limit.windowText ?? null,
    limit: print(limit.cap), spent: print(refusal.spent), held: print(refusal.held), needed: print(refusal.needed),
    resets_at: refusal.resetsAt === undefined ? null : new Date(refusal.resetsAt).toISOString(),
  };
  if (outcome === "budget_exceeded" && !money) {
    return new TollgateError(outcome, `The ${RATE_WORDS[limit.measure]} of this ${limit.scope.kind} are used up${window}: ${refusal.spent} of ${limit.cap}. This request needs ${refusal.needed} at least.${resets}`, { details });
  }
  if (outcome === "budget_exceeded") {
    return new TollgateError(outcome, `Budget has been exceeded! ${scopeWords(limit)}${window === "" ? "" : `${window.trim()}. `}Current cost: ${print(refusal.spent)}, Max budget: ${print(limit.cap)}. This request needs ${print(refusal.needed)} at least.${resets}`, { details });
  }
  if (outcome === "budget_held") {
    return new TollgateError(outcome, `The ${limit.scope.kind} budget is not spent, but requests in flight hold the rest${window}. Current cost: ${print(refusal.spent)}, held: ${print(refusal.held)}, Max budget: ${print(limit.cap)}. Try again in a moment.${resets}`, { details });
  }
  const scope = limit.scope.kind === "key" ? "api_key" : limit.scope.kind;
  const remaining = limit.cap - refusal.spent - refusal.held;
  const text = `Rate limit exceeded for ${scope}: ${limit.scope.label}. Limit type: ${RATE_WORDS[limit.measure]}. Current limit: ${limit.cap}, Remaining: ${remaining > 0n ? remaining : 0n}.`;
  return outcome === "rate_limited"
    ? new TollgateError(outcome, `${text} Try again in ${retrySeconds(refusal)} s.`, { details })
    : new TollgateError(outcome, `${text} This request alone needs ${refusal.needed}; lower max_tokens or shorten the input.`, { details });
}

/** A refusal that is thrown, with the headers that say when to come back. */
export class RefusedError extends TollgateError {
  /** Flat list. */
  readonly headers: readonly string[];

  constructor(error: TollgateError, headers: readonly string[]) {
    super(error.code, error.message, { ...(error.details === undefined ? {} : { details: error.details }), ...(error.param === undefined ? {} : { param: error.param }) });
    this.headers = headers;
  }
}

/** Whole seconds after which the request fits, if nothing else comes; one for slots and held money. */
export function retrySeconds(refusal: Refusal): number {
  return refusal.retryAfterMs === undefined ? 1 : Math.max(1, Math.ceil(refusal.retryAfterMs / 1_000));
}
