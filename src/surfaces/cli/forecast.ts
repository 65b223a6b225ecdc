import type { Forecast } from "../../domain/alerts/forecast.ts";
import type { FilterOptions } from "./filter.ts";
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
export function printForecast(terminal: Terminal, answer: ForecastAnswer, options: { readonly json?: boolean | undefined }): void {
  if (wantsJson(terminal, options)) return writeJson(terminal, answer);
  const of = answer.budgetExact === null ? "" : ` of $${answer.budgetExact}`;
  terminal.out(`${styled(terminal, "bold", `$${answer.spentExact}${of} spent`)} in this window (${answer.window})\n\n`);
  if (!answer.enough) {
    terminal.out(`${wrapped(answer.reason, terminal.columns).join("\n")}\n`);
    return;
  }
  const { burnPerDay, atEnd, exhaustion } = answer;
  const rows = [["spend a day", cents(burnPerDay.low), cents(burnPerDay.expected), cents(burnPerDay.high)]];
  if (atEnd !== null) rows.push(["at the window's end", cents(atEnd.low), cents(atEnd.expected), cents(atEnd.high)]);
  if (exhaustion !== null) rows.push(["budget used up", time(exhaustion.latest), time(exhaustion.expected), time(exhaustion.earliest)]);
  const columns = [{ title: `from ${answer.historyDays} days`, align: "left" }, { title: "quiet", align: "right" }, { title: "expected", align: "right" }, { title: "busy", align: "right" }] as const;
  terminal.out(`${tableLines(terminal, columns, rows.map((cells) => ({ cells }))).join("\n")}\n`);
}

/** An estimate to the cent; JSON has the exact figures. */
function cents(usd: number): string {
  return `$${usd.toFixed(2)}`;
}

function time(iso: string | null): string {
  return iso === null ? "not in it" : `${iso.slice(0, 16).replace("T", " ")}Z`;
}
