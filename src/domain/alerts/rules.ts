import type { NanoUsd } from "../../base/money.ts";
import type { Dimension } from "../analytics/dimension.ts";
import type { Duration } from "../windows/window.ts";

/** Dollars a day, as nano-dollars; what is absent is not watched. */
export interface Thresholds {
  readonly daily?: NanoUsd | undefined;
  readonly user?: NanoUsd | undefined;
  readonly model?: NanoUsd | undefined;
  readonly key?: NanoUsd | undefined;
  readonly tag?: NanoUsd | undefined;
}

/** A budget that is watched here and enforced elsewhere, if anywhere. */
export interface WatchedBudget {
  /** Unique among the budgets. */
  readonly name: string;
  readonly amountNanoUsd: NanoUsd;
  /** Calendar windows; `null` counts for ever. */
  readonly duration: Duration | null;
  readonly scope: { readonly dimension: Dimension; readonly id: string } | null;
  /** Ascending. */
  readonly percents: readonly number[];
}

export interface AnomalyRules {
  /** How many usual deviations above the median the band reaches. */
  readonly sensitivity: number;
  /** No rise below this is an anomaly. */
  readonly minimumRiseNanoUsd: NanoUsd;
}

export interface AlertRules {
  readonly thresholds: Thresholds;
  readonly budgets: readonly WatchedBudget[];
  /** `null`: not looked for. */
  readonly anomalies: AnomalyRules | null;
  readonly unpriced: boolean;
  /** Alerts of budgets that will not last to the end of their window. */
  readonly overruns: boolean;
}
