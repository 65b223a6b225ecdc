import type { UlidSource } from "../../base/ids.ts";
import type { ChargeSet, Limit } from "../../domain/limits/limit.ts";
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
  /** Models that have budgets of their own; only their calls need sets of their own. */
  private readonly models: ReadonlySet<string>;
  private process: ChargeSet;
  private maxBudgetGiven: Usd | undefined;
  private readonly globals = new Map<string, ChargeSet>();
  private readonly users = new Map<string, ChargeSet>();
  private readonly tags = new Map<string, ChargeSet | undefined>();
  private readonly sessions = new Map<string, ChargeSet>();

  constructor(options: { readonly budgets: readonly BudgetOptions[]; readonly maxBudget: Usd | undefined; readonly processId: string }) {
    this.budgets = options.budgets;
    this.processScope = { kind: "process", id: options.processId, label: "this process" };
    this.models = new Set(options.budgets.flatMap((budget) => budget.model ?? []));
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

  chargesOf(payer: Payer, model: string, maxBudget: Usd | undefined, requestId: string): ChargeSet[] {
    const of = this.models.has(model) ? model : "";
    const charges: ChargeSet[] = [this.globalSet(of), this.process];
    if (payer.user !== undefined) charges.push(this.userSet(payer.user, of));
    for (const tag of payer.tags ?? []) {
      const set = this.tagSet(tag, of);
      if (set !== undefined) charges.push(set);
    }
    if (payer.session !== undefined) charges.push(this.sessionSetOf(payer.session));
    const cap = readLimit(maxBudget, "maxBudget");
    if (cap !== undefined) charges.push(lifetimeSet({ kind: "call", id: requestId, label: "this call" }, cap));
    return charges;
  }

  private globalSet(model: string): ChargeSet {
    return kept(this.globals, model, () => ({ scopes: [GLOBAL_SCOPE], limits: this.limitsOn(GLOBAL_SCOPE, model, (budget) => budget.user === undefined && budget.tag === undefined) }));
  }

  private userSet(user: string, model: string): ChargeSet {
    return kept(this.users, `${model}\n${user}`, () => {
      const scope = namedScope("customer", user, "user");
      return { scopes: [scope], limits: this.limitsOn(scope, model, (budget) => budget.user === user || budget.user === "*") };
    });
  }

  /** Tags are labels; only those with a budget are charged. */
  private tagSet(tag: string, model: string): ChargeSet | undefined {
    return kept(this.tags, `${model}\n${tag}`, () => {
      const scope = namedScope("tag", tag, "tags");
      return this.budgets.some((budget) => budget.tag === tag) ? { scopes: [scope], limits: this.limitsOn(scope, model, (budget) => budget.tag === tag) } : undefined;
    });
  }

  /** A budget of one model counts that model's calls alone, so it stands in their sets alone. */
  private limitsOn(scope: Scope, model: string, isMeant: (budget: BudgetOptions) => boolean): readonly Limit[] {
    return this.budgets.filter((budget) => isMeant(budget) && (budget.model === undefined || budget.model === model)).flatMap((budget) => budgetLimits(scope, budget));
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
