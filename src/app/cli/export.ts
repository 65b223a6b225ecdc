import { existsSync } from "node:fs";
import { TollgateError } from "../../base/errors.ts";
import { filterOf, type FilterOptions } from "../../surfaces/cli/filter.ts";
import { periodOf, type PeriodOptions } from "../../surfaces/cli/period.ts";
import type { Place } from "../../surfaces/cli/program.ts";
import { wantsJson, writeJson, type Terminal } from "../../surfaces/cli/terminal.ts";
import { CostAnalyzer } from "../books/cost-analyzer.ts";
import { exportCosts, type ExportFormat, type ExportOptions, type ExportResult } from "../books/export-costs.ts";
import { findGateway } from "./find-gateway.ts";
import { stopSignal } from "./stop-signal.ts";

export interface ExportCommand extends Place, PeriodOptions, FilterOptions {
  readonly out: string;
  readonly format?: ExportFormat | undefined;
  readonly columns?: string | undefined;
  readonly lines?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Writes a ledger's entries to a file, or with `-` to stdout. */
export async function exportCommand(command: ExportCommand, terminal: Terminal): Promise<void> {
  const toStdout = command.out === "-";
  if (!toStdout && command.force !== true && existsSync(command.out)) throw new TollgateError("usage", `${command.out} exists. Choose another name, or say --force.`);
  if (toStdout && command.format === undefined) throw new TollgateError("usage", "Say --format csv, jsonl or parquet with --out -.");
  const gone = new AbortController();
  void stopSignal().then(() => gone.abort(new TollgateError("usage", "The export was stopped; no file was written.")));
  const gateway = command.url === undefined ? undefined : findGateway(command);
  const analyzer = new CostAnalyzer(gateway?.url ?? command.data, { timeZone: command.timeZone ?? "UTC", ...(gateway === undefined ? {} : { apiKey: gateway.key }) });
  try {
    const result = await exportCosts(analyzer, { ...optionsOf(command), ...(toStdout ? { stream: process.stdout } : { path: command.out }), signal: gone.signal, onProgress: progressOn(terminal) });
    if (terminal.isTerminal) terminal.remark("\n");
    if (!toStdout) print(terminal, result, command);
  } finally {
    await analyzer.close();
  }
}

function optionsOf(command: ExportCommand): ExportOptions {
  const { format, columns, lines } = command;
  return { format, lines, columns: columns?.split(",").map((name) => name.trim()), filter: filterOf(command), ...periodOf(command, Date.now()).span };
}

function progressOn(terminal: Terminal): ExportOptions["onProgress"] {
  if (!terminal.isTerminal) return undefined;
  let last = 0;
  return ({ rows, bytes }) => {
    const now = Date.now();
    if (now - last < 100) return;
    last = now;
    terminal.remark(`\r${rows.toLocaleString("en-US")} rows, ${(bytes / 1e6).toFixed(1)} MB`);
  };
}

function print(terminal: Terminal, result: ExportResult, command: ExportCommand): void {
  if (wantsJson(terminal, command)) writeJson(terminal, result);
  else terminal.out(`${result.rows.toLocaleString("en-US")} rows, $${result.totalExact}, in ${result.path} (${result.format}, ${result.bytes.toLocaleString("en-US")} bytes before compression)\n`);
}
