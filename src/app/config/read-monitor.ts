import { discord } from "../../adapters/notifiers/discord.ts";
import { email } from "../../adapters/notifiers/email.ts";
import { slack } from "../../adapters/notifiers/slack.ts";
import { teams } from "../../adapters/notifiers/teams.ts";
import { webhook } from "../../adapters/notifiers/webhook.ts";
import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import { SUMMARIES, type SummaryKind } from "../../domain/alerts/summary.ts";
import type { Notifier } from "../../domain/alerts/notifier.ts";
import type { MonitorBudget } from "../../surfaces/sdk/monitor-rules.ts";
import type { CostMonitorOptions } from "../books/cost-monitor.ts";
import { SECTIONS } from "./fields.ts";
import { readDocument, type ConfigSource } from "./load-config.ts";
import { optional } from "./read-models.ts";
import type { Section } from "./reader.ts";
import { NumberText } from "./yaml-tree.ts";

/** The monitor as a configuration describes it. Channels hold secrets: never log it. */
export interface MonitorConfig {
  readonly options: CostMonitorOptions;
  readonly everyMs: number;
}

const LIMITS = [["daily_limit", "dailyLimit"], ["user_limit", "userLimit"], ["model_limit", "modelLimit"], ["key_limit", "keyLimit"], ["tag_limit", "tagLimit"]] as const;
const EVERY_SECONDS = 60;

/**
 * Reads `tollgate.monitor` of a configuration. The rest of the file is not looked at: a gateway tells of it.
 * @throws TollgateError `config_unreadable`, `config_invalid`
 */
export function loadMonitor(source: ConfigSource): MonitorConfig {
  return readDocument(source, (top) => {
    const monitor = top.section("tollgate", SECTIONS.tollgate).section("monitor", SECTIONS.monitor);
    return { options: optionsOf(monitor), everyMs: (monitor.count("every_seconds", 1, 86_400) ?? EVERY_SECONDS) * 1_000 };
  }).config;
}

function optionsOf(monitor: Section): CostMonitorOptions {
  const limits = LIMITS.flatMap(([name, member]) => { const amount = dollarsOf(monitor, name); return amount === undefined ? [] : [[member, amount] as const]; });
  const budgets = monitor.sections("budgets", SECTIONS.monitorBudget).map(budgetOf);
  const anomalies = monitor.flag("anomalies");
  const tuning = optional({ minimumRise: dollarsOf(monitor, "minimum_rise"), sensitivity: monitor.count("sensitivity", 1, 100) });
  return {
    // With budgets alone, nobody has asked for limits of a day.
    ...(limits.length > 0 || budgets.length > 0 ? { thresholds: Object.fromEntries(limits) } : {}),
    budgets, anomalies: anomalies === false ? false : tuning, ...optional({ unpriced: monitor.flag("unpriced"), overruns: monitor.flag("overruns"), statePath: monitor.text("state"), timeZone: monitor.text("time_zone") }),
    summaries: summariesOf(monitor), channels: monitor.sections("channels", SECTIONS.monitorChannel).flatMap(channelOf),
  };
}

function dollarsOf(section: Section, name: string): string | undefined {
  const amount = section.amount(name);
  return amount === undefined ? undefined : formatNanoUsd(amount);
}

function budgetOf(budget: Section): MonitorBudget {
  const maxBudget = dollarsOf(budget, "max_budget");
  if (maxBudget === undefined && !budget.has("max_budget")) budget.problem("max_budget", "is missing; give dollars, such as 100.");
  const at = percentsOf(budget);
  return {
    maxBudget: maxBudget ?? "0",
    ...optional({ name: budget.text("name"), duration: budget.duration("budget_duration"), user: budget.text("user"), model: budget.text("model"), key: budget.text("key"), tag: budget.text("tag"), team: budget.text("team"), provider: budget.text("provider"), at }),
  };
}

function percentsOf(budget: Section): number[] | undefined {
  const raw = budget.raw("at");
  if (raw === undefined || raw === null) return undefined;
  const percents = Array.isArray(raw) ? raw.map((percent) => (percent instanceof NumberText ? Number(percent.text) : Number.NaN)) : [];
  if (percents.length > 0 && percents.every((percent) => percent > 0 && percent <= 1_000)) return percents;
  budget.problem("at", "must be a list of percents above 0, up to 1000, such as [50, 80, 100].");
  return undefined;
}

function summariesOf(monitor: Section): SummaryKind[] {
  return monitor.list("summaries").filter((kind): kind is SummaryKind => {
    const known = (SUMMARIES as readonly string[]).includes(kind);
    if (!known) monitor.problem("summaries", `may hold ${SUMMARIES.join(", ")}.`);
    return known;
  });
}

function channelOf(section: Section): Notifier[] {
  const type = section.choice("type", ["slack", "discord", "teams", "webhook", "email"]);
  if (type === undefined) {
    if (!section.has("type")) section.problem("type", "is missing; there are slack, discord, teams, webhook and email.");
    return [];
  }
  const common = optional({ name: section.text("name"), timeoutMs: section.count("timeout_ms", 1, 60_000) });
  const text = (name: string): string => section.text(name) ?? "";
  try {
    switch (type) {
      case "slack":
        return [slack({ ...common, url: text("url") })];
      case "discord":
        return [discord({ ...common, url: text("url") })];
      case "teams":
        return [teams({ ...common, url: text("url") })];
      case "webhook":
        return [webhook({ ...common, url: text("url"), secret: text("secret") })];
      case "email": {
        const to = typeof section.raw("to") === "string" ? [text("to")] : section.list("to");
        const more = optional({ port: section.count("port", 1, 65_535), secure: section.flag("secure"), insecure: section.flag("insecure"), user: section.text("user"), password: section.text("password") });
        return [email({ ...common, ...more, host: text("host"), from: text("from"), to })];
      }
    }
  } catch (error) {
    if (!TollgateError.isInstance(error)) throw error;
    section.problem(error.param ?? "type", error.message);
    return [];
  }
}
