import { parseNanoUsd } from "../../base/money.ts";
import type { Costs } from "../../domain/analytics/rows.ts";
import { count, dollarColumn } from "./amounts.ts";
import type { DIMENSION_NAMES } from "./filter.ts";
import { localTime } from "./local-time.ts";
import type { Place } from "./program.ts";
import { tableLines, type Column, type TableRow } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

export interface TopOptions extends Place {
  readonly by: keyof typeof DIMENSION_NAMES;
  readonly minutes: number;
  readonly once?: boolean;
  /** Seconds. */
  readonly every: number;
  readonly timeZone?: string;
  readonly json?: boolean;
}

export type TopSums = Pick<Costs, "costExact" | "requests">;

export interface TopLook {
  /** ISO 8601. */
  readonly at: string;
  readonly recent: TopSums;
  readonly today: TopSums;
  /** What spends most at present first. */
  readonly rows: readonly { readonly id: string | null; readonly label: string; readonly recent: TopSums; readonly today: TopSums }[];
}

/** One look. On a terminal only as many rows as it has; the totals are of all. */
export function printTop(terminal: Terminal, look: TopLook, options: TopOptions): void {
  if (wantsJson(terminal, options)) {
    const rows = look.rows.map((row) => ({ [options.by.replace("-", "_")]: row.id, name: row.label, recent: json(row.recent), today: json(row.today) }));
    return writeJson(terminal, { at: look.at, by: options.by, minutes: options.minutes, recent: json(look.recent), today: json(look.today), rows });
  }
  terminal.out(`${styled(terminal, "bold", `Spend by ${options.by}`)}, the last ${options.minutes} min and today, at ${localTime(Date.parse(look.at), options.timeZone).slice(11)} ${options.timeZone ?? "UTC"}\n\n`);
  terminal.out(look.rows.length === 0 ? "Nothing was spent today.\n" : `${lines(terminal, look, options).join("\n")}\n`);
}

function lines(terminal: Terminal, look: TopLook, { by, minutes }: TopOptions): string[] {
  const shown = look.rows.slice(0, Math.max(1, terminal.rows - 6));
  const hidden = look.rows.length - shown.length;
  const all = [...shown, { id: null, label: hidden > 0 ? `total (${count(hidden)} more)` : "total", recent: look.recent, today: look.today }];
  const recent = dollarColumn(all.map((row) => nano(row.recent)));
  const today = dollarColumn(all.map((row) => nano(row.today)));
  const columns: readonly Column[] = [
    { title: by, align: "left", shrinks: true }, { title: `req ${minutes}m`, align: "right" }, { title: `spend ${minutes}m`, align: "right" },
    { title: "req today", align: "right" }, { title: "spend today", align: "right" },
  ];
  const body = all.map((row, index): TableRow => ({
    cells: [row.label, count(row.recent.requests), recent[index] ?? "", count(row.today.requests), today[index] ?? ""], ...(index === shown.length ? { style: "bold" as const } : {}),
  }));
  return tableLines(terminal, columns, body);
}

function nano({ costExact }: TopSums): bigint {
  return parseNanoUsd(costExact) ?? 0n;
}

function json(sums: TopSums): Record<string, unknown> {
  return { cost_nano_usd: nano(sums).toString(), cost_usd: sums.costExact, requests: sums.requests };
}
