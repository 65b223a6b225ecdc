import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { FileJournal, type FileJournalOptions } from "../../src/adapters/journal/journal.ts";
import { auditLedger } from "../../src/adapters/stores/sqlite/audit.ts";
import { LedgerReader } from "../../src/adapters/stores/sqlite/ledger-reader.ts";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import type { HandOverStore } from "../../src/app/gateway/hand-over.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { JournalRecord } from "../../src/domain/ledger/entry.ts";
import type { Balance } from "../../src/domain/ledger/ports.ts";
import type { Batch } from "../../src/domain/ledger/store.ts";
import type { Random } from "../support/seeded-random.ts";

export interface JournalSpy {
  /** A record is decided on. @returns told whether it reached the disk */
  appended(record: JournalRecord): (landed: boolean) => void;
}

/** The real journal, on a disk that can be full and in a process that can die. */
class MortalJournal extends FileJournal {
  dead = false;
  private readonly machine: Machine;
  private readonly spy: JournalSpy;

  constructor(options: FileJournalOptions, machine: Machine, spy: JournalSpy) {
    super({ ...options, segmentBytes: 40_000 });
    this.machine = machine;
    this.spy = spy;
    const inner = this as unknown as { write(bytes: Buffer): void };
    const write = inner.write.bind(this);
    inner.write = (bytes) => {
      if (this.machine.diskFull) throw new Error("ENOSPC: no space left on device");
      write(bytes);
    };
  }

  override append(record: string, then: (error: Error | undefined, sequence: number) => void, mustLand?: boolean): void {
    if (this.dead) return;
    const landed = this.spy.appended(JSON.parse(record) as JournalRecord);
    super.append(record, (error, sequence) => {
      landed(error === undefined);
      then(error, sequence);
    }, mustLand);
  }

  override flush(): void {
    if (!this.dead) super.flush();
  }
}

/** What outlives a process: the clock on the wall, the journal's folder and the ledger's file. And what does not: batches on their way. */
export class Machine implements Clock {
  wallMs = Date.UTC(2026, 10, 24, 23, 50);
  monotonicMs = 1_000;
  diskFull = false;
  readonly database: DatabaseSync;
  journal: MortalJournal | undefined;
  private readonly root = mkdtempSync(join(tmpdir(), "tollgate-simulation-"));
  private readonly writer: LedgerWriter;
  private readonly reader: LedgerReader;
  private batches: Batch[] = [];
  private onCommitted: (lastSequence: number) => void = () => {};
  /** Answers of the ledger that are on their way, while `slow`. */
  private gates: (() => void)[] = [];
  slow = false;

  constructor() {
    this.database = openForWriting(join(this.root, "ledger.db"));
    // Power never fails here, and waiting for the disk would only cost time.
    this.database.exec("PRAGMA synchronous = OFF");
    this.writer = new LedgerWriter(this.database);
    this.reader = new LedgerReader(this.database);
  }

  now(): number { return this.wallMs; }
  monotonic(): number { return this.monotonicMs; }

  get folder(): string { return join(this.root, "journal"); }

  load(): ReturnType<LedgerWriter["load"]> { return this.writer.load(); }

  openJournal(spy: JournalSpy): (options: FileJournalOptions) => FileJournal {
    return (options) => (this.journal = new MortalJournal(options, this, spy));
  }

  store(): HandOverStore {
    const answered = async <Answer>(question: () => Answer): Promise<Answer> => {
      await this.gate();
      this.commit();
      const answer = question();
      await this.gate();
      return answer;
    };
    return {
      write: (batch) => { this.batches.push(batch); },
      onCommitted: (listener) => { this.onCommitted = listener; },
      history: { spent: (query) => answered(() => this.reader.history(query)), has: (entryId) => answered(() => this.reader.has(entryId)) },
    };
  }

  commit(): void {
    if (this.batches.length === 0) return;
    const batches = this.batches;
    this.batches = [];
    this.writer.write(batches);
    this.onCommitted(Math.max(...batches.map((batch) => batch.lastSequence)));
  }

  answerOne(): void { this.gates.shift()?.(); }

  /** Everything in memory is gone; the last record may be written in part. */
  crash(random: Random): void {
    if (this.journal !== undefined) {
      this.journal.dead = true;
      this.journal.close();
    }
    this.batches = [];
    this.gates = [];
    this.onCommitted = () => {};
    const newest = readdirSync(this.folder).filter((name) => name.endsWith(".journal")).sort().at(-1);
    if (newest === undefined || random() < 0.5) return;
    const path = join(this.folder, newest);
    const line = readFileSync(path, "utf8").split("\n").at(-2) ?? "";
    appendFileSync(path, line.slice(0, Math.floor(random() * line.length)));
  }

  audit(counters: readonly Balance[]): string | null { return auditLedger(this.database, counters).firstDifference; }

  entries(): ReturnType<LedgerReader["entries"]> { return this.reader.entries({ limit: 1_000_000, ascending: true }); }

  remove(): void {
    if (this.journal !== undefined) {
      this.journal.dead = true;
      this.journal.close();
    }
    this.database.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  private gate(): Promise<void> {
    return this.slow ? new Promise((resolve) => { this.gates.push(resolve); }) : Promise.resolve();
  }
}
