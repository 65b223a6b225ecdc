import { randomBytes } from "node:crypto";
import { TollgateError, type ErrorCode } from "../../base/errors.ts";
import { isUlid, ulidEpochMs, UlidSource } from "../../base/ids.ts";
import { parseNanoUsd } from "../../base/money.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { spanAt } from "../../domain/windows/span.ts";
import { readLimit, usdNumber } from "../../surfaces/sdk/amounts.ts";
import type { Cost } from "../../surfaces/sdk/cost.ts";
import { answerOf, identityOf } from "../../surfaces/sdk/log-cost.ts";
import { BudgetExceededError } from "../../surfaces/sdk/errors.ts";
import type { Tollgate } from "../../surfaces/sdk/tollgate.ts";
import { GatewayCosts } from "../../adapters/costs/gateway/gateway-costs.ts";
import { openCosts, processRegistry } from "../sdk/costs.ts";
import { routeOf } from "../sdk/route.ts";
import { createTollgate } from "../sdk.ts";
import { budgetRecord, noBudget } from "./budget-record.ts";
import type { Budget, BudgetCompletion, BudgetManagerOptions, BudgetPlace, CreateBudget, Reservation, ReserveQuery, UpdateCost } from "./budget-types.ts";

/** What a header can carry as it is; other names go in the body. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
/** The gateway takes calls of the last hour. */
const IDENTITY_AGE_MAX_MS = 3_000_000;
const HISTORY_DAYS = 30;
const HISTORY_REQUESTS_MIN = 5;
const TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 600_000;
const HELD_WAIT_MS = 100;

type Answer = Readonly<Record<string, unknown>>;

/** Budgets of a running gateway's customers, over its own routes. */
export class HostedBudgets implements BudgetPlace {
  private readonly base: string;
  private readonly key: string;
  private readonly costs: GatewayCosts;
  private readonly tollgate: Tollgate;
  private readonly timeoutMs: number;
  private readonly ids = new UlidSource((size) => randomBytes(size));

  /** @throws TollgateError `missing_key`, `config_invalid` */
  constructor({ apiBase, apiKey, defaults }: BudgetManagerOptions) {
    const base = apiBase ?? process.env["TOLLGATE_URL"] ?? "http://127.0.0.1:4000";
    if (!URL.canParse(base) || !/^https?:/i.test(base)) throw new TollgateError("config_invalid", `${JSON.stringify(base.slice(0, 200))} is no gateway's address, such as "http://127.0.0.1:4000".`, { param: "apiBase" });
    const key = apiKey ?? process.env["TOLLGATE_MASTER_KEY"]?.trim();
    if (key === undefined || key === "") throw new TollgateError("missing_key", "A hosted BudgetManager needs the gateway's master key: pass apiKey, or set TOLLGATE_MASTER_KEY.", { param: "apiKey" });
    this.base = base.replace(/\/+$/, "");
    this.key = key;
    this.timeoutMs = defaults?.timeoutMs ?? CALL_TIMEOUT_MS;
    this.costs = new GatewayCosts({ url: this.base, key });
    const { prices } = openCosts(undefined, processRegistry());
    this.tollgate = createTollgate({
      defaults,
      route: (query) => {
        const route = routeOf({ ...query, apiBase: `${this.base}/v1`, apiKey: key }, {});
        // The gateway knows its models by the names that the program says; the price is the one of the model behind.
        return { ...route, model: query.model, customPrice: prices.find(route.provider, route.model, Date.now()) };
      },
    });
  }

