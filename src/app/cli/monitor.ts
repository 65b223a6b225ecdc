import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readBudget } from "../../surfaces/cli/budget.ts";
import { ALERTS_EXIT, printAlert, printLook, type MonitorOptions } from "../../surfaces/cli/monitor.ts";
import { sentenceOf } from "../../surfaces/cli/program.ts";
import type { Terminal } from "../../surfaces/cli/terminal.ts";
import { CostMonitor, type CostMonitorOptions } from "../books/cost-monitor.ts";
import { loadMonitor } from "../config/read-monitor.ts";
import { analyzerOf } from "./analyzer-of.ts";
import { stopSignal } from "./stop-signal.ts";

const DEFAULT_CONFIG = "tollgate.yaml";

/** Watches a ledger or a gateway until it is stopped, or looks once. @returns the exit code */
export async function monitorCosts(options: MonitorOptions, terminal: Terminal): Promise<number> {
  const file = options.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  const config = loadMonitor({ file, env: process.env });
  const analyzer = analyzerOf(options);
  const monitor = new CostMonitor(analyzer, withFlags(config.options, options));
  try {
    const first = await monitor.run();
    const at = new Date().toISOString();
    if (options.once === true) {
      printLook(terminal, { at, ...first }, options);
      return first.alerts.length > 0 ? ALERTS_EXIT : 0;
    }
    await watch(monitor, options.every === undefined ? config.everyMs : options.every * 1_000, options, terminal);
    return 0;
  } finally {
    await monitor.close();
    await analyzer.close();
  }
}

/** Shows every alert once. What cannot be read for a while is said and waited for. */
async function watch(monitor: CostMonitor, everyMs: number, options: MonitorOptions, terminal: Terminal): Promise<void> {
  const stopped = stopSignal();
  // Timers of a monitor keep no program alive; this one is there for nothing else.
  const alive = setInterval(() => {}, 60_000);
  const shown = new Set<string>();
  monitor.start({
    everyMs,
    onRun: ({ alerts }) => {
      for (const alert of alerts) if (!shown.has(alert.id)) printAlert(terminal, alert, options);
      shown.clear();
      for (const { id } of alerts) shown.add(id);
    },
    onError: (error) => terminal.remark(`${sentenceOf(error)}\n`),
  });
  terminal.remark(`Watching every ${everyMs / 1_000} s; Ctrl-C ends it.\n`);
  await stopped;
  clearInterval(alive);
  await monitor.stop();
}

/** What is said on the command line wins, limit by limit. */
function withFlags(config: CostMonitorOptions, options: MonitorOptions): CostMonitorOptions {
  const { dailyLimit, userLimit, modelLimit, keyLimit, tagLimit, budget = [], timeZone, state } = options;
  const limits = Object.fromEntries(Object.entries({ dailyLimit, userLimit, modelLimit, keyLimit, tagLimit }).filter(([, value]) => value !== undefined));
  const given = Object.keys(limits).length > 0 || budget.length > 0;
  const folder = options.url === undefined && existsSync(options.data) && statSync(options.data).isDirectory() ? options.data : ".";
  return {
    ...config, ...(given ? { thresholds: { ...config.thresholds, ...limits } } : {}), budgets: [...(config.budgets ?? []), ...budget.map(readBudget).map(({ maxBudget, window }) => ({ maxBudget, ...(window === null ? {} : { duration: window }) }))],
    ...(timeZone === undefined ? {} : { timeZone }), statePath: state ?? config.statePath ?? join(folder, folder === "." ? "tollgate-monitor.db" : "monitor.db"),
  };
}
