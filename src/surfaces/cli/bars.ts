import { cutToColumns, textColumns } from "../../base/text-columns.ts";
import { printable } from "./table.ts";
import { styled, type Terminal } from "./terminal.ts";

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const NAME_MOST = 28;

export interface BarRow {
  readonly name: string;
  readonly nanoUsd: bigint;
  /** As it is printed. */
  readonly amount: string;
}

/** A bar a row, as wide as the terminal allows; the longest is the dearest. What is not nothing is never drawn as nothing. */
export function barLines(terminal: Pick<Terminal, "colour" | "columns">, rows: readonly BarRow[], ascii = false): string[] {
  const names = rows.map((row) => cutToColumns(printable(row.name), Math.min(NAME_MOST, Math.floor(terminal.columns / 3)), ascii ? "~" : "…"));
  const nameWidth = Math.max(0, ...names.map(textColumns));
  const amountWidth = Math.max(0, ...rows.map((row) => row.amount.length));
  const room = Math.max(1, terminal.columns - nameWidth - amountWidth - 4);
  const most = rows.reduce((high, row) => (row.nanoUsd > high ? row.nanoUsd : high), 1n);
  return rows.map((row, index) => {
    const name = names[index] ?? "";
    const eighths = row.nanoUsd <= 0n ? 0 : Math.max(1, Number((row.nanoUsd * BigInt(room * 8)) / most));
    const bar = ascii ? "#".repeat(Math.ceil(eighths / 8)) : "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
    return `${name}${" ".repeat(nameWidth - textColumns(name))}  ${styled(terminal, "cyan", bar)}${" ".repeat(room - [...bar].length)}  ${row.amount.padStart(amountWidth)}`;
  });
}
