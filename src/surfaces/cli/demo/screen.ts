import { count, dollarColumn, dollars, share } from "../amounts.ts";
import { parseNanoUsd } from "../../../base/money.ts";
import type { SpendRow } from "../report.ts";
import { tableLines, type TableRow } from "../table.ts";
import { styled, type Terminal } from "../terminal.ts";
import type { DemoKeyInUse } from "./set-up.ts";
import type { Tally } from "./traffic.ts";

/** What the screen shows at one instant. */
export interface DemoState {
  readonly url: string;
  readonly seed: number;
  readonly elapsedMs: number;
  readonly totalMs: number;
  readonly keys: readonly DemoKeyInUse[];
  readonly byKey: readonly SpendRow[];
  readonly byModel: readonly SpendRow[];
  readonly tally: Tally;
}

/** A screen that is drawn over itself while the demo runs. */
export class DemoScreen {
  private readonly terminal: Terminal;
  private drawn = 0;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  draw(state: DemoState): void {
    const { terminal } = this;
    // More lines than the terminal has could not be drawn over.
    const lines = demoLines(terminal, state).slice(0, terminal.rows - 1);
    const back = this.drawn === 0 ? "" : `\u001B[${this.drawn}A`;
    // A line that wrapped would be two: no wrapping while it is drawn.
    terminal.out(`\u001B[?7l${back}${lines.map((line) => `\u001B[2K${line}\n`).join("")}\u001B[0J\u001B[?7h`);
    this.drawn = lines.length;
  }

  /** Takes the screen away, so that the closing report stands in its place. */
  clear(): void {
    if (this.drawn > 0) this.terminal.out(`\u001B[${this.drawn}A\u001B[0J`);
    this.drawn = 0;
  }
}

export function demoLines(terminal: Pick<Terminal, "colour" | "columns" | "rows">, state: DemoState): string[] {
  return [
    `${styled(terminal, "bold", "Tollgate demo")}  ${state.url}  ${styled(terminal, "yellow", "SIMULATED provider: no money is spent")}`,
    `${bar(state.elapsedMs / state.totalMs, Math.min(40, terminal.columns - 40))}  ${clock(state.elapsedMs)} of ${clock(state.totalMs)}  seed ${state.seed}  Ctrl-C ends it`,
    "",
    ...keyLines(terminal, state),
    "",
    ...modelLines(terminal, state),
    "",
    ...tallyLines(state.tally),
  ];
}

export function tallyLines(tally: Tally): [refused: string, rest: string] {
  const refused = [...tally.refused].map(([code, times]) => `${code} ${count(times)}`).join(", ");
  return [`refused: ${refused === "" ? "0" : refused}`, `upstream errors: ${count(tally.upstreamErrors)}   clients left: ${count(tally.clientsLeft)}   in flight: ${count(tally.inFlight)}`];
}

function keyLines(terminal: Pick<Terminal, "colour" | "columns">, state: DemoState): string[] {
  const rows = state.keys.map((key) => ({ key, spend: state.byKey.find((row) => row.label === key.name) }));
  const amounts = dollarColumn([...rows.map(({ spend }) => BigInt(spend?.cost ?? "0")), total(state.byKey)]);
  const body: TableRow[] = rows.map(({ key, spend }, index) => {
    const budget = key.budget === undefined ? undefined : parseNanoUsd(String(key.budget));
    const used = budget === undefined ? "" : share(BigInt(spend?.cost ?? "0"), budget);
    return { cells: [key.team, key.name, count(spend?.requests ?? 0), count(state.tally.refusedByKey.get(key.name) ?? 0), amounts[index] ?? "", budget === undefined ? limitText(key) : dollars(budget), used] };
  });
  const sum = ["", "total", count(state.byKey.reduce((all, row) => all + row.requests, 0)), count([...state.tally.refused.values()].reduce((all, times) => all + times, 0)), amounts[rows.length] ?? "", "", ""];
  return tableLines(terminal, [
    { title: "team", align: "left" }, { title: "key", align: "left", shrinks: true }, { title: "requests", align: "right" }, { title: "refused", align: "right" },
    { title: "spend", align: "right" }, { title: "limit", align: "right" }, { title: "used", align: "right" },
  ], [...body, { cells: sum, style: "bold" }]);
}

function limitText(key: DemoKeyInUse): string {
  return key.rpm === undefined ? "" : `${key.rpm} rpm`;
}

function modelLines(terminal: Pick<Terminal, "colour" | "columns">, state: DemoState): string[] {
  const all = total(state.byModel);
  const amounts = dollarColumn(state.byModel.map((row) => BigInt(row.cost)));
  return tableLines(terminal, [
    { title: "model", align: "left", shrinks: true }, { title: "requests", align: "right" }, { title: "tokens in", align: "right" },
    { title: "tokens out", align: "right" }, { title: "spend", align: "right" }, { title: "share", align: "right" },
  ], state.byModel.map((row, index) => ({ cells: [row.group, count(row.requests), count(row.inputTokens), count(row.outputTokens), amounts[index] ?? "", share(BigInt(row.cost), all)] })));
}

function total(rows: readonly SpendRow[]): bigint {
  return rows.reduce((sum, row) => sum + BigInt(row.cost), 0n);
}

function bar(done: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, done)) * width);
  return `${"█".repeat(filled)}${"░".repeat(width - filled)}`;
}

export function clock(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
