import { Command, CommanderError, Option } from "commander";
import { TollgateError } from "../../base/errors.ts";
import type { AuditReport } from "../../domain/ledger/store.ts";
import { printAudit } from "./audit.ts";
import type { ForecastOptions } from "./forecast.ts";
import type { GatewayAddress } from "./gateway-client.ts";
import { createKey, listKeys, type CreateKeyOptions } from "./keys.ts";
import type { MonitorOptions } from "./monitor.ts";
import { addOptimize, type Optimizing } from "./optimize.ts";
import { DIMENSION_NAMES, withFilter, type FilterOptions } from "./filter.ts";
import { withPeriod, type PeriodOptions } from "./period.ts";
import { GROUPINGS, type Grouping } from "./report.ts";
import { spendUntilRefused } from "./spend.ts";
import { wrapped } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import type { TopOptions } from "./top.ts";

/** Where a command finds its gateway or its books. */
export interface Place {
  readonly data: string;
  readonly url?: string;
  readonly key?: string;
}

export interface StartOptions {
  readonly config?: string;
  readonly host: string;
  readonly port: number;
  readonly data: string;
}

export interface ReportOptions extends Place, PeriodOptions, FilterOptions {
  readonly by: Grouping;
  readonly json?: boolean;
  readonly chart?: boolean;
  readonly ascii?: boolean;
  readonly out?: string;
  readonly force?: boolean;
  readonly config?: string;
}

export interface DemoOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly port: number;
  readonly data: string;
  readonly json?: boolean;
}

/** What only the application can do: put a gateway together, find one, open a ledger. */
export interface Application {
  readonly version: string;
  /** Defects show where they happened. */
  readonly debug: boolean;
  readonly dataFolder: string;
  readonly demoFolder: string;
  start(options: StartOptions): Promise<void>;
  demo(options: DemoOptions): Promise<void>;
  /** @returns the exit code */
  monitor(options: MonitorOptions): Promise<number>;
  forecast(options: ForecastOptions): Promise<void>;
  top(options: TopOptions): Promise<void>;
  optimizing(): Promise<Optimizing>;
  export(options: Place & { out: string }): Promise<void>;
  /** @throws TollgateError `gateway_unreachable` */
  gateway(place: Place): GatewayAddress;
  /** The gateway where `place` has a URL, else the ledger's file, read beside a gateway or without one. */
  report(options: ReportOptions): Promise<void>;
  /** Through the gateway that runs on the folder, else on the file. */
  audit(place: Place): Promise<{ readonly report: AuditReport; readonly against: "live" | "offline" }>;
}

const USAGE_EXIT = 2;
const DIFFERENCE_EXIT = 1;

/**
 * Reads a command line and does what it says.
 * @returns the exit code; `start` and `demo` return when they have ended
 */
export async function runProgram(argv: readonly string[], application: Application, terminal: Terminal): Promise<number> {
  const state = { exit: 0 };
  const program = build(application, terminal, state);
  try {
    await program.parseAsync(argv as string[], { from: "user" });
    return state.exit;
  } catch (error) {
    if (error instanceof CommanderError) return explain(error, terminal);
    terminal.remark(`${readable(sentenceOf(error), terminal)}\n`);
    if (application.debug && error instanceof Error) terminal.remark(`${error.stack}\n`);
    return error instanceof TollgateError && error.code === "usage" ? USAGE_EXIT : 1;
  }
}

/** One sentence behind its code. */
export function sentenceOf(error: unknown): string {
  if (error instanceof TollgateError) return `${error.code}: ${error.message}`;
  return `internal: ${error instanceof Error ? error.message : String(error)}. This should not happen; TOLLGATE_DEBUG=1 shows where it did.`;
}

/** One line in a pipe; on a terminal broken between words. */
function readable(sentence: string, terminal: Terminal): string {
  return terminal.isTerminal ? sentence.split("\n").flatMap((line) => wrapped(line, terminal.columns)).join("\n") : sentence;
}

