import { formatNanoUsd } from "../../base/money.ts";
import { filterOf } from "../../surfaces/cli/filter.ts";
import { printForecast, type ForecastOptions } from "../../surfaces/cli/forecast.ts";
import { TollgateError } from "../../base/errors.ts";
import { readBudget } from "../../surfaces/cli/budget.ts";
import type { Terminal } from "../../surfaces/cli/terminal.ts";
import { readAmount } from "../../surfaces/sdk/amounts.ts";
import { CostMonitor } from "../books/cost-monitor.ts";
import { analyzerOf } from "./analyzer-of.ts";

/** By the rules that `CostMonitor` warns of overruns by. @throws TollgateError `usage`, `invalid_duration`, those of the analyzer */
export async function forecastCosts(options: ForecastOptions, terminal: Terminal): Promise<void> {
  const budget = options.budget === undefined ? undefined : readBudget(options.budget);
  const { maxBudget, window: duration = "monthly" } = budget ?? {};
  if (duration === null) throw new TollgateError("usage", "A forecast needs a window that ends, such as --budget 100/monthly or 100/30d.");
  const analyzer = analyzerOf(options, options.timeZone);
  try {
    const forecast = await new CostMonitor(analyzer).forecast({ maxBudget, duration, filter: filterOf(options) });
    const budgetExact = maxBudget === undefined ? null : formatNanoUsd(readAmount(maxBudget, "--budget"));
    printForecast(terminal, { ...forecast, budgetExact, window: duration }, options);
  } finally {
    await analyzer.close();
  }
}
