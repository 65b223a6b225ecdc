import { readFileSync } from "node:fs";
import { runDemo } from "../../surfaces/cli/demo/run-demo.ts";
import type { DemoOptions } from "../../surfaces/cli/program.ts";
import type { Terminal } from "../../surfaces/cli/terminal.ts";
import { loadConfig } from "../config/load-config.ts";
import { startGateway } from "../gateway.ts";
import { commandPrefix, shellWord, startCommand } from "./command-prefix.ts";
import { stopSignal } from "./stop-signal.ts";

/** Only the simulated provider, whatever keys are in the environment: a demo spends no money. */
const CONFIG = "tollgate: { simulated: always, log_level: silent }";
const FAULT_SHARE = 0.02;

/** A gateway with a simulated provider, under a few minutes of traffic. */
export async function demo(options: DemoOptions, terminal: Terminal): Promise<void> {
  const stopped = stopSignal();
  const gateway = await startGateway({
    config: loadConfig({ text: CONFIG, env: {} }), env: {}, host: "127.0.0.1", port: options.port, folder: options.data,
    simulation: { seed: options.seed, faultShare: FAULT_SHARE },
  });
  try {
    const key = readFileSync(gateway.masterKeyPath, "utf8").trim();
    await runDemo(terminal, { url: gateway.url, key }, { ...options, stopped, goOn: goOn(options.data) });
  } finally {
    await gateway.close();
  }
}

function goOn(folder: string): readonly (readonly [command: string, shows: string])[] {
  const prefix = commandPrefix();
  const data = `--data ${shellWord(folder)}`;
  return [
    [`${prefix} report --by customer ${data}`, "the same books, read from the file"],
    [`${prefix} audit ${data}`, "the proof, once more"],
    [startCommand(folder), "a gateway on these books, to send requests of your own"],
  ];
}
