import { TollgateError } from "../../base/errors.ts";
import type { NanoUsd } from "../../base/money.ts";
import { limitsOf } from "../../domain/limits/compile-limits.ts";
import type { ChargeSet, Limit } from "../../domain/limits/limit.ts";
import type { Scope, ScopeKind } from "../../domain/scopes/scope.ts";
import { LIFETIME } from "../../domain/windows/window.ts";
import { readLimit, type Usd } from "./amounts.ts";
import type { SessionOptions } from "./context.ts";

const LABEL_BYTES_MAX = 256;
const utf8 = new TextEncoder();

/** A scope whose id comes from the program: escaped, since scopes are joined in texts. */
export function namedScope(kind: ScopeKind, name: string, param: string): Scope {
  if (typeof name !== "string" || name === "" || !name.isWellFormed() || (name.length * 3 > LABEL_BYTES_MAX && utf8.encode(name).length > LABEL_BYTES_MAX)) {
    throw new TollgateError("invalid_request", `${param} must be a text of 1 to ${LABEL_BYTES_MAX} bytes.`, { param });
  }
  return { kind, id: encodeURIComponent(name), label: name };
}

/** A lifetime budget on one scope, or the scope alone. */
export function lifetimeSet(scope: Scope, cap: NanoUsd | undefined): ChargeSet {
  return { scopes: [scope], limits: cap === undefined ? [] : [budgetOf(scope, cap)] };
}

function budgetOf(scope: Scope, cap: NanoUsd): Limit {
  return { scope, model: undefined, measure: "nanoUsd", window: LIFETIME, cap, hard: true, windowText: undefined };
}

/** The caps of an agent's run: money, and calls over its whole life. */
export function sessionSet(session: SessionOptions): ChargeSet {
  const scope = namedScope("session", session.id, "session.id");
  const limits: Limit[] = [];
  const cap = readLimit(session.maxBudget, "session.maxBudget");
  if (cap !== undefined) limits.push(budgetOf(scope, cap));
  const { maxIterations } = session;
  if (maxIterations !== undefined && maxIterations !== Infinity) {
    if (!Number.isSafeInteger(maxIterations) || maxIterations < 0) throw new TollgateError("invalid_request", "session.maxIterations must be a whole number from 0 up.", { param: "session.maxIterations" });
    limits.push({ scope, model: undefined, measure: "requests", window: LIFETIME, cap: BigInt(maxIterations), hard: true, windowText: undefined });
  }
  return { scopes: [scope], limits };
}

/** A budget in the options of an instance. Without `user` and `tag` it is for everything in the books. */
export interface BudgetOptions {
  /** Dollars per window. */
  maxBudget: Usd;
  /** `"24h"`, `"7d"`, `"30d"`, `"1mo"`, …: calendar windows. Absent: for ever. */
  duration?: string | undefined;
  /** One user, or `"*"`: each user by itself. */
  user?: string | undefined;
  tag?: string | undefined;
  /** Only calls of this model, as the program names it. */
  model?: string | undefined;
  /** IANA name, `"UTC"` if absent. */
  timeZone?: string | undefined;
  /** Never refuses. */
  soft?: boolean | undefined;
}

/** @throws TollgateError `invalid_amount`, `invalid_duration` */
export function budgetLimits(scope: Scope, budget: BudgetOptions): readonly Limit[] {
  const cap = readLimit(budget.maxBudget, "budgets.maxBudget");
  if (cap === undefined) return [];
  return limitsOf({
    scope, ...(budget.soft === true ? { softBudgetNanoUsd: cap } : { maxBudgetNanoUsd: cap }), budgetDuration: budget.duration, model: budget.model,
    tokenRateLimitType: "total", timeZone: budget.timeZone ?? "UTC", weekStart: 0,
  });
}
