import { TollgateError } from "../../base/errors.ts";
import type { Dimension } from "../../domain/analytics/dimension.ts";
import type { AlertRules, WatchedBudget } from "../../domain/alerts/rules.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { readAmount, readLimit, type Usd } from "./amounts.ts";

/** Dollars a day. `userLimit`, `modelLimit`, `keyLimit`, `tagLimit` are for each one by itself. `Infinity` or absent: not watched. */
export interface AlertThresholds {
  readonly dailyLimit?: Usd | undefined;
  readonly userLimit?: Usd | undefined;
  readonly modelLimit?: Usd | undefined;
  readonly keyLimit?: Usd | undefined;
  readonly tagLimit?: Usd | undefined;
}

/** A budget that is watched, of everything or of one user, model, key, tag, team or provider. */
export interface MonitorBudget {
  /** Made from the rest if left out. */
  readonly name?: string | undefined;
  readonly maxBudget: Usd;
  /** `"daily"`, `"weekly"`, `"monthly"`, `"7d"`, …: calendar windows. Absent: for ever. */
  readonly duration?: string | undefined;
  readonly user?: string | undefined;
  readonly model?: string | undefined;
  readonly key?: string | undefined;
  readonly tag?: string | undefined;
  readonly team?: string | undefined;
  readonly provider?: string | undefined;
  /** Percent at which it is told; 50, 80 and 100 if left out. */
  readonly at?: readonly number[] | undefined;
}

export interface AnomalyOptions {
  /** Dollars; no smaller rise is an anomaly. 1 if left out. */
  readonly minimumRise?: Usd | undefined;
  /** How many usual deviations above the median a day may be; 8 if left out. */
  readonly sensitivity?: number | undefined;
}

export interface AlertRuleOptions {
  /** What the tutorial of every team begins with, if left out: $100 a day, $10 for a user, $50 for a model. */
  readonly thresholds?: AlertThresholds | undefined;
  readonly budgets?: readonly MonitorBudget[] | undefined;
  readonly anomalies?: AnomalyOptions | boolean | undefined;
  /** Alerts of models without a price; true if left out. */
  readonly unpriced?: boolean | undefined;
  /** Alerts of budgets that will not last; true if left out. */
  readonly overruns?: boolean | undefined;
}

const DEFAULT_THRESHOLDS: AlertThresholds = { dailyLimit: 100, userLimit: 10, modelLimit: 50 };
const THRESHOLDS = { dailyLimit: "daily", userLimit: "user", modelLimit: "model", keyLimit: "key", tagLimit: "tag" } as const;
const DIMENSIONS = ["user", "model", "key", "tag", "team", "provider"] as const satisfies readonly Dimension[];
const BUDGET_MEMBERS: ReadonlySet<string> = new Set(["name", "maxBudget", "duration", "at", ...DIMENSIONS]);
const PERCENTS = [50, 80, 100] as const;

/** @throws TollgateError `invalid_amount`, `invalid_duration`, `invalid_request`, `unknown_field` */
export function readAlertRules({ thresholds = DEFAULT_THRESHOLDS, budgets = [], anomalies = true, unpriced = true, overruns = true }: AlertRuleOptions): AlertRules {
  const watched = budgets.map(readBudget);
  const names = new Set<string>();
  for (const [index, { name }] of watched.entries()) {
    if (names.has(name)) throw new TollgateError("invalid_request", `Two budgets are called ${JSON.stringify(name)}; give each a name of its own.`, { param: `budgets[${index}].name` });
    names.add(name);
  }
  return { thresholds: readThresholds(thresholds), budgets: watched, anomalies: anomalies === false ? null : readAnomalies(anomalies === true ? {} : anomalies), unpriced, overruns };
}

function readThresholds(thresholds: AlertThresholds): AlertRules["thresholds"] {
  refuseUnknown(thresholds, new Set(Object.keys(THRESHOLDS)), "thresholds");
  return Object.fromEntries(Object.entries(THRESHOLDS).map(([name, dimension]) => [dimension, readLimit(thresholds[name as keyof AlertThresholds], `thresholds.${name}`)]));
}

function readBudget(budget: MonitorBudget, index: number): WatchedBudget {
  const param = `budgets[${index}]`;
  refuseUnknown(budget, BUDGET_MEMBERS, param);
  const [dimension, second] = DIMENSIONS.filter((one) => budget[one] !== undefined);
  if (second !== undefined) throw new TollgateError("invalid_request", `${param} names both ${dimension} and ${second}; keep one of them.`, { param: `${param}.${second}` });
  const id = dimension === undefined ? undefined : budget[dimension];
  if (dimension !== undefined && (typeof id !== "string" || id === "")) throw new TollgateError("invalid_request", `${param}.${dimension} must be a text that is not empty.`, { param: `${param}.${dimension}` });
  const name = budget.name ?? [budget.duration ?? "lifetime", ...(dimension === undefined ? [] : [dimension, id])].join(" ");
  if (typeof name !== "string" || name === "") throw new TollgateError("invalid_request", `${param}.name must be a text that is not empty.`, { param: `${param}.name` });
  return {
    name, amountNanoUsd: readAmount(budget.maxBudget, `${param}.maxBudget`), duration: budget.duration === undefined ? null : parseDuration(budget.duration, { param: `${param}.duration` }),
    scope: dimension === undefined ? null : { dimension, id: id as string }, percents: readPercents(budget.at ?? PERCENTS, `${param}.at`),
  };
}

function readPercents(percents: readonly number[], param: string): number[] {
  if (!Array.isArray(percents) || percents.length === 0 || !percents.every((percent) => typeof percent === "number" && percent > 0 && percent <= 1_000 && Number.isInteger(percent * 100))) {
    throw new TollgateError("invalid_request", `${param} must be percents above 0, up to 1000, such as [50, 80, 100].`, { param });
  }
  return [...new Set(percents)].sort((a, b) => a - b);
}

function readAnomalies(options: AnomalyOptions): NonNullable<AlertRules["anomalies"]> {
  refuseUnknown(options, new Set(["minimumRise", "sensitivity"]), "anomalies");
  const { minimumRise = 1, sensitivity = 8 } = options;
  if (!(sensitivity >= 1 && sensitivity <= 100)) throw new TollgateError("invalid_request", "anomalies.sensitivity must be a number of deviations from 1 to 100; 8 is usual, more is quieter.", { param: "anomalies.sensitivity" });
  return { sensitivity, minimumRiseNanoUsd: readAmount(minimumRise, "anomalies.minimumRise") };
}

/** A misspelt limit would watch nothing, in silence. */
export function refuseUnknown(options: object, known: ReadonlySet<string>, param: string): void {
  if (typeof options !== "object" || options === null) throw new TollgateError("invalid_request", `${param} must be an object with ${[...known].join(", ")}.`, { param });
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw new TollgateError("unknown_field", `${param}.${name} is not known; there are ${[...known].join(", ")}.`, { param: `${param}.${name}` });
  }
}
