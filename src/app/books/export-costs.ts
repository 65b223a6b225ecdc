import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { createGzip } from "node:zlib";
import { COLUMNS, LINES_COLUMN, type Column, type EntryWriter, type Sink } from "../../adapters/exporters/columns.ts";
import { CsvWriter } from "../../adapters/exporters/csv/csv-writer.ts";
import { JsonlWriter } from "../../adapters/exporters/jsonl/jsonl-writer.ts";
import { TollgateError } from "../../base/errors.ts";
import type { Entry } from "../../domain/ledger/entry.ts";
import type { AnalysisQuery } from "../../domain/analytics/analysis.ts";
import { formatNanoUsd } from "../../base/money.ts";
import { CostAnalyzer } from "./cost-analyzer.ts";

export type ExportFormat = "csv" | "jsonl" | "parquet";

/** Node's `stream.Writable`, said so that these types can be read without those of Node. */
export interface WritableLike {
  readonly destroyed: boolean;
  write(bytes: Uint8Array): boolean;
}

export interface ExportOptions extends AnalysisQuery {
  /** The file; its ending names the format where `format` does not, and `.gz` compresses. */
  readonly path?: string | undefined;
  /** Instead of a file. It is not ended. */
  readonly stream?: WritableLike | undefined;
  readonly format?: ExportFormat | undefined;
  /** Names of columns, in order; all if absent. */
  readonly columns?: readonly string[] | undefined;
  /** Quantities and rates of each entry, as a further column. */
  readonly lines?: boolean | undefined;
  /** Told after each page. */
  readonly onProgress?: ((progress: { readonly rows: number; readonly bytes: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportResult {
  readonly path: string | null;
  readonly format: ExportFormat;
  readonly rows: number;
  readonly bytes: number;
  /** Dollars of all rows, exact. */
  readonly totalExact: string;
}

/** An export that leaves something out has been told to. */
const PERIODS = ["days", "weeks", "months", "rollingDays", "rollingHours", "from", "to"] as const satisfies readonly (keyof AnalysisQuery)[];
const PAGE = 1_000;
const PART = ".tollgate-part";

/**
 * Writes every entry of a period (of all time if none is named) and a filter to a file, page by page in bounded memory. The file appears whole or not at all.
 *
 * @param of an analyzer, or what one is made of: a ledger's file or folder, or a gateway's URL
 * @throws TollgateError `invalid_request`, `file_unwritable`, and what reading rejects with; the signal's reason
 * @example await exportCosts(".tollgate", { path: "costs.csv", days: 30 });
 */
export async function exportCosts(of: CostAnalyzer | string, options: ExportOptions): Promise<ExportResult> {
  const analyzer = typeof of === "string" ? new CostAnalyzer(of) : of;
  try {
    const format = formatOf(options);
    const columns = columnsOf(options);
    if (options.stream !== undefined) return await run(analyzer, options, format, columns, streamSink(options.stream), null);
    const { path } = options;
    if (path === undefined || path === "") throw new TollgateError("invalid_request", 'An export needs a path, such as "costs.csv", or a stream.', { param: "path" });
    return await toFile(path, (sink) => run(analyzer, options, format, columns, sink, path));
  } finally {
    if (typeof of === "string") await analyzer.close();
  }
}

async function run(analyzer: CostAnalyzer, options: ExportOptions, format: ExportFormat, columns: readonly Column[], sink: Sink, path: string | null): Promise<ExportResult> {
  const writer = await writerOf(format, columns, sink);
  let rows = 0;
  let total = 0n;
  let page: Entry[] = [];
  const flush = async (): Promise<void> => {
    options.signal?.throwIfAborted();
    rows += page.length;
    const bytes = await writer.write(page);
    page = [];
    options.onProgress?.({ rows, bytes });
  };
  options.signal?.throwIfAborted();
  for await (const entry of analyzer.entries(PERIODS.some((name) => options[name] !== undefined) ? options : { ...options, from: 0, to: 2 ** 48 - 1 })) {
    page.push(entry);
    total += BigInt(entry.cost);
    if (page.length >= PAGE) await flush();
  }
  if (page.length > 0) await flush();
  return { path, format, rows, bytes: await writer.end(), totalExact: formatNanoUsd(total) };
}

async function writerOf(format: ExportFormat, columns: readonly Column[], sink: Sink): Promise<EntryWriter> {
  if (format === "csv") return new CsvWriter(columns, sink);
  if (format === "jsonl") return new JsonlWriter(columns, sink);
  return new (await import("../../adapters/exporters/parquet/parquet-writer.ts")).EntryParquetWriter(columns, sink);
}

/** Written beside the file and renamed at the end; what an interrupted export of it left is removed. */
async function toFile(path: string, write: (sink: Sink) => Promise<ExportResult>): Promise<ExportResult> {
  const part = `${path}.${randomBytes(4).toString("hex")}${PART}`;
  let file: FileHandle | undefined;
  try {
    removeParts(path);
    file = await open(part, "wx");
    const handle = file;
    const plain: Sink = async (bytes) => {
      await handle.write(bytes);
    };
    const result = path.endsWith(".gz") ? await gzipped(plain, write) : await write(plain);
    await file.sync();
    await file.close();
    file = undefined;
    await rename(part, path);
    return result;
  } catch (error) {
    await file?.close().catch(() => {});
    await rm(part, { force: true }).catch(() => {});
    const code = (error as NodeJS.ErrnoException).code;
    if (typeof code !== "string" || !/^E[A-Z]+$/.test(code)) throw error;
    throw new TollgateError("file_unwritable", `${path} cannot be written (${code}). Name a file in a folder that exists and has room.`, { param: "path", cause: error });
  }
}

/** Two exports to one path at a time are a mistake: the later one wins, and the earlier one fails at its end. */
function removeParts(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) return;
  const start = `${basename(path)}.`;
  for (const name of readdirSync(folder)) {
    if (name.startsWith(start) && name.endsWith(PART) && /^[0-9a-f]{8}$/.test(name.slice(start.length, -PART.length))) rmSync(join(folder, name), { force: true });
  }
}

async function gzipped(sink: Sink, write: (sink: Sink) => Promise<ExportResult>): Promise<ExportResult> {
  const gzip = createGzip();
  const drained = (async () => {
    for await (const chunk of gzip) await sink(chunk as Buffer);
  })();
  drained.catch((error: unknown) => gzip.destroy(error as Error));
  const result = await write(streamSink(gzip));
  gzip.end();
  await drained;
  return result;
}

function streamSink(target: WritableLike): Sink {
  const stream = target as Writable;
  return async (bytes) => {
    if (stream.destroyed) throw new TollgateError("file_unwritable", "The stream was closed before the export ended.", { param: "stream", cause: stream.errored });
    if (!stream.write(bytes)) await once(stream, "drain");
  };
}

function formatOf({ format, path }: ExportOptions): ExportFormat {
  const ending = path?.replace(/\.gz$/, "").split(".").pop()?.toLowerCase();
  const said = format ?? (ending === "ndjson" ? "jsonl" : ending);
  if (said !== "csv" && said !== "jsonl" && said !== "parquet") throw new TollgateError("invalid_request", 'format must be "csv", "jsonl" or "parquet", or the ending of the path.', { param: "format" });
  if (said === "parquet" && path?.endsWith(".gz") === true) throw new TollgateError("invalid_request", "Parquet files are compressed inside; leave .gz out.", { param: "path" });
  return said;
}

function columnsOf({ columns, lines }: ExportOptions): readonly Column[] {
  const all = lines === true ? [...COLUMNS, LINES_COLUMN] : COLUMNS;
  if (columns === undefined) return all;
  return columns.map((name) => {
    const found = [...COLUMNS, LINES_COLUMN].find((column) => column.name === name);
    if (found === undefined) throw new TollgateError("invalid_request", `There is no column ${JSON.stringify(String(name).slice(0, 64))}; there are ${COLUMNS.map((column) => column.name).join(", ")}, lines.`, { param: "columns" });
    return found;
  });
}