  readonly completion: BudgetCompletion = (async (params: Answer & { user: string }) => {
    if ((await this.find(params.user)) === undefined) throw noBudget(params.user);
    const given = params as never as Parameters<Tollgate["completion"]>[0];
    const { user } = params;
    const call = HEADER_SAFE.test(user)
      ? { ...given, extraHeaders: { ...given.extraHeaders, "x-litellm-customer-id": user } }
      : { ...given, extraBody: { ...given.extraBody, user } };
    const until = Date.now() + (given.timeoutMs ?? this.timeoutMs);
    for (;;) {
      try {
        return await this.tollgate.completion({ ...call, timeoutMs: Math.max(0, until - Date.now()) });
      } catch (error) {
        // The gateway does not wait for money that other calls hold; who asks it does.
        if (BudgetExceededError.from(error)?.code !== "budget_held" || Date.now() >= until || given.signal?.aborted === true) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, HELD_WAIT_MS * (1 + Math.random())));
    }
  }) as unknown as BudgetCompletion;

  async create({ user, totalBudget, duration, createdAt }: CreateBudget): Promise<Budget> {
    if (createdAt !== undefined) throw new TollgateError("unsupported_field", "A hosted budget counts from the beginning of its window; createdAt is for local ones.", { param: "createdAt" });
    budgetRecord({ user, totalBudget, duration }, "UTC", 0, undefined);
    const cap = readLimit(totalBudget, "totalBudget");
    const body = { user_id: user, max_budget: cap === undefined ? null : String(totalBudget), budget_duration: duration ?? null };
    const known = (await this.find(user)) !== undefined;
    await this.ask("POST", known ? "/customer/update" : "/customer/new", body).catch(async (error: unknown) => {
      // Somebody else made it meanwhile.
      if (!known && TollgateError.isInstance(error) && error.code === "already_exists") return this.ask("POST", "/customer/update", body);
      throw error;
    });
    return (await this.find(user)) as Budget;
  }

  async find(user: string): Promise<Budget | undefined> {
    const info = await this.ask("GET", `/customer/info?end_user_id=${encodeURIComponent(user)}`).catch(noneIfNotFound);
    return info === undefined ? undefined : budgetOf(user, info);
  }

  async users(): Promise<string[]> {
    const list = (await this.ask("GET", "/customer/list")) as unknown as readonly Answer[];
    return list.map((one) => String(one["user_id"])).sort();
  }

  async modelCost(user: string): Promise<Record<string, number>> {
    const budget = await this.find(user);
    if (budget === undefined) throw noBudget(user);
    const groups = await this.costs.sums({ from: budget.windowStartsAt?.getTime() ?? 0, to: Date.now() + 60_000, by: "model", filter: { user } });
    return Object.fromEntries(groups.map(({ group, costNanoUsd }) => [group ?? "", usdNumber(costNanoUsd)]));
  }

  async update(update: UpdateCost): Promise<{ cost: number; posted: boolean }> {
    const { user } = update;
    if (update.inputText !== undefined) {
      const { model, inputText, outputText } = update;
      const [input, output] = await Promise.all([this.tollgate.tokenCounter({ model, text: inputText }), this.tollgate.tokenCounter({ model, text: outputText })]);
      return this.charge({ user, model, usage: { prompt_tokens: input.tokens, completion_tokens: output.tokens, total_tokens: input.tokens + output.tokens } }, undefined);
    }
    const { cost, ...response } = (await answerOf(update.response ?? update.completionObj)) as Answer & { cost?: Partial<Cost> };
    // What this gateway answered is in its ledger already.
    if (cost?.gatewayCallId !== undefined && isUlid(cost.gatewayCallId)) {
      const known = await this.ask("GET", `/v1/tollgate/requests/${cost.gatewayCallId}`).catch(noneIfNotFound);
      if (known !== undefined) return { cost: Number(known["cost"]), posted: false };
    }
    return this.charge({ user, model: update.model ?? response["model"], response }, cost?.callId ?? this.identity(response));
  }

  async reset(user: string): Promise<void> {
    await this.ask("POST", `/customer/${encodeURIComponent(user)}/reset_spend`, { reset_to: 0 });
  }

  async reserve({ user, model, messages, maxTokens, timeoutMs = TIMEOUT_MS }: ReserveQuery): Promise<Reservation> {
    const request = { model, messages, ...(maxTokens === undefined ? {} : { max_completion_tokens: maxTokens }) };
    const until = Date.now() + timeoutMs;
    for (;;) {
      try {
        const { id, held, output_cap: cap } = await this.ask("POST", "/v1/tollgate/holds", { user, route: "chat_completions", request });
        return this.reservation(String(id), String(held), Number(cap));
      } catch (error) {
        if (!TollgateError.isInstance(error) || error.code !== "budget_held" || Date.now() >= until) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async usualOutput(model: string): Promise<number | undefined> {
    const [sums] = await this.costs.sums({ from: Date.now() - HISTORY_DAYS * 86_400_000, to: Date.now() + 60_000, by: "none", filter: { model } });
    return sums === undefined || sums.requests < HISTORY_REQUESTS_MIN ? undefined : Math.round(sums.outputTokens / sums.requests);
  }

  async save(): Promise<void> {
    await this.tollgate.flush();
  }

  async close(): Promise<void> {
    await this.tollgate.close();
    await this.costs.close();
  }

  private async charge(body: Answer, callId: unknown): Promise<{ cost: number; posted: boolean }> {
    const { cost, posted } = await this.ask("POST", "/v1/tollgate/charges", { call_id: typeof callId === "string" && isUlid(callId) ? callId : this.ids.next(Date.now()), ...body });
    return { cost: Number(cost), posted: posted === true };
  }

  /** Of an answer of the last hour by its own id, so that it counts once in whichever process it is given; else a new one. */
  private identity(answer: Answer): string {
    const now = Date.now();
    const id = identityOf({ clock: { now: () => now, monotonic: () => 0 }, ids: this.ids }, answer);
    return ulidEpochMs(id) < now - IDENTITY_AGE_MAX_MS ? this.ids.next(now) : id;
  }

  private reservation(id: string, held: string, outputCap: number): Reservation {
    let over = false;
    const end = (what: string, body: Answer): Promise<Answer> => {
      over = true;
      return this.ask("POST", `/v1/tollgate/holds/${id}/${what}`, body);
    };
    return {
      id, held, outputCap,
      settle: async (response) => {
        const { cost: _, ...answer } = response as Answer;
        const { cost } = await end("settle", { response: answer });
        return { cost: Number(cost), costExact: String(cost) };
      },
      release: async () => {
        await end("release", {});
      },
      [Symbol.asyncDispose]: async () => {
        if (!over) await end("release", {});
      },
    };
  }

  /** @throws TollgateError with the gateway's own code, `gateway_unreachable`; BudgetExceededError */
  private async ask(method: "GET" | "POST", path: string, body?: object): Promise<Answer> {
    let response: Response;
    try {
      response = await fetch(`${this.base}${path}`, {
        method, redirect: "error", headers: { authorization: `Bearer ${this.key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new TollgateError("gateway_unreachable", `No gateway answers at ${this.base}. Start one with "tollgate start", or give its address as apiBase.`, { cause });
    }
    const answer = (await response.json().catch(() => ({}))) as Answer;
    if (response.ok) return answer;
    const refusal = BudgetExceededError.from(answer);
    if (refusal !== undefined) throw refusal;
    const said = answer["error"] as { message?: string; tollgate_code?: ErrorCode } | undefined;
    throw new TollgateError(said?.tollgate_code ?? "upstream_failed", said?.message ?? `The gateway answered ${response.status}.`);
  }
}

function noneIfNotFound(error: unknown): undefined {
  if (TollgateError.isInstance(error) && error.code === "not_found") return undefined;
  throw error;
}

function budgetOf(user: string, info: Answer): Budget {
  const duration = typeof info["budget_duration"] === "string" ? info["budget_duration"] : null;
  const resets = typeof info["budget_reset_at"] === "string" ? new Date(info["budget_reset_at"]) : null;
  const dollars = (value: unknown): number => usdNumber(parseNanoUsd(String(value), "exact") ?? 0n);
  // The instant before the reset lies in the window that is running.
  const window = duration === null || resets === null ? null : spanAt({ kind: "aligned", duration: parseDuration(duration), zone: "UTC", weekStart: 0 }, resets.getTime() - 1);
  return {
    user, totalBudget: info["max_budget"] === null || info["max_budget"] === undefined ? Infinity : dollars(info["max_budget"]), currentCost: dollars(info["spend"] ?? 0), duration,
    windowStartsAt: window === null ? null : new Date(window.start), resetsAt: resets,
  };
}