function explain(error: CommanderError, terminal: Terminal): number {
  if (error.exitCode === 0) return 0;
  // Help that was shown because no command was given.
  if (error.code === "commander.help") return USAGE_EXIT;
  const [first = "", hint] = error.message.replace(/^error: /, "").split("\n");
  const sentence = `${first.charAt(0).toUpperCase()}${first.slice(1)}${first.endsWith(".") ? "" : "."}${hint === undefined ? "" : ` ${hint.replace(/^\(|\)$/g, "")}`}`;
  terminal.remark(`${readable(`usage: ${sentence} See --help.`, terminal)}\n`);
  return USAGE_EXIT;
}

function build(application: Application, terminal: Terminal, state: { exit: number }): Command {
  const program = new Command("tollgate")
    .description("What every LLM request costs, budgets that really hold, and books that prove themselves.")
    .version(application.version, "-v, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.remark(text), outputError: () => {}, getOutHelpWidth: () => terminal.columns, getErrHelpWidth: () => terminal.columns })
    .exitOverride();
  const data = (command: Command): Command => command.option("--data <folder>", "data folder of the gateway", application.dataFolder);
  const remote = (command: Command): Command => data(command).option("--url <url>", "a gateway elsewhere, instead of the folder's").option("--key <key>", "its master key");
  const json = (command: Command): Command => command.option("--json", "JSON, also on a terminal");

  program.command("start").description("run the gateway")
    .option("--config <file>", "configuration (default: tollgate.yaml, if there is one)")
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .addOption(new Option("--port <port>", "port to listen on").default(4000).argParser(wholeNumber("--port", 0, 65_535)))
    .option("--data <folder>", "where everything that lasts is kept", application.dataFolder)
    .action((options: StartOptions) => application.start(options));

  json(program.command("demo").description("a gateway, a simulated provider and a few minutes of traffic, without any account")
    .addOption(new Option("--minutes <minutes>", "how long, such as 0.5").default(3).argParser(minutes))
    .addOption(new Option("--seed <seed>", "the same seed makes the same traffic").default(1).argParser(wholeNumber("--seed", 0, 0xffff_ffff)))
    .addOption(new Option("--port <port>", "port to listen on").default(4000).argParser(wholeNumber("--port", 0, 65_535)))
    .option("--data <folder>", "where its books are kept", application.demoFolder))
    .action((options: DemoOptions) => application.demo(options));

  const keys = program.command("keys").description("virtual keys, through the running gateway");
  json(remote(keys.command("create").description("make a key")))
    .option("--budget <dollars>", "refuse what would pass this").option("--duration <duration>", "the budget begins anew, such as 30d").option("--alias <name>", "what people call it")
    .option("--team <id>", "its team").option("--internal-user <id>", "its owner, a user of the gateway").option("--models <names>", "only these models, separated by commas")
    .addOption(new Option("--rpm <number>", "requests a minute").argParser((text) => String(wholeNumber("--rpm", 0, 1e9)(text)))).addOption(new Option("--tpm <number>", "tokens a minute").argParser((text) => String(wholeNumber("--tpm", 0, 1e12)(text))))
    .option("--key-only", "print the key and nothing else")
    .action((options: CreateKeyOptions & Place) => createKey(terminal, application.gateway(options), options));
  json(remote(keys.command("list").description("list keys with what they spent")))
    .action((options: Place & { json?: boolean }) => listKeys(terminal, application.gateway(options), options));

  json(data(program.command("spend").description("send requests with a key until its budget refuses one")))
    .requiredOption("--key <key>", "the key to spend with").option("--url <url>", "a gateway elsewhere, instead of the folder's").option("--model <name>", "the model to ask")
    .addOption(new Option("--requests <number>", "stop after so many").default(1_000).argParser(wholeNumber("--requests", 1, 1_000_000)))
    .action((options: Place & { key: string; model?: string; requests: number; json?: boolean }) => spendUntilRefused(terminal, { ...application.gateway(options), key: options.key }, { ...options, maxRequests: options.requests }));

  withFilter(withPeriod(json(remote(program.command("report").description("what was spent, and on what")))
    .addOption(new Option("--by <what>", "group by").choices(GROUPINGS).default("model"))))
    .option("--chart", "bars below the table").option("--ascii", "bars without Unicode")
    .option("--out <file>", "instead the whole report, with charts, forecast and alerts, in a file: .html, .md, .txt or .json").option("--force", "replace a file that exists").option("--config <file>", "limits and budgets of tollgate.monitor for it (default: tollgate.yaml, if there is one)")
    .action((options: ReportOptions) => application.report(options));

  withFilter(withPeriod(json(remote(program.command("export").description("entries of the ledger as CSV, JSON lines or Parquet, exact to the last digit")))
    .requiredOption("--out <file>", 'the file, such as costs.csv, costs.jsonl.gz or costs.parquet; "-" is stdout').addOption(new Option("--format <format>", "if the name does not say it").choices(["csv", "jsonl", "parquet"]))))
    .option("--columns <names>", "only these, with commas").option("--lines", "quantities and rates of each entry, too").option("--force", "replace a file that exists")
    .action(async (options: Place & { out: string }) => application.export(options));

  json(remote(program.command("monitor").description("what passes a limit, what will, what is unusual; tells it through the channels of the configuration")))
    .option("--once", "look once; exit 3 if there is an alert").option("--config <file>", "configuration with tollgate.monitor (default: tollgate.yaml, if there is one)")
    .option("--daily-limit <dollars>", "a day, in all").option("--user-limit <dollars>", "a day, each user").option("--model-limit <dollars>", "a day, each model").option("--key-limit <dollars>", "a day, each key").option("--tag-limit <dollars>", "a day, each tag")
    .option("--budget <dollars/window>", "such as 100/monthly, 100/30d or 100/lifetime; may be repeated", (text: string, before: readonly string[] = []) => [...before, text])
    .option("--time-zone <name>", "whose days count, such as Europe/Berlin").addOption(new Option("--every <seconds>", "how often to look").argParser(wholeNumber("--every", 1, 86_400))).option("--state <file>", "what was sent is kept here")
    .action(async (options: MonitorOptions) => { state.exit = await application.monitor(options); });

  json(remote(program.command("top").description("what is spending now: the last minutes and today; refreshed on a terminal, one document in a pipe")))
    .addOption(new Option("--by <what>", "group by").choices(Object.keys(DIMENSION_NAMES)).default("model")).addOption(new Option("--minutes <number>", "how far back now goes").default(5).argParser(wholeNumber("--minutes", 1, 1_440)))
    .option("--once", "look once").addOption(new Option("--every <seconds>", "how often to look").default(2).argParser(wholeNumber("--every", 1, 3_600))).option("--time-zone <name>", "whose today (default: UTC)")
    .action((options: TopOptions) => application.top(options));

  withFilter(json(remote(program.command("forecast").description("how fast money goes, and when a budget is used up"))))
    .option("--budget <dollars/window>", "such as 100/monthly or 100/30d; without it, this month").option("--time-zone <name>", "whose days count (default: UTC)")
    .action((options: ForecastOptions) => application.forecast(options));

  addOptimize(program, application.optimizing, remote, wholeNumber);

  json(remote(program.command("audit").description("count the ledger again and compare it with balances, roll-ups and live counters")))
    .action(async (options: Place & { json?: boolean }) => {
      const { report, against } = await application.audit(options);
      if (!printAudit(terminal, report, against, options)) state.exit = DIFFERENCE_EXIT;
    });
  return program;
}

function wholeNumber(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) throw new TollgateError("usage", `${option} must be a whole number from ${least} to ${most}, not "${text}".`);
    return value;
  };
}

function minutes(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && value <= 1_440)) throw new TollgateError("usage", `--minutes must be a number above 0, up to 1440, not "${text}".`);
  return value;
}
