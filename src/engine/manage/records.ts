import type { Clock } from "../../base/clock.ts";
import { TollgateError } from "../../base/errors.ts";
import type { NanoUsd } from "../../base/money.ts";
import type { UlidSource } from "../../base/ids.ts";
import type { RecordChange } from "../../domain/ledger/store.ts";
import type { Limit } from "../../domain/limits/limit.ts";
import type { LimitedRecord, RecordKind, RecordKinds } from "../../domain/scopes/records.ts";
import type { Scope } from "../../domain/scopes/scope.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { spanAt } from "../../domain/windows/span.ts";
import { LIFETIME, type WindowSpec } from "../../domain/windows/window.ts";
import { scopeOf, type Directory, type Versioned } from "./directory.ts";
import { readLimits, type Body } from "./read-fields.ts";

/** What a scope stands at, nano-dollars: settled in the window, held, settled for ever. */
export interface Standing {
  readonly spent: bigint;
  readonly held: bigint;
  readonly lifetime: bigint;
}

export interface ManagementPorts {
  readonly store: { change(changes: readonly RecordChange[]): Promise<void> };
  readonly directory: Directory;
  readonly ids: UlidSource;
  readonly clock: Clock;
  /** SHA-256 in lower-case hex. */
  hashKey(key: string): string;
  /** A new key, "sk-…". */
  randomKey(): string;
  standing(scope: Scope, window: WindowSpec): Standing;
  /**
   * Moves what a window of a scope stands at, without an attempt (GATE 1.3, 5.9), once by its id.
   * @param id a ULID: its time decides which window
   * @param metadata JSON text: why
   */
  adjust(id: string, scope: Scope, window: WindowSpec, by: bigint, metadata: string): Promise<void>;
  /** Gives new windows the history of their scopes (GATE 6.3). */
  seed(limits: readonly Limit[]): Promise<void>;
}

/** A record with what it stands at. `key` only when it was made by this call. */
export interface View<K extends RecordKind> {
  readonly record: RecordKinds[K];
  readonly standing: Standing;
  /** When the window of `standing.spent` ends, epoch milliseconds; `undefined` for a lifetime. */
  readonly resetsAt: number | undefined;
  readonly warnings: readonly string[];
  readonly key?: string;
}

export interface Write {
  readonly kind: RecordKind;
  readonly record: RecordKinds[RecordKind];
  readonly version: number;
  /** What the record's own window is set to stand at. */
  readonly spend?: NanoUsd | undefined;
}

export interface Removal {
  readonly kind: RecordKind;
  readonly id: string;
  readonly version: number;
}

const WIRE_NAMES: Readonly<Record<RecordKind, string>> = { key: "key", team: "team_id", user: "user_id", member: "user_id", customer: "user_id" };

/** What the use cases of every noun share: look-ups, and the one way in which a change is stored and becomes effective. */
export class Records {
  readonly ports: ManagementPorts;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(ports: ManagementPorts) {
    this.ports = ports;
  }

  get directory(): Directory {
    return this.ports.directory;
  }

  now(): number {
    return this.ports.clock.now();
  }

  newId(): string {
    return this.ports.ids.next(this.now());
  }

  /** The shared part of a new record. */
  base(body: Body, stored: Record<string, unknown>): LimitedRecord {
    const now = this.now();
    return {
      id: this.newId(), budgetLimits: [], modelRpm: [], modelTpm: [], models: [], blocked: false, metadata: {}, ...readLimits(body), stored, createdAt: now, updatedAt: now,
    };
  }

  /** @throws TollgateError `not_found` */
  existing<K extends RecordKind>(kind: K, name: string): Versioned<RecordKinds[K]> {
    const found = this.directory.find(kind, name);
    if (found === undefined) throw new TollgateError("not_found", `There is no ${kind} ${JSON.stringify(name)}. Make it with POST /${kind}/new.`, { param: WIRE_NAMES[kind] });
    return found;
  }

