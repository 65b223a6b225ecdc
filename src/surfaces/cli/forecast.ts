import { parseNanoUsd } from "../../base/money.ts";
import { amountText } from "../../domain/analytics/amounts.ts";
import type { Forecast } from "../../domain/alerts/forecast.ts";
import { dollars } from "./amounts.ts";
import type { FilterOptions } from "./filter.ts";
import { localTime } from "./local-time.ts";
import type { Place } from "./program.ts";
import { tableLines, wrapped } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

export interface ForecastOptions extends Place, FilterOptions {
  readonly budget?: string;
  readonly timeZone?: string;
  readonly json?: boolean;
}

/** The answer and what was asked. */
export type ForecastAnswer = Forecast & { readonly spentExact: string; readonly budgetExact: string | null; readonly window: string };

/** Days that quiet, usual and busy weekdays lead to; too little history is said, and is no error. */
export function printForecast(terminal: Terminal, answer: ForecastAnswer, options: { readonly json?: boolean | undefined; readonly timeZone?: string | undefined }): void {
  if (wantsJson(terminal, options)) return writeJson(terminal, answer);
  const exact = (text: string): string => dollars(parseNanoUsd(text, "exact") ?? 0n);
  const of = answer.budgetExact === null ? "" : ` of ${exact(answer.budgetExact)}`;
  terminal.out(`${styled(terminal, "bold", `${exact(answer.spentExact)}${of} spent`)} in this window (${answer.window})\n\n`);
  if (!answer.enough) {
    terminal.out(`${wrapped(answer.reason, terminal.columns).join("\n")}\n`);
    return;
  }
  const { burnPerDay, atEnd, exhaustion } = answer;
  const rows = [["spend a day", cents(burnPerDay.low), cents(burnPerDay.expected), cents(burnPerDay.high)]];
  if (atEnd !== null) rows.push(["at the window's end", cents(atEnd.low), cents(atEnd.expected), cents(atEnd.high)]);
  if (exhaustion !== null) rows.push(["budget used up", ...[exhaustion.latest, exhaustion.expected, exhaustion.earliest].map((iso) => (iso === null ? "not in it" : localTime(Date.parse(iso), options.timeZone).slice(0, 16)))]);
  const columns = [{ title: `from ${answer.historyDays} days`, align: "left" }, { title: "quiet", align: "right" }, { title: "expected", align: "right" }, { title: "busy", align: "right" }] as const;
  terminal.out(`${tableLines(terminal, columns, rows.map((cells) => ({ cells }))).join("\n")}\n`);
  if (exhaustion !== null) terminal.out(`\n${styled(terminal, "dim", `Times are of ${options.timeZone ?? "UTC"}.`)}\n`);
}

/** An estimate to the cent, or to three digits below a dollar; JSON has the exact figures. */
function cents(usd: number): string {
  return amountText(BigInt(Math.round(usd * 1e9)));
}
