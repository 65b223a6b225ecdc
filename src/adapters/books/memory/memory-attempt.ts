import type { InFlightItem } from "../../../base/in-flight.ts";
import type { OpenHold } from "../../../domain/ledger/ports.ts";
import type { Charge } from "../../../domain/ledger/entry.ts";
import type { OpenAttempt, Refusal } from "../../../domain/limits/books.ts";
import type { Decision } from "../../../domain/limits/decide.ts";
import type { Limit } from "../../../domain/limits/limit.ts";
import { SlidingCounter } from "../../../domain/limits/sliding.ts";
import type { Check } from "./compiled-sets.ts";
import { MoneyCounter, TallyCounter, type Bucket, type SlotCounter } from "./counters.ts";

export interface Reserved {
  /** `undefined` for a tally, whose part is all there is to correct. */
  readonly sliding: SlidingCounter | undefined;
  readonly part: { amount: bigint };
  readonly measure: Limit["measure"];
  readonly amount: bigint;
}

/** An attempt as these books keep it. */
export interface MemoryAttempt extends OpenAttempt, InFlightItem {
  /** As the journal keeps it. */
  journalled: OpenHold | undefined;
  readonly buckets: Bucket[];
  readonly slots: readonly SlotCounter[];
  readonly reserved: readonly Reserved[];
  softCrossed: readonly Limit[];
  readonly soft: readonly Check[];
  closed: boolean;
}

/** A window that is looked at and limits nothing. */
export function watch(place: Pick<Limit, "scope" | "model" | "window">): Limit {
  return { ...place, measure: "nanoUsd", cap: 0n, hard: false, windowText: undefined };
}

/** @returns false if the counter does not know the window of `at`, which then has nothing to give */
export function refresh(check: Check, at: number, monotonic: number): boolean {
  const { counter } = check;
  if (counter instanceof MoneyCounter) {
    const bucket = counter.find(at);
    check.spent = bucket?.spent ?? check.limit.cap;
    check.held = bucket?.held ?? 0n;
    return bucket !== undefined;
  }
  if (counter instanceof SlidingCounter) {
    check.spent = counter.at(monotonic);
  } else if (counter instanceof TallyCounter) {
    check.spent = counter.at(at).amount;
  } else {
    check.held = counter.inUse;
  }
  return true;
}

export function crossed(soft: readonly Check[], at: number): Limit[] {
  const limits: Limit[] = [];
  for (const { counter, limit } of soft) {
    const bucket = counter instanceof MoneyCounter ? counter.find(at) : undefined;
    if (bucket !== undefined && bucket.spent >= limit.cap) limits.push(limit);
  }
  return limits;
}

/** A token reservation becomes what was used, in the second of its admission (GATE 7.2); unknown usage leaves it as it is. */
export function correctRate(reserved: Reserved, charge: Charge): void {
  const { measure, amount } = reserved;
  if (measure === "requests") return;
  const unknown = charge.estimated !== null && charge.inputTokens + charge.outputTokens === 0;
  if (unknown) return;
  let used = charge.inputTokens + charge.outputTokens;
  if (measure === "inputTokens") used = charge.inputTokens;
  else if (measure === "outputTokens") used = charge.outputTokens;
  correctBy(reserved, BigInt(used) - amount);
}

export function correctBy({ sliding, part }: Reserved, by: bigint): void {
  if (sliding === undefined) part.amount += by;
  else sliding.correct(part as Parameters<SlidingCounter["correct"]>[0], by);
}

/** A new window takes over the hold of an attempt that is open (GATE 6.3). */
export function attach(attempt: MemoryAttempt, bucket: Bucket): void {
  const { facts, hold } = attempt;
  const { counter } = bucket;
  if (counter.model !== undefined && counter.model !== facts.model) return;
  if (facts.at < bucket.start || facts.at >= bucket.end || !facts.scopes.includes(counter.scope)) return;
  bucket.held += hold.nanoUsd;
  bucket.users += 1;
  attempt.buckets.push(bucket);
}

export function refusalOf(decision: Exclude<Decision, { outcome: "admitted" }>, at: number, monotonic: number): Refusal {
  const { counter, limit, spent, held } = decision.standing as Check;
  let end = Infinity;
  let retryAfterMs: number | undefined;
  if (counter instanceof MoneyCounter) end = counter.find(at)?.end ?? Infinity;
  else if (counter instanceof TallyCounter) end = counter.end;
  else if (counter instanceof SlidingCounter) retryAfterMs = counter.fitsInMs(monotonic, decision.needed, limit.cap);
  return { outcome: decision.outcome, limit, spent, held, needed: decision.needed, resetsAt: Number.isFinite(end) ? end : undefined, retryAfterMs };
}