  /** @throws TollgateError `already_exists` */
  mustBeNew(kind: RecordKind, name: string, param: string): void {
    if (this.directory.find(kind, name) !== undefined) throw new TollgateError("already_exists", `This ${kind} exists already.`, { param });
  }

  /** A key or a team may name a user that was never made: the user exists from then on, without limits. */
  userFor(userId: string, writes: Write[]): void {
    if (this.directory.find("user", userId) !== undefined) return;
    if (writes.some(({ record }) => "userId" in record && !("teamId" in record) && record.userId === userId)) return;
    writes.push({ kind: "user", record: { ...this.base({}, {}), userId }, version: 0 });
  }

  /**
   * Gives new windows their history, stores all or nothing, and only then lets the gate see the change: a crash in
   * between loses no history, and no spend that is set with it.
   */
  async commit(changes: readonly Write[], removals: readonly Removal[] = []): Promise<void> {
    const { store, directory } = this.ports;
    await this.ports.seed(changes.flatMap(({ kind, record }) => [...directory.limitsOf(kind, record), ...directory.modelLimitsOf(kind, record), ...this.watched(kind, record)]));
    const writes = changes.map((write) => this.withPreset(write));
    await store.change([
      ...writes.map(({ kind, record, version }) => ({ kind, id: record.id, expectedVersion: version, document: JSON.stringify(record) })),
      ...removals.map(({ kind, id, version }) => ({ kind, id, expectedVersion: version, document: null })),
    ]);
    for (const { kind, record, version } of writes) directory.put(kind, record, version + 1);
    for (const { kind, id } of removals) directory.remove(kind, id);
    for (const { kind, record, spend } of writes) if (spend !== undefined) await this.postPreset(kind, record);
  }

  /** Posts the spend that a record was given, unless its adjustment is in the ledger already. */
  async postPreset(kind: RecordKind, record: LimitedRecord): Promise<void> {
    const { preset } = record;
    if (preset !== undefined) await this.ports.adjust(preset.id, scopeOf(kind, record), this.windowOf(preset), BigInt(preset.by), '{"reason":"spend"}');
  }

  private withPreset(write: Write): Write {
    const { kind, record, spend } = write;
    if (spend === undefined) return write;
    const by = spend - this.ports.standing(scopeOf(kind, record), this.windowOf(record)).spent;
    return { ...write, record: { ...record, preset: by === 0n ? undefined : { id: this.newId(), budgetDuration: record.budgetDuration, by: by.toString() } } };
  }

  view<K extends RecordKind>(kind: K, record: RecordKinds[K], warnings: readonly string[] = []): View<K> {
    const window = this.windowOf(record);
    const { end } = spanAt(window, this.now());
    return { record, standing: this.ports.standing(scopeOf(kind, record), window), resetsAt: Number.isFinite(end) ? end : undefined, warnings };
  }

  /** The window in which a record's spend is told: that of its own budget (GATE 6.5). */
  windowOf({ budgetDuration }: Pick<LimitedRecord, "budgetDuration">): WindowSpec {
    const { timeZone, weekStart } = this.directory.calendar;
    return budgetDuration === undefined ? LIFETIME : { kind: "aligned", duration: parseDuration(budgetDuration), zone: timeZone, weekStart };
  }

  /** One change at a time: what one checked, no other may undo before it is stored. */
  inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** A budget's window without a budget limits nothing, but its spend is shown (GATE 6.5), so it too needs its history. */
  private watched(kind: RecordKind, record: LimitedRecord): Limit[] {
    if (record.budgetDuration === undefined || record.maxBudget !== undefined || record.softBudget !== undefined) return [];
    return [{ scope: scopeOf(kind, record), model: undefined, measure: "nanoUsd", window: this.windowOf(record), cap: 0n, hard: false, windowText: record.budgetDuration }];
  }
}

/** Newest first, as the lists of every noun are. */
export function newestFirst<K extends RecordKind>(views: View<K>[]): View<K>[] {
  return views.sort((a, b) => b.record.createdAt - a.record.createdAt || (a.record.id < b.record.id ? 1 : -1));
}
