import type { AuditReport } from "../../../domain/ledger/store.ts";
import { count, dollars } from "../amounts.ts";
import { spendLines, type SpendRow } from "../report.ts";
import { wrapped } from "../table.ts";
import { styled, type Terminal } from "../terminal.ts";
import { clock, type DemoState } from "./screen.ts";

/** What the demo came to. */
export interface DemoResult {
  readonly state: DemoState;
  readonly byTeam: readonly SpendRow[];
  readonly byCustomer: readonly SpendRow[];
  readonly audit: AuditReport;
}

/** The closing report on a terminal. */
export function closingLines(terminal: Terminal, { state, byTeam, byCustomer, audit }: DemoResult, goOn: readonly (readonly [command: string, shows: string])[]): string[] {
  const { tally } = state;
  const bold = (text: string): string => styled(terminal, "bold", text);
  const refusals = [...tally.refused].flatMap(([code, times]) => [`  ${count(times)} × ${styled(terminal, "red", code)}, such as`, ...wrapped(tally.examples.get(code) ?? "", terminal.columns, "    ")]);
  return [
    bold(`${clock(state.elapsedMs)} of simulated traffic, seed ${state.seed}`),
    ...wrapped(`${count(tally.sent)} requests: ${count(tally.answered)} answered, ${count(sum(tally.refused))} refused, ${count(tally.upstreamErrors)} upstream errors, ${count(tally.clientsLeft)} clients left in the middle of a stream (metered all the same).`, terminal.columns),
    "", bold("By team"), ...spendLines(terminal, "team", byTeam),
    "", bold("By key"), ...spendLines(terminal, "key", state.byKey),
    "", bold("By model"), ...spendLines(terminal, "model", state.byModel),
    "", bold("By customer"), ...spendLines(terminal, "customer", byCustomer),
    "", bold("Refused, before a provider saw a byte"), ...(refusals.length === 0 ? ["  nothing"] : refusals),
    "", audit.agree
      ? `${styled(terminal, "green", "The books agree:")} ${count(audit.entries)} entries, ${dollars(BigInt(audit.totalNanoUsd))}, counted again from the ledger.`
      : `${styled(terminal, "red", "The books do not agree.")} ${audit.firstDifference}`,
    "", bold("To go on"), ...goOn.flatMap(([command, shows]) => [`  ${command}`, styled(terminal, "dim", `      ${shows}`)]),
  ];
}

/** The same in a pipe. Amounts are nano-dollars, as text. */
export function closingJson({ state, byTeam, byCustomer, audit }: DemoResult): Record<string, unknown> {
  const { tally } = state;
  const rows = (list: readonly SpendRow[]): unknown[] => list.map((row) => ({ group: row.group, name: row.label ?? row.group, cost_nano_usd: row.cost, requests: row.requests }));
  return {
    seed: state.seed, seconds: Math.round(state.elapsedMs / 1_000), requests: tally.sent, answered: tally.answered, refused: Object.fromEntries(tally.refused),
    upstream_errors: tally.upstreamErrors, clients_left: tally.clientsLeft,
    by_team: rows(byTeam), by_key: rows(state.byKey), by_model: rows(state.byModel), by_customer: rows(byCustomer), audit,
  };
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((all, one) => all + one, 0);
}
