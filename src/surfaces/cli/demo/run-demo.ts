import { setTimeout as wait } from "node:timers/promises";
import type { AuditReport } from "../../../domain/ledger/store.ts";
import { ask, type GatewayAddress } from "../gateway-client.ts";
import type { Grouping, SpendRow } from "../report.ts";
import { wantsJson, type Terminal } from "../terminal.ts";
import { closingJson, closingLines, type DemoResult } from "./closing.ts";
import { clock, DemoScreen, tallyLines, type DemoState } from "./screen.ts";
import { setUpOffice } from "./set-up.ts";
import { newTally, runTraffic } from "./traffic.ts";

const DRAW_MS = 1_000;
const REMARK_MS = 10_000;

export interface DemoRun {
  readonly minutes: number;
  readonly seed: number;
  readonly json?: boolean | undefined;
  /** Commands that show more, each with what it shows. */
  readonly goOn: readonly (readonly [command: string, shows: string])[];
  /** Ends the traffic before its time; the closing report still comes. */
  readonly stopped: Promise<void>;
}

/** Sends the demo's traffic to a gateway, shows it as it goes, and closes with a report. */
export async function runDemo(terminal: Terminal, gateway: GatewayAddress, demo: DemoRun): Promise<void> {
  const keys = await setUpOffice(gateway, demo.minutes);
  const tally = newTally();
  const ending = new AbortController();
  const totalMs = demo.minutes * 60_000;
  const beganMs = performance.now();
  const timer = setTimeout(() => ending.abort(), totalMs);
  void demo.stopped.then(() => ending.abort());
  const traffic = runTraffic(gateway.url, keys, demo.seed, tally, ending.signal);
  const look = async (): Promise<DemoState> => ({
    url: gateway.url, seed: demo.seed, elapsedMs: Math.min(totalMs, performance.now() - beganMs), totalMs, keys, tally,
    byKey: await spend(gateway, "key"), byModel: await spend(gateway, "model"),
  });
  const screen = terminal.isTerminal && demo.json !== true ? new DemoScreen(terminal) : undefined;
  const everyMs = screen === undefined ? REMARK_MS : DRAW_MS;
  while (!ending.signal.aborted) {
    const state = await look();
    if (screen === undefined) terminal.remark(`${clock(state.elapsedMs)} of ${clock(totalMs)}   requests: ${tally.sent}   ${tallyLines(tally).join("   ")}\n`);
    else screen.draw(state);
    await wait(everyMs, undefined, { signal: ending.signal }).catch(() => {});
  }
  clearTimeout(timer);
  await traffic;
  screen?.clear();
  const result = await resultOf(gateway, await look());
  if (wantsJson(terminal, demo)) terminal.out(`${JSON.stringify(closingJson(result))}\n`);
  else terminal.out(`${closingLines(terminal, result, demo.goOn).join("\n")}\n`);
}

async function resultOf(gateway: GatewayAddress, state: DemoState): Promise<DemoResult> {
  return {
    state,
    byTeam: await spend(gateway, "team"),
    byCustomer: await spend(gateway, "customer"),
    audit: (await ask(gateway, "/v1/tollgate/audit")) as AuditReport,
  };
}

async function spend(gateway: GatewayAddress, by: Grouping): Promise<readonly SpendRow[]> {
  return ((await ask(gateway, `/v1/tollgate/spend?by=${by}`)) as { rows: SpendRow[] }).rows;
}
