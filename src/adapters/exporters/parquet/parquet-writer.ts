import type { SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { Entry } from "../../../domain/ledger/entry.ts";
import type { Column, ColumnKind, EntryWriter, Sink } from "../columns.ts";

const ROW_GROUP = 10_000;

const TYPES: Readonly<Record<ColumnKind, Omit<SchemaElement, "name">>> = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  time: { type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
  count: { type: "INT64" },
  number: { type: "DOUBLE" },
  flag: { type: "BOOLEAN" },
  usd: { type: "INT64", converted_type: "DECIMAL", precision: 18, scale: 9 },
};

/** Parquet with row groups of 10,000 rows; amounts are `DECIMAL(18,9)`, from nano-dollars as they are. */
export class EntryParquetWriter implements EntryWriter {
  private readonly columns: readonly Column[];
  private readonly sink: Sink;
  private readonly buffer = new ByteWriter();
  private readonly parquet: ParquetWriter;
  private waiting: Entry[] = [];
  private bytes = 0;
  private written = 0;

  constructor(columns: readonly Column[], sink: Sink) {
    this.columns = columns;
    this.sink = sink;
    const schema: SchemaElement[] = [{ name: "entries", num_children: columns.length }, ...columns.map(({ name, kind }): SchemaElement => ({ name, repetition_type: "OPTIONAL", ...TYPES[kind] }))];
    this.parquet = new ParquetWriter({ writer: this.buffer, schema, createdBy: "tollgate" });
  }

  async write(entries: readonly Entry[]): Promise<number> {
    this.waiting.push(...entries);
    while (this.waiting.length >= ROW_GROUP) await this.group(this.waiting.splice(0, ROW_GROUP));
    return this.bytes;
  }

  async end(): Promise<number> {
    if (this.waiting.length > 0) await this.group(this.waiting.splice(0));
    await this.parquet.finish();
    await this.flush();
    return this.bytes;
  }

  private async group(entries: readonly Entry[]): Promise<void> {
    await this.parquet.write({ columnData: this.columns.map((column) => ({ name: column.name, data: entries.map((entry) => cell(column, entry)) })), rowGroupSize: ROW_GROUP });
    await this.flush();
  }

  /** Offsets in the file go on counting; the bytes leave memory. */
  private async flush(): Promise<void> {
    const { buffer } = this;
    const fresh = new Uint8Array(buffer.buffer.slice(0, buffer.index));
    this.written += fresh.length;
    this.bytes = this.written;
    buffer.index = 0;
    if (fresh.length > 0) await this.sink(fresh);
  }
}

function cell({ kind, of }: Column, entry: Entry): unknown {
  const value = of(entry);
  if (value === null) return null;
  if (kind === "time") return new Date(value as number);
  return kind === "count" ? BigInt(value as number) : value;
}
