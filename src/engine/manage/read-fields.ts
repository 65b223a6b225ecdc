import { TollgateError } from "../../base/errors.ts";
import { MAX_NANO_USD, parseNanoUsd } from "../../base/money.ts";
import type { BudgetLimit, LimitedRecord, ModelBudget, ModelNumber } from "../../domain/scopes/records.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";

/** A body as the surface hands it over: amounts of money are decimal text, everything else as JSON has it. */
export type Body = Readonly<Record<string, unknown>>;

const METADATA_BYTES_MAX = 16_384;

/** Which members of the shared part a body changes; an explicit `null` clears. @throws TollgateError `invalid_amount`, `invalid_duration`, `invalid_request` */
export function readLimits(body: Body): Partial<LimitedRecord> {
  const read: { -readonly [K in keyof LimitedRecord]?: LimitedRecord[K] } = {};
  if ("max_budget" in body) read.maxBudget = amount(body, "max_budget");
  if ("soft_budget" in body) read.softBudget = amount(body, "soft_budget");
  if ("budget_duration" in body) read.budgetDuration = duration(body, "budget_duration");
  if ("budget_limits" in body) read.budgetLimits = budgetLimits(body["budget_limits"]);
  if ("rpm_limit" in body) read.rpm = count(body, "rpm_limit");
  if ("tpm_limit" in body) read.tpm = count(body, "tpm_limit");
  if ("max_parallel_requests" in body) read.maxParallelRequests = count(body, "max_parallel_requests");
  if ("model_rpm_limit" in body) read.modelRpm = modelNumbers(body, "model_rpm_limit");
  if ("model_tpm_limit" in body) read.modelTpm = modelNumbers(body, "model_tpm_limit");
  if ("model_max_budget" in body) read.modelBudgets = modelBudgets(body["model_max_budget"]);
  if ("models" in body) read.models = texts(body, "models");
  if ("blocked" in body) read.blocked = flag(body, "blocked") ?? false;
  if ("metadata" in body) read.metadata = metadata(body);
  return read;
}

/** Nano-dollars as decimal text; absent, `null` and `""` are no budget. */
export function amount(body: Body, field: string): string | undefined {
  const value = body[field];
  if (value === undefined || value === null || value === "") return undefined;
  const nano = typeof value === "string" ? parseNanoUsd(value) : undefined;
  if (nano === undefined || nano < 0n || nano > MAX_NANO_USD || (typeof value === "string" && value.trim().startsWith("-"))) {
    throw new TollgateError("invalid_amount", `${field} must be an amount of dollars from 0 to 9223372036, such as 10 or "0.05".`, { param: field });
  }
  return nano.toString();
}

export function duration(body: Body, field: string): string | undefined {
  const value = text(body, field);
  if (value === undefined) return undefined;
  parseDuration(value, { param: field });
  return value;
}

export function text(body: Body, field: string): string | undefined {
  const value = body[field];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string" && value.length <= 256 && value.isWellFormed()) return value;
  throw invalid(field, "must be a text of 256 characters at most");
}

export function requiredText(body: Body, field: string): string {
  const value = text(body, field);
  if (value === undefined) throw invalid(field, "is required");
  return value;
}

export function texts(body: Body, field: string): string[] {
  const value = body[field];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length <= 1_000 && value.every((one) => typeof one === "string" && one.length <= 256 && one.isWellFormed())) return value as string[];
  throw invalid(field, "must be a list of texts");
}

export function requiredTexts(body: Body, field: string): string[] {
  const values = texts(body, field);
  if (values.length === 0) throw invalid(field, "must be a list that names one at least");
  return values;
}

export function flag(body: Body, field: string): boolean | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return value;
  throw invalid(field, "must be true or false");
}

export function invalid(field: string, problem: string): TollgateError {
  return new TollgateError("invalid_request", `${field} ${problem}.`, { param: field });
}

function count(body: Body, field: string): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(field, "must be a whole number from 0");
}

function budgetLimits(value: unknown): BudgetLimit[] {
  if (value === null) return [];
  if (!Array.isArray(value) || value.length > 16) throw invalid("budget_limits", "must be a list of 16 objects at most, each with budget_duration and max_budget");
  return value.map((one: unknown): BudgetLimit => {
    if (!isObject(one)) throw invalid("budget_limits", "must hold objects with budget_duration and max_budget");
    const maxBudget = amount(one, "max_budget");
    const budgetDuration = duration(one, "budget_duration");
    if (maxBudget === undefined || budgetDuration === undefined) throw invalid("budget_limits", "needs budget_duration and max_budget in every object");
    return { maxBudget, budgetDuration };
  });
}

const MODEL_BUDGET_FIELDS = ["budget_limit", "max_budget", "time_period", "budget_duration", "rpm_limit", "tpm_limit"];

/** `{ model: { max_budget, budget_duration, rpm_limit, tpm_limit } }`, or under the older names `budget_limit` and `time_period`. */
function modelBudgets(value: unknown): ModelBudget[] {
  if (value === null || value === "") return [];
  if (!isObject(value)) throw invalid("model_max_budget", "must be an object from model to { max_budget, budget_duration }");
  const models = Object.entries(value);
  if (models.length > 100) throw invalid("model_max_budget", "may name 100 models at most");
  return models.map(([model, given]): ModelBudget => {
    const budget: unknown = typeof given === "string" || typeof given === "number" ? { max_budget: String(given) } : given;
    if (!isObject(budget)) throw invalid("model_max_budget", "must be an object from model to { max_budget, budget_duration }");
    for (const field of Object.keys(budget)) {
      if (!MODEL_BUDGET_FIELDS.includes(field)) throw new TollgateError("unknown_field", `${JSON.stringify(field.slice(0, 40))} is not a known field of model_max_budget. Use ${MODEL_BUDGET_FIELDS.join(", ")}.`, { param: "model_max_budget" });
    }
    const maxBudget = amount(budget, "max_budget") ?? amount(budget, "budget_limit");
    const rpm = digits(budget, "rpm_limit");
    const tpm = digits(budget, "tpm_limit");
    if (maxBudget === undefined && rpm === undefined && tpm === undefined) throw invalid("model_max_budget", "needs a max_budget, rpm_limit or tpm_limit for every model");
    return { model, maxBudget, budgetDuration: duration(budget, "budget_duration") ?? duration(budget, "time_period"), rpm, tpm };
  });
}

/** A count among members that came with their digits, as amounts do. */
function digits(body: Body, field: string): number | undefined {
  const value = body[field];
  return count(typeof value === "string" && /^\d{1,15}$/.test(value) ? { [field]: Number(value) } : body, field);
}

function modelNumbers(body: Body, field: string): ModelNumber[] {
  const value = body[field];
  if (value === null) return [];
  if (!isObject(value)) throw invalid(field, "must be an object from model to a whole number");
  return Object.keys(value).map((model): ModelNumber => {
    const perMinute = count(value, model);
    if (perMinute === undefined) throw invalid(field, "must be an object from model to a whole number");
    return [model, perMinute];
  });
}

export function metadata(body: Body): Record<string, unknown> {
  const value = body["metadata"] ?? {};
  if (!isObject(value)) throw invalid("metadata", "must be an object");
  if (JSON.stringify(value).length > METADATA_BYTES_MAX) throw invalid("metadata", "may have 16 KB at most");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
