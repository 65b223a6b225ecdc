import { stringify } from "csv-stringify/sync";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { textOf, type Column, type EntryWriter, type Sink } from "../columns.ts";

/** What a spreadsheet would run as a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** RFC 4180 with a header. Text that a spreadsheet would take for a formula gets an apostrophe; amounts and counts stay as they are. */
export class CsvWriter implements EntryWriter {
  private readonly columns: readonly Column[];
  private readonly sink: Sink;
  private bytes = 0;
  private begun = false;

  constructor(columns: readonly Column[], sink: Sink) {
    this.columns = columns;
    this.sink = sink;
  }

  async write(entries: readonly Entry[]): Promise<number> {
    const rows = entries.map((entry) => this.columns.map((column) => cell(column, entry)));
    if (!this.begun) rows.unshift(this.columns.map(({ name }) => name));
    this.begun = true;
    const text = Buffer.from(stringify(rows, { record_delimiter: "\r\n", quoted_match: /[\r\n]/ }), "utf8");
    this.bytes += text.length;
    await this.sink(text);
    return this.bytes;
  }

  async end(): Promise<number> {
    return this.begun ? this.bytes : this.write([]);
  }
}

function cell({ kind, of }: Column, entry: Entry): string {
  const text = textOf(kind, of(entry));
  return kind === "text" && FORMULA.test(text) ? `'${text}` : text;
}
