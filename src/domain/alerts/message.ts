import type { Alert } from "./alert.ts";

/** What a channel is given to say; every channel escapes it in its own way. JSON-safe, and the same after a restart. */
export interface Message {
  /** The same for every attempt and every channel. */
  readonly id: string;
  readonly type: "alert" | "summary" | "test";
  readonly severity: "info" | "warning" | "critical";
  readonly title: string;
  readonly text: string;
  /** Name and value, in order. */
  readonly facts: readonly (readonly [string, string])[];
  /** When it was made, ISO. */
  readonly at: string;
  /** The data behind it, for programs. */
  readonly data: unknown;
}

const TITLES: Readonly<Record<Alert["kind"], string>> = {
  daily_limit: "Daily limit reached", user_limit: "Daily limit of a user reached", model_limit: "Daily limit of a model reached", key_limit: "Daily limit of a key reached", tag_limit: "Daily limit of a tag reached",
  budget: "Budget", projected_overrun: "Budget will not last", unpriced: "Requests without a price", anomaly: "Unusual spending",
};

export function messageOf(alert: Alert, at: string): Message {
  return { id: alert.id, type: "alert", severity: alert.severity, title: titleOf(alert), text: alert.message, facts: factsOf(alert), at, data: alert };
}

function titleOf(alert: Alert): string {
  if (alert.kind !== "budget") return TITLES[alert.kind];
  return alert.evidence.percent >= 100 ? "Budget used up" : `Budget ${alert.evidence.percent} % used`;
}

function factsOf(alert: Alert): [string, string][] {
  const facts: [string, string][] = [["Period", alert.period.name], ["Spent", `$${alert.spentExact}`]];
  if (alert.kind === "anomaly") {
    facts.push(["Expected", `$${alert.evidence.expectedExact}`], ["Band up to", `$${alert.evidence.upperExact}`]);
    for (const cause of alert.evidence.explainedBy.slice(0, 3)) facts.push([`Rise by ${cause.dimension}`, `${cause.label}: +$${cause.riseExact}`]);
  } else if (alert.limitExact !== null) facts.push(["Limit", `$${alert.limitExact}`]);
  if (alert.scope.dimension !== "total") facts.unshift([alert.scope.dimension.replace(/^./, (first) => first.toUpperCase()), alert.scope.label]);
  return facts;
}
