import { TollgateError } from "../../base/errors.ts";
import { readLimit, usdNumber, type Usd } from "../../surfaces/sdk/amounts.ts";
import type { BudgetManager } from "./budget-manager.ts";
import type { BudgetCompletion } from "./budget-types.ts";

/** Dollars a calendar month. */
export const PLANS: Readonly<Record<string, Usd>> = { free: 1, basic: 10, pro: 100, enterprise: Infinity };

export interface BudgetPlansOptions {
  /** Where the budgets are kept. */
  readonly budgets: BudgetManager;
  /** Dollars per plan and window; `free`, `basic`, `pro`, `enterprise` if absent. */
  readonly plans?: Readonly<Record<string, Usd>> | undefined;
  /** `"monthly"` if absent. */
  readonly duration?: string | undefined;
  /** Of users to whom none was assigned; without it they are refused. */
  readonly defaultPlan?: string | undefined;
}

export interface BudgetCheck {
  readonly withinBudget: boolean;
  /** Dollars. */
  readonly budget: number;
  readonly spending: number;
  readonly remaining: number;
}

/**
 * Plans with a budget each, over a `BudgetManager`: a user's calls are held before they spend, so no plan is ever passed.
 *
 * @example
 * const plans = new BudgetPlans({ budgets: new BudgetManager({ projectName: "my-project" }), defaultPlan: "free" });
 * await plans.assignPlan("user-123", "basic");
 * const response = await plans.completionWithBudgetCheck({ user: "user-123", model: "openai/gpt-4o-mini", messages });
 */
export class BudgetPlans {
  private readonly budgets: BudgetManager;
  private readonly plans: ReadonlyMap<string, Usd>;
  private readonly duration: string;
  private readonly defaultPlan: string | undefined;

  /** @throws TollgateError `invalid_amount`, `not_found` for a default that is no plan */
  constructor({ budgets, plans = PLANS, duration = "monthly", defaultPlan }: BudgetPlansOptions) {
    this.budgets = budgets;
    this.plans = new Map(Object.entries(plans));
    for (const [name, amount] of this.plans) readLimit(amount, `plans.${name}`);
    this.duration = duration;
    this.defaultPlan = defaultPlan;
    if (defaultPlan !== undefined) this.amountOf(defaultPlan);
  }

  /** Gives a user a plan; what was spent in the running window stays. @throws TollgateError `not_found` */
  async assignPlan(user: string, plan: string): Promise<BudgetCheck> {
    await this.budgets.createBudget({ user, totalBudget: this.amountOf(plan), duration: this.duration });
    return this.checkBudget(user);
  }

  /** Where a user stands. @throws TollgateError `not_found` for a user without a plan */
  async checkBudget(user: string): Promise<BudgetCheck> {
    await this.planned(user);
    const { totalBudget, currentCost } = await this.budgets.resetOnDuration(user);
    const remaining = totalBudget === Infinity ? Infinity : usdNumber(BigInt(Math.max(0, Math.round(totalBudget * 1e9) - Math.round(currentCost * 1e9))));
    return { withinBudget: remaining > 0, budget: totalBudget, spending: currentCost, remaining };
  }

  /** Reserves, calls and settles. @throws BudgetExceededError before anything is sent */
  readonly completionWithBudgetCheck: BudgetCompletion = (async (params: { user: string }) => {
    await this.planned(params.user);
    return this.budgets.completion(params as never);
  }) as unknown as BudgetCompletion;

  private async planned(user: string): Promise<void> {
    if (this.defaultPlan === undefined || (await this.budgets.isValidUser(user))) return;
    await this.budgets.createBudget({ user, totalBudget: this.amountOf(this.defaultPlan), duration: this.duration });
  }

  private amountOf(plan: string): Usd {
    const amount = this.plans.get(plan);
    if (amount === undefined) throw new TollgateError("not_found", `There is no plan ${JSON.stringify(String(plan).slice(0, 64))}; there are ${[...this.plans.keys()].join(", ")}.`, { param: "plan" });
    return amount;
  }
}
