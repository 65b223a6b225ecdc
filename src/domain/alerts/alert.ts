import { formatNanoUsd, type NanoUsd } from "../../base/money.ts";
import type { Dimension } from "../analytics/dimension.ts";
import type { Anomaly } from "./anomalies.ts";
import type { Forecast } from "./forecast.ts";

export type AlertKind =
  | "daily_limit" | "user_limit" | "model_limit" | "key_limit" | "tag_limit"
  | "budget" | "projected_overrun" | "unpriced" | "anomaly";

/** What an alert is about: everything, or one id of a dimension. */
export interface AlertScope {
  readonly dimension: "total" | Dimension;
  /** `null` for the total. */
  readonly id: string | null;
  /** For people: an alias, else the id. */
  readonly label: string;
}

export const TOTAL: AlertScope = { dimension: "total", id: null, label: "total" };

/** Instants as ISO text; `to` is excluded, `null` for a period that never ends. */
export interface AlertPeriod {
  /** @example "2026-11-24" */
  readonly name: string;
  readonly from: string;
  readonly to: string | null;
}

interface AlertBase {
  /** Stable: the same for the same threshold, scope and period, in every process and after every restart. */
  readonly id: string;
  readonly severity: "warning" | "critical";
  readonly scope: AlertScope;
  readonly period: AlertPeriod;
  /** Dollars spent in the period; exact beside it. */
  readonly spent: number;
  readonly spentExact: string;
  /** The limit it is held against, in dollars; `null` where there is none. */
  readonly limit: number | null;
  readonly limitExact: string | null;
  /** One sentence with the numbers. */
  readonly message: string;
}

export interface ThresholdAlert extends AlertBase {
  readonly kind: "daily_limit" | "user_limit" | "model_limit" | "key_limit" | "tag_limit";
  readonly evidence: { readonly requests: number; readonly inputTokens: number; readonly outputTokens: number };
}

export interface BudgetAlert extends AlertBase {
  readonly kind: "budget";
  readonly evidence: { readonly budget: string; readonly percent: number; readonly usedPercent: number; readonly remaining: number; readonly remainingExact: string; readonly requests: number };
}

export interface OverrunAlert extends AlertBase {
  readonly kind: "projected_overrun";
  readonly evidence: { readonly budget: string } & Forecast;
}

export interface UnpricedAlert extends AlertBase {
  readonly kind: "unpriced";
  readonly evidence: { readonly unpricedEntries: number; readonly requests: number };
}

export interface AnomalyAlert extends AlertBase {
  readonly kind: "anomaly";
  readonly evidence: Anomaly;
}

/** A fact about the costs, as data. JSON-safe. `kind` tells which `evidence` it has. */
export type Alert = ThresholdAlert | BudgetAlert | OverrunAlert | UnpricedAlert | AnomalyAlert;

/** Parts of an id; names come from outside and are escaped, so that no name can look like another alert. */
export function alertId(...parts: readonly (string | number | bigint | null)[]): string {
  return parts.map((part) => encodeURIComponent(String(part ?? "").toWellFormed())).join(":");
}

/** Dollars, twice: as a number made once from the integer, and as exact text. */
export function amounts(spent: NanoUsd, limit: NanoUsd | null): Pick<AlertBase, "spent" | "spentExact" | "limit" | "limitExact"> {
  const limitExact = limit === null ? null : formatNanoUsd(limit);
  return { spent: dollarNumber(spent), spentExact: formatNanoUsd(spent), limit: limitExact === null ? null : Number(limitExact), limitExact };
}

export function dollarNumber(nano: NanoUsd): number {
  return Number(formatNanoUsd(nano));
}

export const isoTime = (epochMs: number): string => new Date(epochMs).toISOString();
