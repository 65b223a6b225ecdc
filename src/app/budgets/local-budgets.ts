import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { RecordFile } from "../../adapters/stores/sqlite/record-file.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import { spanAt } from "../../domain/windows/span.ts";
import { Holds } from "../../engine/holds.ts";
import { usdNumber } from "../../surfaces/sdk/amounts.ts";
import { namedScope } from "../../surfaces/sdk/charges.ts";
import { CHAT } from "../../surfaces/sdk/chat-kind.ts";
import { logCost } from "../../surfaces/sdk/log-cost.ts";
import { perform, type Params } from "../../surfaces/sdk/perform.ts";
import type { SdkPlane } from "../../surfaces/sdk/plane.ts";
import type { Tollgate } from "../../surfaces/sdk/tollgate.ts";
import { CostTracker } from "../books/cost-tracker.ts";
import { createTollgate } from "../sdk.ts";
import { budgetRecord, limitSet, noBudget, windowOf, type BudgetRecord } from "./budget-record.ts";
import type { Budget, BudgetCompletion, BudgetManagerOptions, BudgetPlace, CreateBudget, Reservation, ReserveQuery, UpdateCost } from "./budget-types.ts";
import { reserveIn } from "./local-reservation.ts";
import { resetSpend, standingOf } from "./reset-spend.ts";

const HISTORY_DAYS = 30;
const HISTORY_REQUESTS_MIN = 5;

/** Budgets in one SQLite file that any number of processes share; it resets by the clock, and `kill -9` loses nothing. */
export class LocalBudgets implements BudgetPlace {
  private readonly path: string;
  private readonly timeZone: string;
  private readonly tollgate: Tollgate;
  private readonly tracker: CostTracker;
  private records: Promise<RecordFile> | undefined;
  private holds: { readonly plane: SdkPlane; readonly holds: Holds } | undefined;
  /** The books compile a set once, so it is kept for as long as its record stays as it is. */
  private readonly sets = new Map<string, { readonly document: string; readonly set: ChargeSet }>();

  constructor({ projectName, path = `.tollgate/${projectName}/ledger.db`, timeZone = "UTC", defaults }: BudgetManagerOptions) {
    this.path = path;
    this.timeZone = timeZone;
    this.tracker = new CostTracker({ path });
    this.tollgate = createTollgate({ tracker: this.tracker, defaults });
  }

  readonly completion: BudgetCompletion = (async (params: Params & { user: string }) => {
    const set = await this.limitsOf(params.user);
    return this.tollgate.call((plane) => perform(plane, CHAT, params, { charges: [set] }));
  }) as unknown as BudgetCompletion;

  async create(budget: CreateBudget): Promise<Budget> {
    const records = await this.open();
    // Checked before anything is asked of the file.
    budgetRecord(budget, this.timeZone, Date.now(), undefined);
    const id = namedScope("customer", budget.user, "user").id;
    await records.change("customer", id, (before) => JSON.stringify(budgetRecord(budget, this.timeZone, Date.now(), before === undefined ? undefined : (JSON.parse(before) as BudgetRecord))));
    const record = this.record(records, budget.user) as BudgetRecord;
    const set = limitSet(record);
    await this.tollgate.call((plane) => new Promise<void>((resolve, reject) => plane.engine.books.seed(set.limits, (error) => (error === undefined ? resolve() : reject(error)))));
    return this.budgetOf(record);
  }

  async find(user: string): Promise<Budget | undefined> {
    const record = this.record(await this.open(), user);
    return record === undefined ? undefined : this.budgetOf(record);
  }

  async users(): Promise<string[]> {
    return (await this.open()).all("customer").map((document) => (JSON.parse(document) as BudgetRecord).customerId);
  }

  async modelCost(user: string): Promise<Record<string, number>> {
    const record = await this.existing(user);
    const span = spanAt(windowOf(record), Date.now());
    const groups = await (await this.tracker.costs()).sums({ from: span.start, to: Number.isFinite(span.end) ? span.end : Date.now() + 1, by: "model", filter: { user } });
    return Object.fromEntries(groups.map(({ group, costNanoUsd }) => [group ?? "", usdNumber(costNanoUsd)]));
  }

