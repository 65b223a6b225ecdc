import { existsSync } from "node:fs";
import { join } from "node:path";
import type { StartOptions } from "../../surfaces/cli/program.ts";
import { styled, type Terminal } from "../../surfaces/cli/terminal.ts";
import { loadConfig } from "../config/load-config.ts";
import { startGateway, type RunningGateway } from "../gateway.ts";
import { commandPrefix, shellWord } from "./command-prefix.ts";
import { stopSignal } from "./stop-signal.ts";

/** Runs the gateway until it is told to stop. */
export async function start(options: StartOptions, terminal: Terminal): Promise<void> {
  const file = options.config ?? (existsSync("tollgate.yaml") ? "tollgate.yaml" : undefined);
  const config = loadConfig({ file, env: process.env });
  const signal = stopSignal();
  const gateway = await startGateway({ config, env: { ...process.env, ...config.environment }, host: options.host, port: options.port, folder: options.data });
  for (const warning of config.warnings) terminal.remark(`warning: ${warning}\n`);
  terminal.out(welcome(gateway, options, file, terminal));
  await signal;
  terminal.remark("Stopping: requests in flight are finished first. A second Ctrl-C ends them at once.\n");
  await gateway.close();
}

function welcome(gateway: RunningGateway, { data }: StartOptions, file: string | undefined, terminal: Terminal): string {
  const prefix = commandPrefix();
  const folder = data === ".tollgate" ? "" : ` --data ${shellWord(data)}`;
  const { replayed, crashed } = gateway.recovered;
  return [
    styled(terminal, "bold", `Tollgate is ready: ${gateway.url}`),
    `Master key:     in ${gateway.masterKeyPath}`,
    `Configuration:  ${file ?? "none (tollgate.yaml is read if it exists; tollgate.example.yaml shows one)"}`,
    `Ledger:         ${join(data, "ledger.db")}`,
    ...(replayed + crashed === 0 ? [] : [`Recovered:      ${replayed} settled requests replayed, ${crashed} charged at their holds`]),
    ...(gateway.simulated ? [styled(terminal, "yellow", `SIMULATED:      no provider key was found, so answers come from a simulated provider (${gateway.modelNames.join(", ")})`)] : []),
    "",
    "Make a key with a $0.05 budget (in another terminal, in this folder; the master key is read from its file):", "",
    `  KEY=$(${prefix} keys create --budget 0.05 --key-only${folder}); echo "$KEY"`, "",
    `Spend it until it is refused${gateway.simulated ? "" : " (this calls a real provider, for $0.05 at most)"}:`, "",
    `  ${prefix} spend --key "$KEY"${folder}`, "", "",
  ].join("\n");
}
