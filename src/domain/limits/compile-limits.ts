import type { NanoUsd } from "../../base/money.ts";
import type { Scope } from "../scopes/scope.ts";
import { formatDuration, parseDuration } from "../windows/parse-duration.ts";
import { LIFETIME, MINUTE_SLIDING, NOW, type WeekDay, type WindowSpec } from "../windows/window.ts";
import type { Limit, Measure } from "./limit.ts";

export type TokenRateLimitType = "total" | "input" | "output";

export interface LimitFields {
  readonly scope: Scope;
  readonly rpm?: number | undefined;
  readonly tpm?: number | undefined;
  readonly maxParallelRequests?: number | undefined;
  readonly maxBudgetNanoUsd?: NanoUsd | undefined;
  readonly softBudgetNanoUsd?: NanoUsd | undefined;
  readonly budgetDuration?: string | undefined;
  /** Only requests for this model count. */
  readonly model?: string | undefined;
  readonly tokenRateLimitType: TokenRateLimitType;
  readonly timeZone: string;
  readonly weekStart: WeekDay;
}

const TOKEN_MEASURE: Readonly<Record<TokenRateLimitType, Measure>> = { total: "tokens", input: "inputTokens", output: "outputTokens" };

/**
 * Limits as the gate knows them, from the fields of a key, user, team, customer, deployment or the configuration.
 * A field that is absent limits nothing; 0 is a limit of zero.
 *
 * @throws TollgateError `invalid_duration`
 * @example limitsOf({ scope, rpm: 60, tokenRateLimitType: "total", timeZone: "UTC", weekStart: 0 })
 */
export function limitsOf(fields: LimitFields): Limit[] {
  const limits: Limit[] = [];
  const add = (measure: Measure, cap: bigint, window: WindowSpec, hard: boolean, windowText: string | undefined): void => {
    limits.push({ scope: fields.scope, model: fields.model, measure, window, cap, hard, windowText });
  };
  const { window, windowText } = budgetWindow(fields);
  if (fields.maxBudgetNanoUsd !== undefined) add("nanoUsd", fields.maxBudgetNanoUsd, window, true, windowText);
  if (fields.softBudgetNanoUsd !== undefined) add("nanoUsd", fields.softBudgetNanoUsd, window, false, windowText);
  if (fields.rpm !== undefined) add("requests", BigInt(fields.rpm), MINUTE_SLIDING, true, "1m");
  if (fields.tpm !== undefined) add(TOKEN_MEASURE[fields.tokenRateLimitType], BigInt(fields.tpm), MINUTE_SLIDING, true, "1m");
  if (fields.maxParallelRequests !== undefined) add("slots", BigInt(fields.maxParallelRequests), NOW, true, undefined);
  return limits;
}

function budgetWindow(fields: LimitFields): { readonly window: WindowSpec; readonly windowText: string | undefined } {
  if (fields.budgetDuration === undefined) return { window: LIFETIME, windowText: undefined };
  const duration = parseDuration(fields.budgetDuration, { param: "budget_duration" });
  return { window: { kind: "aligned", duration, zone: fields.timeZone, weekStart: fields.weekStart }, windowText: formatDuration(duration) };
}
