import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { TollgateError } from "../base/errors.ts";
import { formatNanoUsd } from "../base/money.ts";
import { loadConfig } from "./config/load-config.ts";

const DEFAULT_FOLDER = ".tollgate";

/** The command line. Every error is one sentence with its code, and exit 1. */
export async function runCli(argv: readonly string[]): Promise<void> {
  const program = new Command("tollgate").description("What every LLM request costs, and budgets that really hold.");
  program.command("start").description("run the gateway")
    .option("--config <file>", "configuration (default: tollgate.yaml, if it exists)")
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port to listen on", "4000")
    .option("--data <folder>", "where everything that lasts is kept", DEFAULT_FOLDER)
    .action(start);
  program.command("audit").description("prove that ledger, balances, counters and roll-ups agree (through the running gateway)")
    .option("--data <folder>", "data folder of the gateway", DEFAULT_FOLDER)
    .action(audit);
  const keys = program.command("keys").description("virtual keys");
  keys.command("create").description("make a key").option("--data <folder>", "data folder of the gateway", DEFAULT_FOLDER)
    .option("--budget <dollars>", "max_budget, in dollars").option("--duration <duration>", "budget_duration, such as 30d").option("--alias <name>", "key_alias").action(createKey);
  keys.command("list").description("list keys").option("--data <folder>", "data folder of the gateway", DEFAULT_FOLDER).action(listKeys);
  try {
    await program.parseAsync(argv as string[]);
  } catch (error) {
    process.stderr.write(error instanceof TollgateError ? `${error.code}: ${error.message}\n` : `${(error as Error).stack}\n`);
    process.exitCode = 1;
    // A failed start may leave workers behind; they must not keep the process.
    setImmediate(() => process.exit(1));
  }
}

async function start(options: { config?: string; host: string; port: string; data: string }): Promise<void> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new TollgateError("usage", `--port must be a whole number up to 65535, not "${options.port}".`);
  const file = options.config ?? (existsSync("tollgate.yaml") ? "tollgate.yaml" : undefined);
  const config = loadConfig({ file, env: process.env });
  const { startGateway } = await import("./gateway.ts");
  const gateway = await startGateway({ config, env: { ...process.env, ...config.environment }, host: options.host, port, folder: options.data });
  for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`);
  const model = gateway.modelNames[0] ?? "provider/model";
  process.stdout.write([
    `Tollgate is ready: ${gateway.url}`,
    `Master key: in ${gateway.masterKeyPath}`,
    ...(gateway.simulated ? ["No provider key was found: answers come from a SIMULATED provider."] : []),
    "", "Make a key with a $0.05 budget:", "",
    `  KEY=$(curl -s ${gateway.url}/key/generate -H "Authorization: Bearer $(cat ${gateway.masterKeyPath})" -H 'Content-Type: application/json' -d '{"max_budget": 0.05}' | sed 's/.*"key":"\\([^"]*\\)".*/\\1/'); echo $KEY`,
    "", "Spend it until it is refused:", "",
    `  while curl -sf ${gateway.url}/v1/chat/completions -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"model": "${model}", "max_tokens": 4000, "messages": [{"role": "user", "content": "Tell me a long story."}]}' -o /dev/null -w '%header{x-litellm-response-cost}\\n'; do :; done; curl -s ${gateway.url}/v1/chat/completions -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"model": "${model}", "messages": [{"role": "user", "content": "One more?"}]}'`,
    "", "",
  ].join("\n"));
  const stop = (): void => {
    process.off("SIGTERM", stop);
    process.off("SIGINT", stop);
    gateway.close().then(() => process.exit(0), (error: unknown) => {
      process.stderr.write(`${(error as Error).stack}\n`);
      process.exit(1);
    });
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

async function audit(options: { data: string }): Promise<void> {
  const report = (await ask(options.data, "/v1/tollgate/audit")) as { agree: boolean; entries: number; totalNanoUsd: string; firstDifference: string | null };
  if (process.stdout.isTTY) process.stdout.write(report.agree ? `The books agree: ${report.entries} entries, $${formatNanoUsd(BigInt(report.totalNanoUsd))}.\n` : `The books do not agree. ${report.firstDifference}\n`);
  else process.stdout.write(`${JSON.stringify(report)}\n`);
  if (!report.agree) process.exitCode = 1;
}

async function createKey(options: { data: string; budget?: string; duration?: string; alias?: string }): Promise<void> {
  const body = { ...(options.budget === undefined ? {} : { max_budget: options.budget }), ...(options.duration === undefined ? {} : { budget_duration: options.duration }), ...(options.alias === undefined ? {} : { key_alias: options.alias }) };
  process.stdout.write(`${JSON.stringify(await ask(options.data, "/key/generate", body))}\n`);
}

async function listKeys(options: { data: string }): Promise<void> {
  process.stdout.write(`${JSON.stringify(await ask(options.data, "/key/list?return_full_object=true&size=100"))}\n`);
}

/** Asks the gateway that runs on this data folder. @throws TollgateError `gateway_unreachable` */
async function ask(folder: string, path: string, body?: object): Promise<unknown> {
  let url: string;
  let key: string;
  try {
    url = (JSON.parse(readFileSync(join(folder, "gateway.json"), "utf8")) as { url: string }).url;
    key = readFileSync(join(folder, "master-key"), "utf8").trim();
  } catch {
    throw new TollgateError("gateway_unreachable", `No gateway runs on the data folder ${folder}. Start it with \`npm start\`, or name its folder with --data.`);
  }
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }) }).catch((cause: unknown) => {
    throw new TollgateError("gateway_unreachable", `The gateway at ${url} does not answer.`, { cause });
  });
  const answer = (await response.json()) as { error?: { message: string } };
  if (!response.ok) throw new TollgateError("invalid_request", answer.error?.message ?? `status ${response.status}`);
  return answer;
}
