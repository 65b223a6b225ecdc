import type { UlidSource } from "../../base/ids.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import { GLOBAL_SCOPE, type Scope } from "../../domain/scopes/scope.ts";
import { readLimit, type Usd } from "./amounts.ts";
import { budgetLimits, lifetimeSet, namedScope, sessionSet, type BudgetOptions } from "./charges.ts";
import type { Payer } from "./context.ts";

/** Users come from outside: so many compiled sets are kept, then all are made anew. */
const KEPT_MAX = 10_000;

/**
 * Who is charged for a call and which limits apply: everything, the process, the user, tags, the session. The sets are
 * made once and replaced when something about them changes; the books compile each once.
 */
export class Payers {
  private readonly budgets: readonly BudgetOptions[];
  private readonly processScope: Scope;
  private readonly global: ChargeSet;
  private process: ChargeSet;
  private maxBudgetGiven: Usd | undefined;
  private users = new Map<string, ChargeSet>();
  private tags = new Map<string, ChargeSet | undefined>();
  private sessions = new Map<string, ChargeSet>();

  constructor(options: { readonly budgets: readonly BudgetOptions[]; readonly maxBudget: Usd | undefined; readonly processId: string }) {
    this.budgets = options.budgets;
    this.processScope = { kind: "process", id: options.processId, label: "this process" };
    this.global = { scopes: [GLOBAL_SCOPE], limits: options.budgets.filter((budget) => budget.user === undefined && budget.tag === undefined).flatMap((budget) => budgetLimits(GLOBAL_SCOPE, budget)) };
    // Named in the constructor, so that a wrong amount or duration is told at once.
    for (const budget of options.budgets) budgetLimits(GLOBAL_SCOPE, budget);
    this.process = lifetimeSet(this.processScope, undefined);
    this.maxBudget = options.maxBudget;
  }

  /** What the process may spend from its start; a new amount changes the limit, never the spend. */
  get maxBudget(): Usd | undefined {
    return this.maxBudgetGiven;
  }

  set maxBudget(value: Usd | undefined | null) {
    const cap = readLimit(value, "maxBudget");
    this.maxBudgetGiven = value ?? undefined;
    this.process = lifetimeSet(this.processScope, cap);
  }

  get processSet(): ChargeSet {
    return this.process;
  }

  /** Every limit that stands before any call is made, to be seeded from the books. */
  standing(): readonly ChargeSet[] {
    return [this.global, this.process];
  }

  chargesOf(payer: Payer, maxBudget: Usd | undefined, requestId: string): ChargeSet[] {
    const charges: ChargeSet[] = [this.global, this.process];
    if (payer.user !== undefined) charges.push(this.userSet(payer.user));
    for (const tag of payer.tags ?? []) {
      const set = this.tagSet(tag);
      if (set !== undefined) charges.push(set);
    }
    if (payer.session !== undefined) charges.push(this.sessionSetOf(payer.session));
    const cap = readLimit(maxBudget, "maxBudget");
    if (cap !== undefined) charges.push(lifetimeSet({ kind: "call", id: requestId, label: "this call" }, cap));
    return charges;
  }

  private userSet(user: string): ChargeSet {
    return kept(this.users, user, () => {
      const scope = namedScope("customer", user, "user");
      return { scopes: [scope], limits: this.budgets.filter((budget) => budget.user === user || budget.user === "*").flatMap((budget) => budgetLimits(scope, budget)) };
    });
  }

  /** Tags are labels; only those with a budget are charged. */
  private tagSet(tag: string): ChargeSet | undefined {
    return kept(this.tags, tag, () => {
      const scope = namedScope("tag", tag, "tags");
      const limits = this.budgets.filter((budget) => budget.tag === tag).flatMap((budget) => budgetLimits(scope, budget));
      return limits.length === 0 ? undefined : { scopes: [scope], limits };
    });
  }

  sessionSetOf(session: NonNullable<Payer["session"]>): ChargeSet {
    const key = JSON.stringify([session.id, String(session.maxBudget), String(session.maxIterations)]);
    return kept(this.sessions, key, () => sessionSet(session));
  }
}

/** The set of a context's own budget: a scope that lives as long as the context. */
export function contextSet(maxBudget: Usd | undefined, ids: UlidSource, now: number): ChargeSet | undefined {
  const cap = readLimit(maxBudget, "maxBudget");
  return cap === undefined ? undefined : lifetimeSet({ kind: "context", id: ids.next(now), label: "this context" }, cap);
}

function kept<T>(map: Map<string, T>, key: string, make: () => T): T {
  if (map.has(key)) return map.get(key) as T;
  const made = make();
  if (map.size >= KEPT_MAX) map.clear();
  map.set(key, made);
  return made;
}
