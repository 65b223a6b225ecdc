import { TollgateError } from "../../../base/errors.ts";
import type { CostSource, Name } from "../../../domain/analytics/source.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import type { Batch, EntryFilter, LedgerStore, RecordChange } from "../../../domain/ledger/store.ts";
import type { DatabaseSync } from "node:sqlite";
import { auditLedger } from "./audit.ts";
import { CostReader } from "./cost-reader.ts";
import { LedgerReader } from "./ledger-reader.ts";
import type { Loaded } from "./ledger-writer.ts";
import type { ReaderRequest } from "./messages.ts";
import { openForReading } from "./schema.ts";
import { WorkerCalls } from "./worker-calls.ts";
import { WriterThread } from "./writer-thread.ts";

export interface SqliteStoreOptions {
  /** The ledger's file; made if there is none. */
  readonly path: string;
  /** Told of every commit that failed and will be tried again, and of the end of a thread. */
  onProblem(error: Error): void;
  /** Told when the thread that writes ended, and when another has caught up. */
  onHealth?(healthy: boolean): void;
}

/**
 * Opens the ledger in a file of SQLite (GATE 8.2): one thread writes, another reads.
 *
 * @throws TollgateError `ledger_newer`, `ledger_unreadable`
 * @example const store = await openSqliteStore({ path: "data/ledger.db", onProblem: (error) => log(error) })
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<LedgerStore> {
  const store = new SqliteStore(options);
  try {
    await store.load();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class SqliteStore implements LedgerStore {
  readonly history: LedgerStore["history"] = {
    spent: (query) => this.read("history", query),
    has: (entryId) => this.read("has", entryId),
  };
  readonly costs: LedgerStore["costs"] = {
    sums: (query) => this.read("sums", query),
    entries: (query) => this.read("costEntries", query),
    arrivals: (after) => this.read("arrivals", after),
    names: async (dimension) => new Map(await this.read<[string, Name][]>("names", dimension)),
  };
  private readonly options: SqliteStoreOptions;
  private readonly writer: WriterThread;
  private reader: WorkerCalls | undefined;
  private readonly listeners: ((lastSequence: number) => void)[] = [];
  private begun: (() => void)[] = [];
  private closing: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.options = options;
    this.writer = new WriterThread(options.path, {
      committed: (lastSequence) => { for (const listener of this.listeners) listener(lastSequence); },
      problem: (error) => options.onProblem(error),
      health: (healthy) => options.onHealth?.(healthy),
    });
  }

  async load(): Promise<Loaded> {
    return (await this.writer.call({ type: "load" })) as Loaded;
  }

  write(batch: Batch): void {
    this.writer.write(batch);
  }

  onCommitted(listener: (lastSequence: number) => void): void {
    this.listeners.push(listener);
  }

  async commit(): Promise<void> {
    await this.writer.call({ type: "commit", patient: true });
  }

  async change(changes: readonly RecordChange[], balancesToDelete: readonly string[] = []): Promise<void> {
    await this.writer.call({ type: "change", changes, balancesToDelete });
  }

  entries(filter: EntryFilter): ReturnType<LedgerStore["entries"]> {
    return this.read("entries", filter);
  }

  spent(scope: string, model: string | undefined, from: number, to: number): Promise<bigint> {
    return this.read("spent", scope, model, from, to);
  }

  totals(query: Parameters<LedgerStore["totals"]>[0]): ReturnType<LedgerStore["totals"]> {
    return this.read("totals", query);
  }

  totalsByScope(kind: string, from: number, to: number): ReturnType<LedgerStore["totalsByScope"]> {
    return this.read("totalsByScope", kind, from, to);
  }

  records(): ReturnType<LedgerStore["records"]> {
    return this.read("records");
  }

  audit(counters?: readonly Balance[]): ReturnType<LedgerStore["audit"]> {
    return this.auditHeld(counters);
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** No commit comes between the counters and the reader's view, or every charge in between would look like a difference. */
  private async auditHeld(counters: readonly Balance[] | undefined): ReturnType<LedgerStore["audit"]> {
    await this.writer.call({ type: "hold" });
    let held = true;
    const release = (): void => {
      if (held) this.writer.post({ type: "release" });
      held = false;
    };
    this.begun.push(release);
    try {
      return await this.ask("audit", counters);
    } finally {
      release();
      this.begun = this.begun.filter((other) => other !== release);
    }
  }

  private async end(): Promise<void> {
    try {
      await this.writer.close();
    } finally {
      await this.reader?.terminate();
    }
  }

  /** A reader sees what is committed, so a commit goes first. */
  private async read<Answer>(method: ReaderRequest["method"], ...parameters: readonly unknown[]): Promise<Answer> {
    await this.writer.call({ type: "commit" });
    return await this.ask<Answer>(method, ...parameters);
  }

  private async ask<Answer>(method: ReaderRequest["method"], ...parameters: readonly unknown[]): Promise<Answer> {
    this.reader ??= new WorkerCalls("reader-worker", this.options.path, {
      // The reader works on one call after the other, so the first audit that waits is the one that begins.
      notice: () => this.begun.shift()?.(),
      ended: (error) => {
        this.reader = undefined;
        this.options.onProblem(error);
      },
    });
    return (await this.reader.call({ method, parameters })) as Answer;
  }
}

export interface SqliteReader extends Pick<LedgerReader, "entries" | "spent" | "totals" | "totalsByScope" | "records"> {
  /** Reports of costs; closing it closes this reader. */
  readonly costs: CostSource;
  audit(counters?: readonly Balance[]): ReturnType<typeof auditLedger>;
  close(): void;
}

/**
 * Reads a ledger on this thread, for a command that runs beside a live gateway or without one.
 * @throws TollgateError `ledger_newer`, `ledger_unreadable`
 */
export function openSqliteReader(path: string): SqliteReader {
  const database = openForReading(path);
  const reader = new LedgerReader(database);
  return {
    costs: costSourceOf(database),
    entries: (filter) => reader.entries(filter),
    spent: (scope, model, from, to) => reader.spent(scope, model, from, to),
    totals: (query) => reader.totals(query),
    totalsByScope: (kind, from, to) => reader.totalsByScope(kind, from, to),
    records: () => reader.records(),
    audit: (counters) => auditLedger(database, counters),
    close: () => database.close(),
  };
}

/** Reports of costs over a connection of this thread; closing the source closes the connection. */
export function costSourceOf(database: DatabaseSync): CostSource {
  const reader = new CostReader(database);
  return {
    sums: async (query) => undamaged(() => reader.sums(query)),
    entries: async (query) => undamaged(() => reader.entries(query)),
    arrivals: async (after) => undamaged(() => reader.arrivals(after)),
    names: async (dimension) => undamaged(() => new Map(reader.names(dimension))),
    close: async () => {
      if (database.isOpen) database.close();
    },
  };
}

/** Says of a file that is damaged inside what to do. */
function undamaged<Answer>(read: () => Answer): Answer {
  try {
    return read();
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_SQLITE_ERROR") throw error;
    throw new TollgateError("ledger_unreadable", `The ledger cannot be read to its end (${(error as Error).message}). Restore it from a copy.`, { cause: error });
  }
}
