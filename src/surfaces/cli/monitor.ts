import type { Alert } from "../../domain/alerts/alert.ts";
import type { DeliveryCount } from "../../domain/alerts/deliver.ts";
import type { Place } from "./program.ts";
import { printable, wrapped } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

export interface MonitorOptions extends Place {
  readonly config?: string;
  readonly once?: boolean;
  readonly dailyLimit?: string;
  readonly userLimit?: string;
  readonly modelLimit?: string;
  readonly keyLimit?: string;
  readonly tagLimit?: string;
  readonly budget?: readonly string[];
  readonly timeZone?: string;
  readonly every?: number;
  readonly state?: string;
  readonly json?: boolean;
}

/** What a look at the costs found, and what became of the messages. */
export interface MonitorLook extends DeliveryCount {
  readonly at: string;
  readonly alerts: readonly Alert[];
  readonly added: number;
}

/** With `--once`: there is something to look at. Apart from 1 (an error) and 2 (a wrong command line). */
export const ALERTS_EXIT = 3;

/** One document of one look. */
export function printLook(terminal: Terminal, look: MonitorLook, options: { readonly json?: boolean | undefined }): void {
  if (wantsJson(terminal, options)) return writeJson(terminal, look);
  if (look.alerts.length === 0) terminal.out("No alerts.\n");
  for (const alert of look.alerts) printAlert(terminal, alert, options);
  const { sent, postponed, givenUp } = look;
  if (sent + postponed + givenUp > 0) terminal.out(`${sent} sent, ${postponed} to be tried again, ${givenUp} given up.\n`);
}

/** One line of JSON, or a sentence. */
export function printAlert(terminal: Terminal, alert: Alert, options: { readonly json?: boolean | undefined }): void {
  if (wantsJson(terminal, options)) return writeJson(terminal, alert);
  const [first = "", ...rest] = wrapped(printable(alert.message), terminal.columns, "          ");
  const mark = alert.severity === "critical" ? styled(terminal, "red", "critical  ") : styled(terminal, "yellow", "warning   ");
  terminal.out(`${mark}${first.trimStart()}\n${rest.map((line) => `${line}\n`).join("")}`);
}
