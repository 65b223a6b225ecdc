import type { AttemptFacts } from "../../../domain/ledger/entry.ts";
import type { Ask } from "../../../domain/limits/ask.ts";
import type { OpenAttempt, Refusal } from "../../../domain/limits/books.ts";
import { amountOf, decide, type Decision, type Standing } from "../../../domain/limits/decide.ts";
import type { ChargeSet, Limit } from "../../../domain/limits/limit.ts";
import { scopeText } from "../../../domain/scopes/scope.ts";
import { heldTally, type Attempts, type RateLimit } from "./attempts.ts";
import { counterAt, familyKey } from "./families.ts";
import type { LedgerFile } from "./ledger-file.ts";

/** A limit as it stands in this transaction, and what is needed to say when that changes. */
interface Check extends Standing {
  readonly resetsAt: number | undefined;
  readonly rate: RateLimit | undefined;
}

export type Admitted = Omit<OpenAttempt, "softCrossed">;

/** Decides and holds, inside the transaction of the caller (GATE 1.4). */
export class Admission {
  private readonly ledger: LedgerFile;
  private readonly attempts: Attempts;
  private readonly owner: string;
  private readonly rateOf = new WeakMap<Limit, RateLimit>();

  constructor(ledger: LedgerFile, attempts: Attempts, owner: string) {
    this.ledger = ledger;
    this.attempts = attempts;
    this.owner = owner;
  }

  /**
   * @param now of the clock, for rates; money goes by `facts.at`
   * @param sweep charges what dead processes held; true if anything was freed
   */
  open(ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[], now: number, sweep: () => boolean): { attempt: Admitted } | { refusal: Refusal } {
    let checks = this.checksOf(facts, charges, now);
    let decision = decide(ask, checks);
    if (isHeld(decision) && sweep()) {
      checks = this.checksOf(facts, charges, now);
      decision = decide(ask, checks);
    }
    if (decision.outcome !== "admitted") return { refusal: this.refusal(decision, now) };
    const { hold, sendCap } = decision;
    const rates = new Map<string, RateLimit>();
    for (const { rate } of checks) if (rate !== undefined) rates.set(rate.tally, rate);
    this.attempts.hold(this.owner, ask, facts, hold, [...rates.values()], now);
    const cap = BigInt(hold.cap);
    const standings = checks.filter(({ limit }) => limit.hard && limit.measure !== "nanoUsd")
      .map(({ limit, spent, held }) => ({ limit, remaining: limit.cap - spent - held - amountOf(ask, limit.measure, cap) }));
    return { attempt: { facts, hold, sendCap, rates: standings, payerSpent: this.payerSpent(charges, facts.at) } };
  }

  /** Soft budgets that stand at or above their cap in the window of `at`. */
  softCrossed(facts: AttemptFacts, charges: readonly ChargeSet[]): Limit[] {
    const crossed: Limit[] = [];
    for (const limit of limitsFor(facts, charges)) {
      if (limit.hard || limit.measure !== "nanoUsd") continue;
      if (this.ledger.moneyAt(this.attempts.register(limit, facts.at), facts.at).spent >= limit.cap) crossed.push(limit);
    }
    return crossed;
  }

  private checksOf(facts: AttemptFacts, charges: readonly ChargeSet[], now: number): Check[] {
    const checks: Check[] = [];
    for (const limit of limitsFor(facts, charges)) checks.push(this.check(limit, facts.at, now));
    return checks;
  }

  private check(limit: Limit, at: number, now: number): Check {
    const { tallies } = this.ledger;
    const { window } = limit;
    if (window.kind === "sliding" || window.kind === "now") {
      const rate = this.rate(limit);
      if (rate.spanMs === undefined) return { limit, spent: 0n, held: tallies.get(rate.tally), resetsAt: undefined, rate };
      return { limit, spent: tallies.sliding(rate.tally, now, rate.spanMs), held: 0n, resetsAt: undefined, rate };
    }
    const family = this.attempts.register(limit, at);
    const { id, span } = counterAt(family, at);
    const resetsAt = Number.isFinite(span.end) ? span.end : undefined;
    if (limit.measure === "nanoUsd") return { limit, spent: this.ledger.moneyAt(family, at).spent, held: tallies.get(heldTally(id)), resetsAt, rate: undefined };
    return { limit, spent: tallies.get(id), held: 0n, resetsAt, rate: undefined };
  }

  private rate(limit: Limit): RateLimit {
    let rate = this.rateOf.get(limit);
    if (rate === undefined) {
      const { window, measure } = limit;
      rate = { tally: familyKey(scopeText(limit.scope), limit.model, measure, window), spanMs: window.kind === "sliding" ? window.spanMs : undefined, measure };
      this.rateOf.set(limit, rate);
    }
    return rate;
  }

  private payerSpent(charges: readonly ChargeSet[], at: number): bigint | undefined {
    let spent: bigint | undefined;
    for (const { payer } of charges) {
      if (payer === undefined) continue;
      const family = this.attempts.register({ scope: payer.scope, model: undefined, measure: "nanoUsd", window: payer.window }, at);
      spent = this.ledger.moneyAt(family, at).spent;
    }
    return spent;
  }

  private refusal({ outcome, standing, needed }: Exclude<Decision, { outcome: "admitted" }>, now: number): Refusal {
    const { limit, spent, held, resetsAt, rate } = standing as Check;
    const retryAfterMs = rate?.spanMs === undefined ? undefined : this.ledger.tallies.fitsInMs(rate.tally, now, rate.spanMs, needed, limit.cap);
    return { outcome, limit, spent, held, needed, resetsAt, retryAfterMs };
  }
}

/** Refused only because others run: they might be dead. */
function isHeld(decision: Decision): boolean {
  return decision.outcome === "budget_held" || (decision.outcome === "rate_limited" && decision.standing.limit.measure === "slots");
}

function* limitsFor(facts: AttemptFacts, charges: readonly ChargeSet[]): Iterable<Limit> {
  for (const { limits } of charges) for (const limit of limits) if (limit.model === undefined || limit.model === facts.model) yield limit;
}
