import { TollgateError } from "../../base/errors.ts";
import { parseNanoUsd } from "../../base/money.ts";
import type { Alert, AnomalyAlert } from "../../domain/alerts/alert.ts";
import { forecastFor } from "../../domain/alerts/budgets.ts";
import { deliverDue, RETRIES, type DeliveryCount, type RetryRules } from "../../domain/alerts/deliver.ts";
import { Examination } from "../../domain/alerts/examination.ts";
import type { Forecast } from "../../domain/alerts/forecast.ts";
import { messageOf } from "../../domain/alerts/message.ts";
import type { Notifier } from "../../domain/alerts/notifier.ts";
import type { DeliveryRecord, Outbox } from "../../domain/alerts/outbox.ts";
import { SUMMARIES, summaryOf, summaryPeriod, type SummaryKind } from "../../domain/alerts/summary.ts";
import { amountText } from "../../domain/analytics/amounts.ts";
import { withIds } from "../../domain/analytics/aliases.ts";
import { Analysis, type AnalysisQuery } from "../../domain/analytics/analysis.ts";
import type { CostFilter } from "../../domain/analytics/dimension.ts";
import type { Calendar } from "../../domain/analytics/period.ts";
import { buildReport, type CostReport, type ReportFinding } from "../../domain/analytics/report.ts";
import { costsOf } from "../../domain/analytics/rows.ts";
import { addSums, NO_COSTS } from "../../domain/analytics/sums.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { spanAt } from "../../domain/windows/span.ts";
import type { WeekDay } from "../../domain/windows/window.ts";
import { checkZone } from "../../domain/windows/zone.ts";
import { readAmount, type Usd } from "../../surfaces/sdk/amounts.ts";
import { readAlertRules, refuseUnknown, type AlertRuleOptions } from "../../surfaces/sdk/monitor-rules.ts";
import type { CostAnalyzer } from "./cost-analyzer.ts";
import { checkReportOutput, outputReport, type ReportOutput } from "./report-formats.ts";
import { Schedule } from "./schedule.ts";

export interface CostMonitorOptions extends AlertRuleOptions {
  /** Where alerts go: `slack(…)`, `discord(…)`, `teams(…)`, `webhook(…)`, `email(…)` of `tollgate/notifications`. */
  readonly channels?: readonly Notifier[] | undefined;
  /** What was sent, kept over restarts; several processes may share it. `tollgate-monitor.db` if left out; made with the first message. */
  readonly statePath?: string | undefined;
  /** Summaries of the last whole day, week or month through the channels. */
  readonly summaries?: readonly SummaryKind[] | undefined;
  /** An IANA name; the analyzer's if left out. */
  readonly timeZone?: string | undefined;
  readonly weekStart?: WeekDay | undefined;
  readonly retries?: Partial<RetryRules> | undefined;
  /** Epoch milliseconds; the analyzer's clock if left out. */
  readonly now?: (() => number) | undefined;
}

export interface MonitorRun extends DeliveryCount {
  readonly alerts: readonly Alert[];
  /** Messages that were not known before, counted once for each channel. */
  readonly added: number;
}

export interface ForecastQuery {
  /** Dollars that must last. */
  readonly maxBudget?: Usd | undefined;
  /** The window, `"monthly"` if left out. */
  readonly duration?: string | undefined;
  readonly filter?: CostFilter | undefined;
}

export interface ReportQuery extends AnalysisQuery, ReportOutput {
  readonly title?: string | undefined;
}

const DAY_MS = 86_400_000;
/** So long is remembered what was sent and is no longer said. Longer than any summary is current. */
const KEPT_DAYS = 90;
const MEMBERS: ReadonlySet<string> = new Set(["thresholds", "budgets", "anomalies", "unpriced", "overruns", "channels", "statePath", "summaries", "timeZone", "weekStart", "retries", "now"]);

/**
 * Watches costs: says what passes a limit, what will, and what is unusual, and tells it to people, once.
 * Errors: those of the analyzer, and at once `invalid_amount`, `invalid_duration`, `invalid_time_zone`, `invalid_request`, `unknown_field`; `monitor_state_unwritable`.
 *
 * @example
 * const monitor = new CostMonitor(new CostAnalyzer(".tollgate"), { thresholds: { dailyLimit: 100, userLimit: 10 } });
 * for (const alert of await monitor.checkAlerts()) console.log(alert.message);
 */
export class CostMonitor {
  private readonly analyzer: CostAnalyzer;
  private readonly options: CostMonitorOptions;
  private readonly rules: ReturnType<typeof readAlertRules>;
  private readonly channels: readonly Notifier[];
  private readonly schedule = new Schedule();
  private readonly summarised = new Set<string>();
  private prunedAt = 0;
  private opened: Promise<Outbox> | undefined;
  private examination: { readonly of: Analysis; readonly calendar: Calendar; readonly examination: Examination } | undefined;

