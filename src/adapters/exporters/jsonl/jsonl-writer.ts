import type { Entry } from "../../../domain/ledger/entry.ts";
import { textOf, type Column, type EntryWriter, type Sink } from "../columns.ts";

const AS_JSON: ReadonlySet<string> = new Set(["tags", "metadata", "lines"]);

/** One object a line. Amounts are numbers with all their digits: a reader that keeps decimals keeps them exactly. */
export class JsonlWriter implements EntryWriter {
  private readonly columns: readonly Column[];
  private readonly sink: Sink;
  private bytes = 0;

  constructor(columns: readonly Column[], sink: Sink) {
    this.columns = columns;
    this.sink = sink;
  }

  async write(entries: readonly Entry[]): Promise<number> {
    let text = "";
    for (const entry of entries) text += `{${this.columns.map((column) => `${JSON.stringify(column.name)}:${value(column, entry)}`).join(",")}}\n`;
    const bytes = Buffer.from(text, "utf8");
    this.bytes += bytes.length;
    if (bytes.length > 0) await this.sink(bytes);
    return this.bytes;
  }

  async end(): Promise<number> {
    return this.bytes;
  }
}

function value({ name, kind, of }: Column, entry: Entry): string {
  const found = of(entry);
  if (found === null) return "null";
  // They are JSON already.
  if (AS_JSON.has(name)) return String(found);
  return kind === "text" || kind === "time" ? JSON.stringify(textOf(kind, found)) : textOf(kind, found);
}
