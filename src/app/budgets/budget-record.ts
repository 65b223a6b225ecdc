import { TollgateError } from "../../base/errors.ts";
import type { ChargeSet, Limit } from "../../domain/limits/limit.ts";
import type { CustomerRecord } from "../../domain/scopes/records.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { LIFETIME, type WindowSpec } from "../../domain/windows/window.ts";
import { checkZone } from "../../domain/windows/zone.ts";
import { readLimit } from "../../surfaces/sdk/amounts.ts";
import { namedScope } from "../../surfaces/sdk/charges.ts";
import type { CreateBudget } from "./budget-types.ts";

/** A user's budget as the ledger keeps it: the customer that a gateway on the same file would know, and what only programs have. */
export interface BudgetRecord extends CustomerRecord {
  readonly stored: {
    readonly timeZone?: string;
    readonly since?: number;
    /** Resets so far: who meets another number than it read before the spend starts anew. */
    readonly resets?: number;
    /** A reset that is decided and may not be in the books yet; whoever meets it finishes it. */
    readonly resetting?: PendingReset;
  };
}

export interface PendingReset {
  /** Of the adjustment, a ULID. */
  readonly id: string;
  readonly counter: string;
  /** Nano-dollars, decimal text. */
  readonly spent: string;
}

/** @throws TollgateError `invalid_amount`, `invalid_duration`, `invalid_time_zone`, `invalid_request` */
export function budgetRecord({ user, totalBudget, duration, createdAt }: CreateBudget, timeZone: string, now: number, before: BudgetRecord | undefined): BudgetRecord {
  const scope = namedScope("customer", user, "user");
  if (totalBudget === undefined || totalBudget === null) throw new TollgateError("invalid_amount", "createBudget needs totalBudget, in dollars.", { param: "totalBudget" });
  const cap = readLimit(totalBudget, "totalBudget");
  if (duration !== undefined) parseDuration(duration, { param: "duration" });
  const since = createdAt === undefined ? before?.stored.since : Number(createdAt);
  if (since !== undefined && !Number.isSafeInteger(since)) throw new TollgateError("invalid_request", "createdAt must be a Date or epoch milliseconds.", { param: "createdAt" });
  return {
    id: scope.id, customerId: user, maxBudget: cap?.toString(), budgetDuration: duration, budgetLimits: [], modelRpm: [], modelTpm: [], modelBudgets: before?.modelBudgets ?? [], models: [],
    blocked: before?.blocked ?? false, metadata: before?.metadata ?? {}, stored: { ...before?.stored, timeZone: checkZone(timeZone, { param: "timeZone" }), ...(since === undefined ? {} : { since }) }, createdAt: before?.createdAt ?? now, updatedAt: now,
  } as unknown as BudgetRecord;
}

export function windowOf({ budgetDuration, stored }: BudgetRecord): WindowSpec {
  const since = stored.since === undefined ? {} : { since: stored.since };
  if (budgetDuration === undefined) return { ...LIFETIME, ...since } as WindowSpec;
  return { kind: "aligned", duration: parseDuration(budgetDuration), zone: stored.timeZone ?? "UTC", weekStart: 0, ...since };
}

/** The limit of a user, for a call that is charged to the user's scope anyway. */
export function limitSet(record: BudgetRecord): ChargeSet {
  if (record.maxBudget === undefined) return { scopes: [], limits: [] };
  const scope = namedScope("customer", record.customerId, "user");
  const limit: Limit = { scope, model: undefined, measure: "nanoUsd", window: windowOf(record), cap: BigInt(record.maxBudget), hard: true, windowText: record.budgetDuration };
  return { scopes: [], limits: [limit] };
}

export function noBudget(user: string): TollgateError {
  return new TollgateError("not_found", `The user ${JSON.stringify(String(user).slice(0, 64))} has no budget. Make one with createBudget({ user, totalBudget }).`, { param: "user" });
}
