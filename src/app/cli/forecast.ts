import { formatNanoUsd } from "../../base/money.ts";
import { withIds } from "../../domain/analytics/aliases.ts";
import { printForecast, type ForecastOptions } from "../../surfaces/cli/forecast.ts";
import { readBudget } from "../../surfaces/cli/monitor.ts";
import type { Terminal } from "../../surfaces/cli/terminal.ts";
import { readAmount } from "../../surfaces/sdk/amounts.ts";
import { CostMonitor } from "../books/cost-monitor.ts";
import { analyzerOf } from "./analyzer-of.ts";

/** By the rules that `CostMonitor` warns of overruns by. @throws TollgateError `usage`, `invalid_duration`, those of the analyzer */
export async function forecastCosts(options: ForecastOptions, terminal: Terminal): Promise<void> {
  const { maxBudget, duration = "monthly" } = options.budget === undefined ? { maxBudget: undefined } : readBudget(options.budget);
  const { model, user, keyName: key, team, tag } = options;
  const analyzer = analyzerOf(options, options.timeZone);
  try {
    const filter = await withIds((await analyzer.analysis()).source, Object.fromEntries(Object.entries({ model, user, key, team, tag }).filter(([, value]) => value !== undefined)));
    const forecast = await new CostMonitor(analyzer).forecast({ maxBudget, duration, filter });
    const budgetExact = maxBudget === undefined ? null : formatNanoUsd(readAmount(maxBudget, "--budget"));
    printForecast(terminal, { ...forecast, budgetExact, window: String(duration) }, options);
  } finally {
    await analyzer.close();
  }
}
