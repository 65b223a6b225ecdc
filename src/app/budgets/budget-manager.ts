import { TollgateError } from "../../base/errors.ts";
import { checkZone } from "../../domain/windows/zone.ts";
import { usdNumber } from "../../surfaces/sdk/amounts.ts";
import { openCosts, processRegistry } from "../sdk/costs.ts";
import { noBudget } from "./budget-record.ts";
import type { Budget, BudgetCompletion, BudgetManagerOptions, BudgetPlace, CreateBudget, ProjectedCost, ProjectedCostQuery, Reservation, ReserveQuery, UpdateCost, UpdatedCost } from "./budget-types.ts";

const OUTPUT_UNKNOWN = 4_096;

/**
 * A budget for each user of a project. `local` keeps it in a file that any number of processes share exactly; `hosted` asks a running
 * Tollgate gateway. `completion` and `reserve` are hard: they hold before they spend, so that no budget is passed.
 *
 * Nothing is opened before the first method. Methods reject with TollgateError `not_found` (a user without a budget), `invalid_amount`,
 * `invalid_duration`, `data_folder_in_use`, `ledger_unreadable`, `gateway_unreachable`, and BudgetExceededError.
 *
 * @example
 * const budgets = new BudgetManager({ projectName: "my-project" });
 * if (!(await budgets.isValidUser("user-123"))) await budgets.createBudget({ user: "user-123", totalBudget: 10, duration: "monthly" });
 * const response = await budgets.completion({ user: "user-123", model: "openai/gpt-4o-mini", messages });
 * console.log(await budgets.getCurrentCost("user-123"));
 */
export class BudgetManager implements AsyncDisposable {
  private readonly options: BudgetManagerOptions;
  private opened: Promise<BudgetPlace> | undefined;

  /** @throws TollgateError `invalid_request`, `invalid_time_zone` */
  constructor(options: BudgetManagerOptions) {
    if (typeof options?.projectName !== "string" || !/^[\w.-]{1,100}$/.test(options.projectName) || /^\.+$/.test(options.projectName)) {
      throw new TollgateError("invalid_request", "projectName must be 1 to 100 letters, digits, dots, dashes or underscores.", { param: "projectName" });
    }
    const { clientType = "local" } = options;
    if (clientType !== "local" && clientType !== "hosted") throw new TollgateError("invalid_request", 'clientType must be "local" or "hosted".', { param: "clientType" });
    if (options.timeZone !== undefined) checkZone(options.timeZone, { param: "timeZone" });
    this.options = options;
  }

  /** Reserves, calls and settles, plain or streamed. Waits while the user's other calls hold the money. @throws BudgetExceededError before anything is sent */
  readonly completion: BudgetCompletion = (async (params: { user: string }) => (await this.place()).completion(params as never)) as unknown as BudgetCompletion;

  /** Makes a budget, or changes its limit; what was spent stays. */
  async createBudget(budget: CreateBudget): Promise<Budget> {
    return (await this.place()).create(budget);
  }

  /** Dollars settled in the current window. */
  async getCurrentCost(user: string): Promise<number> {
    return (await this.existing(user)).currentCost;
  }

  /** Dollars per window; `Infinity` without a limit. */
  async getTotalBudget(user: string): Promise<number> {
    return (await this.existing(user)).totalBudget;
  }

  /** Dollars of the current window by model. */
  async getModelCost(user: string): Promise<Record<string, number>> {
    return (await this.place()).modelCost(user);
  }

  /** Counts a call that was made elsewhere: by its response, once (`cost.callId`, or the provider's id), or by its texts. */
  async updateCost(update: UpdateCost): Promise<UpdatedCost> {
    const place = await this.place();
    const updated = await place.update(update);
    return { ...updated, currentCost: (await this.existing(update.user)).currentCost };
  }

  async isValidUser(user: string): Promise<boolean> {
    return (await (await this.place()).find(user)) !== undefined;
  }

  async getUsers(): Promise<string[]> {
    return (await this.place()).users();
  }

  /** Sets what was spent in the current window to zero, by an adjustment that the ledger keeps. */
  async resetCost(user: string): Promise<Budget> {
    const place = await this.place();
    await place.reset(user);
    return this.existing(user);
  }

  /** Windows reset by the clock: this tells where the clock stands. */
  async resetOnDuration(user: string): Promise<Budget> {
    return this.existing(user);
  }

  /** The same for every user. */
  async updateBudgetAllUsers(): Promise<Budget[]> {
    const place = await this.place();
    const budgets: Budget[] = [];
    for (const user of await place.users()) {
      const budget = await place.find(user);
      if (budget !== undefined) budgets.push(budget);
    }
    return budgets;
  }

  /** What a call would bring the user to, with input and expected output. An estimate: `reserve` is the hard cap. @throws TollgateError `unpriced` */
  async projectedCost({ model, messages, user, maxTokens }: ProjectedCostQuery): Promise<ProjectedCost> {
    const place = await this.place();
    const { currentCost } = await this.existing(user);
    const { costs } = openCosts(undefined, processRegistry());
    const { tokens } = await costs.tokenCounter({ model, messages: messages as never });
    const most = maxTokens ?? costs.maximumOutput(model) ?? OUTPUT_UNKNOWN;
    const usual = await place.usualOutput(model);
    const expected = Math.min(most, usual ?? Math.ceil(most / 2));
    const cost = (output: number): bigint => costs.costOfUsage(model, [{ dimension: "input", quantity: tokens }, { dimension: "output", quantity: output }]).nanoUsd;
    const [low, middle, high] = [cost(0), cost(expected), cost(most)];
    return {
      projectedCost: usdNumber(BigInt(Math.round(currentCost * 1e9)) + middle), currentCost, inputCost: usdNumber(low), expectedOutputCost: usdNumber(middle - low),
      low: usdNumber(low), high: usdNumber(high), expectedFrom: usual === undefined ? "half of the cap" : "history",
    };
  }

  /** Holds money for a call that you make yourself; waits while other calls hold it. @throws BudgetExceededError */
  async reserve(query: ReserveQuery): Promise<Reservation> {
    return (await this.place()).reserve(query);
  }

  /** Everything is in the file once a method resolves; this waits for what is under way. */
  async saveData(): Promise<void> {
    await (await this.place()).save();
  }

  /** Lets calls end and closes the file. A later method opens it again. */
  async close(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    if (opened !== undefined) await (await opened).close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async existing(user: string): Promise<Budget> {
    const budget = await (await this.place()).find(user);
    if (budget === undefined) throw noBudget(user);
    return budget;
  }

  private place(): Promise<BudgetPlace> {
    this.opened ??= this.open();
    return this.opened;
  }

  /** Only who keeps budgets in a file loads what reads files. */
  private async open(): Promise<BudgetPlace> {
    if (this.options.clientType === "hosted") return new (await import("./hosted-budgets.ts")).HostedBudgets(this.options);
    return new (await import("./local-budgets.ts")).LocalBudgets(this.options);
  }
}
