import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, truncateSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { TollgateError } from "../../base/errors.ts";
import { InFlight } from "../../base/in-flight.ts";
import type { Journal, OpenHold } from "../../domain/ledger/ports.ts";
import { LineBuffer } from "./line-buffer.ts";

const SEGMENT_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 250;
/** Room for the records of some turns; without a line feed, so that it is no record. */
const PROBE = Buffer.alloc(65_536, "-");
const SEGMENT = /^(\d{16})\.journal$/;

interface Waiting {
  readonly record: string;
  /** A cost must land: it is retried until it does. */
  readonly mustLand: boolean;
  readonly then: (error: Error | undefined, sequence: number) => void;
}

export interface FileJournalOptions {
  /** Made by `readJournal`. */
  readonly folder: string;
  readonly nextSequence: number;
  /** Segments of earlier runs, oldest first. */
  readonly finished: readonly { readonly path: string; readonly last: number }[];
  /** Told when the journal can no longer be written, and when it can be again. */
  onHealth(healthy: boolean, error: Error | undefined): void;
  /** A new segment is begun once one is larger than this. */
  readonly segmentBytes?: number;
}

export interface JournalLine {
  readonly sequence: number;
  /** JSON text. */
  readonly record: string;
}

/**
 * An append-only journal of one process: lines of `checksum sequence record`, in segments named by their first
 * sequence number. All records of one event-loop turn share one `writeSync` (GATE 8.1); process death loses nothing.
 */
export class FileJournal implements Journal {
  private readonly folder: string;
  private descriptor: number | undefined;
  private size = 0;
  /** Part of a failed write may stand behind `size`. */
  private torn = false;
  private sequence: number;
  private readonly lines = new LineBuffer();
  private waiting: Waiting[] = [];
  private scheduled = false;
  private retry: NodeJS.Timeout | undefined;
  private readonly open = new InFlight<OpenHold>();
  /** Closed segments and the last sequence number in each, oldest first. */
  private readonly finished: { path: string; last: number }[] = [];
  private current = "";
  private readonly segmentBytes: number;
  private readonly onHealth: FileJournalOptions["onHealth"];
  private healthy = true;

  constructor(options: FileJournalOptions) {
    this.folder = options.folder;
    this.segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.sequence = options.nextSequence;
    this.finished.push(...options.finished);
    this.onHealth = (healthy, error) => options.onHealth(healthy, error);
  }

