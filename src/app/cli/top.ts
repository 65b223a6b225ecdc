import { parseNanoUsd } from "../../base/money.ts";
import { DIMENSION_NAMES } from "../../surfaces/cli/filter.ts";
import { sentenceOf } from "../../surfaces/cli/program.ts";
import { wantsJson, type Terminal } from "../../surfaces/cli/terminal.ts";
import { printTop, type TopLook, type TopOptions } from "../../surfaces/cli/top.ts";
import type { CostAnalyzer } from "../books/cost-analyzer.ts";
import { analyzerOf } from "./analyzer-of.ts";
import { stopSignal } from "./stop-signal.ts";

const CLEAR = "\u001B[H\u001B[2J";
const NONE = { costExact: "0", requests: 0 };

/** Looks once, or on a terminal again and again until it is stopped. */
export async function topCosts(options: TopOptions, terminal: Terminal): Promise<void> {
  const analyzer = analyzerOf(options, options.timeZone);
  try {
    const first = await lookAt(analyzer, options);
    if (options.once === true || wantsJson(terminal, options)) return printTop(terminal, first, options);
    await watch(first, analyzer, options, terminal);
  } finally {
    await analyzer.close();
  }
}

/** What cannot be read for a while is said and waited for. */
async function watch(first: TopLook, analyzer: CostAnalyzer, options: TopOptions, terminal: Terminal): Promise<void> {
  const stopped = stopSignal().then(() => true);
  terminal.out(CLEAR);
  printTop(terminal, first, options);
  while (!(await Promise.race([stopped, pause(options.every * 1_000)]))) {
    try {
      const look = await lookAt(analyzer, options);
      terminal.out(CLEAR);
      printTop(terminal, look, options);
    } catch (error) {
      terminal.remark(`${sentenceOf(error)}\n`);
    }
  }
}

function pause(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, ms, false));
}

async function lookAt(analyzer: CostAnalyzer, options: TopOptions): Promise<TopLook> {
  const dimension = DIMENSION_NAMES[options.by];
  const now = (await analyzer.analysis()).now();
  const minutes = { from: now - options.minutes * 60_000, to: now + 1 };
  const [recent, today, recentRows, todayRows] = await Promise.all([analyzer.total(minutes), analyzer.total({ days: 1 }), analyzer.by(dimension, minutes), analyzer.by(dimension, { days: 1 })]);
  // Shortly after midnight some of what is recent is not of today.
  // A deleted team and a new one may have the same id.
  const keyOf = ({ id, label }: { readonly id: string | null; readonly label: string }): string => JSON.stringify([id, label]);
  const rows = new Map(todayRows.map((row) => [keyOf(row), { id: row.id, label: row.label, recent: NONE as TopLook["recent"], today: row as TopLook["today"] }]));
  for (const row of recentRows) rows.set(keyOf(row), { id: row.id, label: row.label, recent: row, today: rows.get(keyOf(row))?.today ?? NONE });
  const sorted = [...rows.values()].sort((a, b) => descending(a.recent, b.recent) || descending(a.today, b.today) || (a.label < b.label ? -1 : 1));
  return { at: new Date(now).toISOString(), recent, today, rows: sorted };
}

function descending(a: TopLook["recent"], b: TopLook["recent"]): number {
  const difference = (parseNanoUsd(b.costExact) ?? 0n) - (parseNanoUsd(a.costExact) ?? 0n);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}
