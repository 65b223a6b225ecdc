import { TollgateError } from "../../base/errors.ts";
import { MAX_NANO_USD, parseNanoUsd } from "../../base/money.ts";
import { formatDuration, parseDuration } from "../../domain/windows/parse-duration.ts";
import type { Allowance } from "./records.ts";

export type Body = Readonly<Record<string, unknown>>;

export const ALLOWANCE_FIELDS = ["max_budget", "soft_budget", "budget_duration", "budget_limits", "rpm_limit", "tpm_limit", "max_parallel_requests", "model_rpm_limit", "model_tpm_limit", "models", "blocked"] as const;

export const NO_ALLOWANCE: Allowance = {
  maxBudget: null, softBudget: null, budgetDuration: null, budgetLimits: [], rpmLimit: null, tpmLimit: null, maxParallelRequests: null,
  modelRpmLimit: {}, modelTpmLimit: {}, models: [], blocked: false, createdAt: 0,
};

/** Takes the fields that are present; an absent one stays as it was, null clears it. */
export function readAllowance(body: Body, before: Allowance): Allowance {
  const take = <T>(name: string, known: T, read: (value: unknown, name: string) => T, cleared: T): T => {
    const value = body[name];
    if (value === undefined) return known;
    return value === null || value === "" ? cleared : read(value, name);
  };
  return {
    maxBudget: take("max_budget", before.maxBudget, amount, null),
    softBudget: take("soft_budget", before.softBudget, amount, null),
    budgetDuration: take("budget_duration", before.budgetDuration, duration, null),
    budgetLimits: take("budget_limits", before.budgetLimits, windows, []),
    rpmLimit: take("rpm_limit", before.rpmLimit, count, null),
    tpmLimit: take("tpm_limit", before.tpmLimit, count, null),
    maxParallelRequests: take("max_parallel_requests", before.maxParallelRequests, count, null),
    modelRpmLimit: take("model_rpm_limit", before.modelRpmLimit, counts, {}),
    modelTpmLimit: take("model_tpm_limit", before.modelTpmLimit, counts, {}),
    models: take("models", before.models, texts, []),
    blocked: take("blocked", before.blocked, flag, false),
    createdAt: before.createdAt,
  };
}

/** Dollars as decimal text, rounded down to the nano-dollar (GATE 10.5). */
export function amount(value: unknown, name: string): string {
  const text = typeof value === "number" ? String(value) : value;
  const nano = typeof text === "string" ? parseNanoUsd(text, "down") : undefined;
  if (nano === undefined || nano < 0n || nano > MAX_NANO_USD || (typeof text === "string" && text.trim().startsWith("-"))) {
    throw new TollgateError("invalid_amount", `"${name}" must be an amount of dollars that is zero or more, such as 10 or "0.05".`, { param: name });
  }
  return nano.toString();
}

function duration(value: unknown, name: string): string {
  if (typeof value !== "string") throw new TollgateError("invalid_duration", `"${name}" must be text such as "30d", "24h" or "1mo".`, { param: name });
  return formatDuration(parseDuration(value, { param: name }));
}

function windows(value: unknown, name: string): Allowance["budgetLimits"] {
  if (!Array.isArray(value)) throw invalid(name, 'a list such as [{"budget_duration": "24h", "max_budget": 10}]');
  return value.map((one: unknown, index) => {
    const path = `${name}[${index}]`;
    if (typeof one !== "object" || one === null) throw invalid(path, "an object with budget_duration and max_budget");
    const { budget_duration, max_budget, reset_at: _served, ...rest } = one as Record<string, unknown>;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new TollgateError("unknown_field", `"${path}.${unknown}" is not known here. A window has budget_duration and max_budget.`, { param: `${path}.${unknown}` });
    return { budgetDuration: duration(budget_duration, `${path}.budget_duration`), maxBudget: amount(max_budget, `${path}.max_budget`) };
  });
}

function count(value: unknown, name: string): number {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0) throw invalid(name, "a whole number that is zero or more");
  return number;
}

function counts(value: unknown, name: string): Record<string, number> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(name, 'an object such as {"gpt-4o": 100}');
  return Object.fromEntries(Object.entries(value).map(([model, one]) => [model, count(one, `${name}.${model}`)]));
}

export function texts(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || value.some((one) => typeof one !== "string")) throw invalid(name, "a list of texts");
  return value as string[];
}

function flag(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw invalid(name, "true or false");
  return value;
}

/** Text of bounded length, `null` if absent. */
export function optionalText(body: Body, name: string): string | null {
  const value = body[name];
  if (value === undefined || value === null || value === "") return null;
  if (typeof value !== "string" || value.length > 256) throw invalid(name, "text of 256 characters at most");
  return value;
}

export function requiredText(body: Body, name: string): string {
  const value = optionalText(body, name);
  if (value === null) throw invalid(name, "given");
  return value;
}

export function invalid(name: string, what: string): TollgateError {
  return new TollgateError("invalid_request", `"${name}" must be ${what}.`, { param: name });
}