  constructor(analyzer: CostAnalyzer, options: CostMonitorOptions = {}) {
    refuseUnknown(options, MEMBERS, "options");
    this.analyzer = analyzer;
    this.rules = readAlertRules(options);
    this.channels = readChannels(options.channels ?? []);
    this.options = { ...options, timeZone: options.timeZone === undefined ? undefined : checkZone(options.timeZone, { param: "timeZone" }) };
    for (const kind of options.summaries ?? []) if (!SUMMARIES.includes(kind)) throw new TollgateError("invalid_request", `summaries may hold ${SUMMARIES.join(", ")}, not ${JSON.stringify(kind)}.`, { param: "summaries" });
    if (options.weekStart !== undefined && !(Number.isInteger(options.weekStart) && options.weekStart >= 0 && options.weekStart <= 6)) throw new TollgateError("invalid_request", "weekStart must be 0 (Sunday) to 6 (Saturday).", { param: "weekStart" });
  }

  /** Everything that is to be said now, whether it was sent before or not. Sends nothing. */
  async checkAlerts(): Promise<Alert[]> {
    const { examination } = await this.examine();
    return examination.alerts(await this.now());
  }

  /** Only what is unusual. */
  async anomalies(): Promise<AnomalyAlert[]> {
    return (await this.checkAlerts()).filter((alert) => alert.kind === "anomaly");
  }

  /** What the window will have cost at its end and, with a budget, when that is used up. Says so where there is too little history. */
  async forecast({ maxBudget, duration = "monthly", filter: named }: ForecastQuery = {}): Promise<Forecast & { readonly spent: number; readonly spentExact: string }> {
    const amount = maxBudget === undefined ? null : readAmount(maxBudget, "maxBudget");
    const window = parseDuration(duration, { param: "duration" });
    const { of: { source }, calendar } = await this.examine();
    const filter = await withIds(source, named);
    const now = await this.now();
    const { start, end } = spanAt({ kind: "aligned", duration: window, zone: calendar.timeZone, weekStart: calendar.weekStart }, now);
    let sums = NO_COSTS;
    for (const group of await source.sums({ by: "none", filter, from: start, to: now + 1 })) sums = addSums(sums, group);
    const forecast = await forecastFor(source, filter, { now, calendar, spent: sums.costNanoUsd, amount, end });
    const { cost: spent, costExact: spentExact } = costsOf(sums);
    return { ...forecast, spent, spentExact };
  }

  /**
   * A report of a period, thirty days if none is named, with alerts, anomalies, the forecast of this month and the burn-down of every budget: as data, or as text, Markdown or one
   * HTML page, and with `path` also in that file. Rejects with TollgateError as the analyzer does, and `invalid_request`, `file_unwritable`.
   * @example await monitor.generateReport({ months: 1, format: "html", path: "report.html" })
   */
  async generateReport(query?: ReportQuery & { readonly format?: "data" | undefined }): Promise<CostReport>;
  async generateReport(query: ReportQuery & { readonly format: "text" | "markdown" | "html" }): Promise<string>;
  async generateReport(query?: ReportQuery): Promise<CostReport | string>;
  async generateReport({ title, format, path, ...query }: ReportQuery = {}): Promise<CostReport | string> {
    checkReportOutput({ format, path });
    const { of: { source }, calendar, examination } = await this.examine();
    const madeAt = await this.now();
    const finding = ({ severity, message, period }: Alert): ReportFinding => ({ severity, text: message, at: period.name });
    const [found, forecast, budgets] = await Promise.all([this.checkAlerts(), this.forecast(), examination.burnDowns(madeAt)]);
    const text = forecast.enough
      ? `${shown(forecast.spentExact)} spent this month; at the usual pace ${shown(forecast.atEnd?.expectedExact)} by its end (from ${shown(forecast.atEnd?.low)} to ${shown(forecast.atEnd?.high)}).`
      : forecast.reason;
    const report = await buildReport(new Analysis(source, { now: () => madeAt, ...calendar }), {
      ...query, title, madeAt, alerts: found.filter(({ kind }) => kind !== "anomaly").map(finding), anomalies: found.filter(({ kind }) => kind === "anomaly").map(finding), forecast: { text, ...(budgets.length === 0 ? {} : { budgets }) },
    });
    return outputReport(report, { format, path });
  }

