import { cutToColumns, textColumns } from "../../base/text-columns.ts";
import { styled, type Style, type Terminal } from "./terminal.ts";

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** May be shortened where the terminal is too narrow; otherwise never. */
  readonly shrinks?: boolean;
}

export interface TableRow {
  readonly cells: readonly string[];
  readonly style?: Style;
}

const GAP = "  ";
const NARROWEST = 6;

/** Lines of a table: aligned, no wider than the terminal as long as columns that may shrink can give way. */
export function tableLines(terminal: Pick<Terminal, "colour" | "columns">, columns: readonly Column[], rows: readonly TableRow[]): string[] {
  const widths = columns.map((column, index) => Math.max(width(column.title), ...rows.map((row) => width(row.cells[index] ?? ""))));
  shrink(columns, widths, terminal.columns);
  const line = (cells: readonly string[]): string => columns.map((column, index) => fitted(cells[index] ?? "", widths[index] as number, column.align)).join(GAP).trimEnd();
  const head = styled(terminal, "dim", line(columns.map((column) => column.title)));
  return [head, ...rows.map((row) => (row.style === undefined ? line(row.cells) : styled(terminal, row.style, line(row.cells))))];
}

function shrink(columns: readonly Column[], widths: number[], most: number): void {
  let excess = widths.reduce((sum, one) => sum + one, GAP.length * (widths.length - 1)) - most;
  while (excess > 0) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const current = widths[index] as number;
      if (column.shrinks === true && current > NARROWEST && (widest === -1 || current > (widths[widest] as number))) widest = index;
    }
    if (widest === -1) return;
    widths[widest] = (widths[widest] as number) - 1;
    excess -= 1;
  }
}

/** A line that a terminal of this width does not wrap. Names come from outside: what could move the cursor is not printed. */
function fitted(text: string, most: number, align: Column["align"]): string {
  const shown = cutToColumns(printable(text), most);
  const padding = " ".repeat(Math.max(0, most - width(shown)));
  return align === "left" ? shown + padding : padding + shown;
}

/** Without control characters: a key's alias must not be able to write to the reader's terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, "?");
}

/** Lines of at most so many columns, broken between words. */
export function wrapped(text: string, columns: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text).split(" ")) {
    if (line !== "" && indent.length + textColumns(line) + 1 + textColumns(word) > columns) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, indent + line];
}

function width(text: string): number {
  return textColumns(printable(text));
}