  async update(update: UpdateCost): Promise<{ cost: number; posted: boolean }> {
    const { user } = update;
    await this.existing(user);
    if (update.inputText !== undefined) {
      const { model, inputText, outputText } = update;
      const [input, output] = await Promise.all([this.tollgate.tokenCounter({ model, text: inputText }), this.tollgate.tokenCounter({ model, text: outputText })]);
      const usage = { prompt_tokens: input.tokens, completion_tokens: output.tokens, total_tokens: input.tokens + output.tokens };
      return this.log({ object: "chat.completion", model, usage, choices: [] }, user, model);
    }
    return this.log(update.response ?? update.completionObj, user, update.model);
  }

  async reset(user: string): Promise<void> {
    await this.existing(user);
    const records = await this.open();
    await this.tollgate.call((plane) => resetSpend(plane, records, user));
  }

  async reserve(query: ReserveQuery): Promise<Reservation> {
    const set = await this.limitsOf(query.user);
    return this.tollgate.call((plane) => {
      if (this.holds?.plane !== plane) this.holds = { plane, holds: new Holds(plane.engine) };
      return reserveIn(plane, this.holds.holds, query, set);
    });
  }

  async usualOutput(model: string): Promise<number | undefined> {
    await this.open();
    const now = Date.now();
    const [sums] = await (await this.tracker.costs()).sums({ from: now - HISTORY_DAYS * 86_400_000, to: now + 1, by: "none", filter: { model } });
    return sums === undefined || sums.requests < HISTORY_REQUESTS_MIN ? undefined : Math.round(sums.outputTokens / sums.requests);
  }

  async save(): Promise<void> {
    await this.tollgate.flush();
  }

  async close(): Promise<void> {
    this.holds?.holds.closeAll();
    await this.tollgate.close();
    await this.tracker.close();
    const { records } = this;
    this.records = undefined;
    (await records)?.close();
  }

  private async log(response: unknown, user: string, model: string | undefined): Promise<{ cost: number; posted: boolean }> {
    const { totalUsd, posted } = await this.tollgate.call((plane) => logCost(plane, response, { user, ...(model === undefined ? {} : { model }) }));
    return { cost: totalUsd, posted };
  }

  /** The file is made by the books, which own its lock. */
  private async open(): Promise<RecordFile> {
    mkdirSync(dirname(this.path), { recursive: true });
    await this.tollgate.plane();
    return (this.records ??= RecordFile.open(this.path));
  }

  private record(records: RecordFile, user: string): BudgetRecord | undefined {
    const document = records.read("customer", namedScope("customer", user, "user").id);
    return document === undefined ? undefined : (JSON.parse(document) as BudgetRecord);
  }

  private async existing(user: string): Promise<BudgetRecord> {
    const record = this.record(await this.open(), user);
    if (record === undefined) throw noBudget(user);
    return record;
  }

  private async limitsOf(user: string): Promise<ChargeSet> {
    const scope = namedScope("customer", user, "user");
    const document = (await this.open()).read("customer", scope.id);
    if (document === undefined) throw noBudget(user);
    const known = this.sets.get(user);
    if (known?.document === document) return known.set;
    const set = limitSet(JSON.parse(document) as BudgetRecord);
    if (this.sets.size >= 10_000) this.sets.clear();
    this.sets.set(user, { document, set });
    return set;
  }

  private async budgetOf(record: BudgetRecord): Promise<Budget> {
    const { spent } = await this.tollgate.call((plane) => standingOf(plane, record));
    const span = spanAt(windowOf(record), Date.now());
    return {
      user: record.customerId, totalBudget: record.maxBudget === undefined ? Infinity : usdNumber(BigInt(record.maxBudget)), currentCost: usdNumber(spent), duration: record.budgetDuration ?? null,
      windowStartsAt: record.budgetDuration === undefined ? null : new Date(span.start), resetsAt: Number.isFinite(span.end) ? new Date(span.end) : null,
    };
  }
}