  append(record: string, then: (error: Error | undefined, sequence: number) => void, mustLand = false): void {
    this.waiting.push({ record, mustLand, then });
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.flush());
  }

  opened(hold: OpenHold): void {
    this.open.add(hold);
  }

  closed(hold: OpenHold): void {
    this.open.delete(hold);
  }

  /** Writes what waits, now. Called at the end of each turn with records, and before the process ends. */
  flush(): void {
    this.scheduled = false;
    const batch = this.waiting;
    if (batch.length === 0) return;
    this.waiting = [];
    let first = this.sequence;
    let error: Error | undefined;
    try {
      if (this.descriptor === undefined || this.size > this.segmentBytes) this.roll();
      // The copies of open holds have their numbers now, whatever becomes of the batch: no number is given twice.
      first = this.sequence;
      this.lines.clear();
      for (const waiting of batch) this.lines.add(this.sequence++, waiting.record);
      this.write(this.lines.bytes);
    } catch (problem) {
      error = problem as Error;
      this.sequence = first;
    }
    if (error !== undefined) {
      this.keepForRetry(batch, error);
      return;
    }
    this.setHealth(true, undefined);
    let sequence = this.sequence - batch.length;
    for (const waiting of batch) waiting.then(undefined, sequence++);
  }

  /** Deletes segments whose records are all in the ledger; open holds were copied when the next segment began (GATE 8.3). */
  committed(sequence: number): void {
    // Segments of an earlier run may hold the only record of an open hold until a segment of this run begins with it.
    if (this.descriptor === undefined) return;
    while (this.finished.length > 0 && (this.finished[0] as { last: number }).last <= sequence) {
      const segment = this.finished.shift() as { path: string };
      unlinkSync(segment.path);
    }
  }

  close(): void {
    this.flush();
    clearTimeout(this.retry);
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private roll(): void {
    const path = join(this.folder, `${String(this.sequence).padStart(16, "0")}.journal`);
    const descriptor = openSync(path, "a");
    const previous = this.descriptor;
    const before = { size: this.size, sequence: this.sequence };
    this.descriptor = descriptor;
    this.size = 0;
    try {
      this.lines.clear();
      this.open.forEach(({ record }) => this.lines.add(this.sequence++, record));
      this.write(this.lines.bytes);
    } catch (problem) {
      this.descriptor = previous;
      this.size = before.size;
      this.sequence = before.sequence;
      closeSync(descriptor);
      unlinkSync(path);
      throw problem;
    }
    if (previous !== undefined) {
      closeSync(previous);
      this.finished.push({ path: this.current, last: before.sequence - 1 });
    }
    this.current = path;
  }

  private write(bytes: Buffer): void {
    const descriptor = this.descriptor as number;
    let done = 0;
    try {
      if (this.torn) ftruncateSync(descriptor, this.size);
      this.torn = false;
      while (done < bytes.length) done += writeSync(descriptor, bytes, done, bytes.length - done);
      this.size += bytes.length;
    } catch (problem) {
      // What was written in part must not stand before the next record; a disk that refuses even that is asked again.
      this.torn = true;
      ftruncateSync(descriptor, this.size);
      this.torn = false;
      throw problem;
    }
  }

  private keepForRetry(batch: readonly Waiting[], error: Error): void {
    this.setHealth(false, error);
    // The answer is delivered; the cost stays in the counters and is appended as soon as the disk takes it, before
    // anything that is appended from here on.
    for (const waiting of batch) if (waiting.mustLand) this.waiting.push(waiting);
    for (const waiting of batch) waiting.then(error, -1);
    this.askAgain();
  }

  private askAgain(): void {
    this.retry ??= setTimeout(() => {
      this.retry = undefined;
      if (this.waiting.length > 0) this.flush();
      else this.probe();
    }, RETRY_MS);
    this.retry.unref();
  }

  /** Whoever sees that nothing can be written sends nothing: so the disk is asked without a record that waits. */
  private probe(): void {
    if (this.healthy) return;
    try {
      if (this.descriptor === undefined || this.size > this.segmentBytes) this.roll();
      const before = this.size;
      this.write(PROBE);
      this.size = before;
      // Should the process end here, a start cuts it off like any torn record.
      this.torn = true;
      ftruncateSync(this.descriptor as number, before);
      this.torn = false;
    } catch {
      this.askAgain();
      return;
    }
    this.setHealth(true, undefined);
  }

  private setHealth(healthy: boolean, error: Error | undefined): void {
    if (this.healthy === healthy) return;
    this.healthy = healthy;
    this.onHealth(healthy, error);
  }
}

export interface JournalContents {
  readonly lines: readonly JournalLine[];
  readonly nextSequence: number;
  readonly segments: readonly { path: string; last: number }[];
}

/**
 * Reads a journal folder at start. A torn last record is cut off; damage elsewhere stops the start (GATE 8.4).
 * @throws TollgateError `journal_corrupt`, naming file and offset
 */
export function readJournal(folder: string): JournalContents {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(folder).filter((name) => SEGMENT.test(name)).sort();
  const lines: JournalLine[] = [];
  const segments: { path: string; last: number }[] = [];
  let nextSequence = 1;
  for (const [index, name] of names.entries()) {
    const path = join(folder, name);
    const newest = index === names.length - 1;
    const from = Number(name.slice(0, 16));
    nextSequence = Math.max(nextSequence, from);
    for (const line of readSegment(path, newest)) {
      lines.push(line);
      nextSequence = Math.max(nextSequence, line.sequence + 1);
    }
    segments.push({ path, last: nextSequence - 1 });
  }
  return { lines, nextSequence, segments };
}

function readSegment(path: string, newest: boolean): JournalLine[] {
  const bytes = readFileSync(path);
  const lines: JournalLine[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const end = bytes.indexOf(10, offset);
    const line = end === -1 ? undefined : parseLine(bytes.toString("utf8", offset, end));
    if (line === undefined) {
      const last = end === -1 || end === bytes.length - 1;
      if (newest && last) {
        truncateSync(path, offset);
        break;
      }
      throw new TollgateError("journal_corrupt", `The journal is damaged at byte ${offset} of ${path}. Restore the file from a backup, or move it away to start without its records (their costs are then missing).`, { details: { file: path, offset } });
    }
    lines.push(line);
    offset = end + 1;
  }
  return lines;
}

function parseLine(text: string): JournalLine | undefined {
  const body = text.slice(9);
  if (text.charAt(8) !== " " || crc32(body) !== Number.parseInt(text.slice(0, 8), 16)) return undefined;
  const space = body.indexOf(" ");
  const sequence = Number(body.slice(0, space));
  return Number.isSafeInteger(sequence) && sequence > 0 ? { sequence, record: body.slice(space + 1) } : undefined;
}
