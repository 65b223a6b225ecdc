import { existsSync } from "node:fs";
import { TollgateError } from "../../base/errors.ts";
import type { Place } from "../../surfaces/cli/program.ts";
import { wantsJson, writeJson, type Terminal } from "../../surfaces/cli/terminal.ts";
import { CostAnalyzer } from "../books/cost-analyzer.ts";
import { exportCosts, type ExportFormat, type ExportOptions, type ExportResult } from "../books/export-costs.ts";
import { findGateway } from "./find-gateway.ts";
import { stopSignal } from "./stop-signal.ts";

export interface ExportCommand extends Place {
  readonly out: string;
  readonly format?: ExportFormat | undefined;
  readonly days?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly timeZone?: string | undefined;
  readonly model?: string | undefined;
  readonly user?: string | undefined;
  readonly keyName?: string | undefined;
  readonly team?: string | undefined;
  readonly tag?: string | undefined;
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

function optionsOf({ format, days, from, to, model, user, keyName, team, tag, columns, lines }: ExportCommand): ExportOptions {
  if (days !== undefined && !/^[1-9]\d{0,4}$/.test(days)) throw new TollgateError("usage", `--days must be a whole number from 1, not "${days}".`);
  const bounded = from !== undefined || to !== undefined;
  return {
    format, lines, columns: columns?.split(",").map((name) => name.trim()), filter: { model, user, key: keyName, team, tag },
    ...(days !== undefined ? { days: Number(days) } : bounded ? { from, to } : { from: "2020-01-01" }),
  };
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