  /** Checks, and sends what was not sent before. What is left over from earlier runs is sent as well. */
  async run({ signal = new AbortController().signal }: { signal?: AbortSignal } = {}): Promise<MonitorRun> {
    const alerts = await this.checkAlerts();
    if (this.channels.length === 0) return { alerts, added: 0, sent: 0, postponed: 0, givenUp: 0 };
    const outbox = await this.outbox();
    const names = this.channels.map(({ name }) => name);
    const at = new Date(await this.now()).toISOString();
    let added = 0;
    for (const alert of alerts) added += outbox.add(messageOf(alert, at), names, Date.now());
    added += await this.summarise(outbox, names);
    this.prune(outbox);
    const count = await deliverDue({ outbox, notifiers: this.channels, now: Date.now, sleep, random: Math.random, retries: { ...RETRIES, ...this.options.retries }, signal });
    return { alerts, added, ...count };
  }

  /** Runs at once and then every so often, until `stop()`; does not keep the program alive. Errors go to `onError`, a process warning if left out. */
  start({ everyMs = 60_000, onError = warn, onRun = () => {} }: { everyMs?: number; onError?: (error: unknown) => void; onRun?: (run: MonitorRun) => void } = {}): void {
    this.schedule.start(everyMs, async (signal) => onRun(await this.run({ signal })), onError);
  }

  /** Resolves when the run in progress, if any, has ended. */
  async stop(): Promise<void> {
    await this.schedule.stop();
  }

  /** Every attempt that was made with this state, also by other processes and before a restart; newest first. */
  async deliveries({ limit = 100 }: { limit?: number } = {}): Promise<DeliveryRecord[]> {
    if (!Number.isInteger(limit) || limit < 1) throw new TollgateError("invalid_request", "limit must be a whole number from 1.", { param: "limit" });
    return (await this.outbox()).log(limit);
  }

  /** Stops, and closes the state. The analyzer stays open. */
  async close(): Promise<void> {
    await this.stop();
    const opened = this.opened;
    this.opened = undefined;
    if (opened !== undefined) (await opened).close();
  }

  private async summarise(outbox: Outbox, names: readonly string[]): Promise<number> {
    const { of: { source }, calendar } = await this.examine();
    const now = await this.now();
    let added = 0;
    for (const kind of this.options.summaries ?? []) {
      const { id } = summaryPeriod(kind, now, calendar);
      if (this.summarised.has(id)) continue;
      added += outbox.add(await summaryOf(source, kind, now, calendar), names, Date.now());
      this.summarised.add(id);
    }
    return added;
  }

  /** After everything of this run was said, so that what lasts is known. */
  private prune(outbox: Outbox): void {
    const now = Date.now();
    if (now - this.prunedAt < DAY_MS) return;
    outbox.prune(now - KEPT_DAYS * DAY_MS);
    this.prunedAt = now;
  }

  private async now(): Promise<number> {
    return this.options.now?.() ?? (await this.analyzer.analysis()).now();
  }

  /** The analyzer may have been closed and opened anew. */
  private async examine(): Promise<NonNullable<CostMonitor["examination"]>> {
    const of = await this.analyzer.analysis();
    if (this.examination?.of !== of) {
      const calendar: Calendar = { timeZone: this.options.timeZone ?? of.calendar.timeZone, weekStart: this.options.weekStart ?? of.calendar.weekStart };
      this.examination = { of, calendar, examination: new Examination(of.source, this.rules, calendar) };
    }
    return this.examination;
  }

  private outbox(): Promise<Outbox> {
    this.opened ??= import("../../adapters/outbox/sqlite/outbox.ts").then(({ openSqliteOutbox }) => openSqliteOutbox(this.options.statePath ?? "tollgate-monitor.db")).catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }
}

function readChannels(channels: readonly Notifier[]): readonly Notifier[] {
  const names = new Set<string>();
  for (const [index, channel] of channels.entries()) {
    if (typeof channel?.name !== "string" || typeof channel.send !== "function") throw new TollgateError("invalid_request", `channels[${index}] is no channel; make one with slack(…), discord(…), teams(…), webhook(…) or email(…) of tollgate/notifications.`, { param: `channels[${index}]` });
    if (names.has(channel.name)) throw new TollgateError("invalid_request", `Two channels are called "${channel.name}"; give each a name of its own, such as slack({ name: "slack-ops", … }).`, { param: `channels[${index}]` });
    names.add(channel.name);
  }
  return channels;
}

function sleep(ms: number, signal: { readonly aborted: boolean; addEventListener(type: "abort", listener: () => void): void; removeEventListener(type: "abort", listener: () => void): void }): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** Dollars to read; the exact figures are in the data. */
function shown(usd: string | number | undefined): string {
  return amountText(typeof usd === "number" ? BigInt(Math.round(usd * 1e9)) : (parseNanoUsd(usd ?? "0", "exact") ?? 0n));
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
