import { TollgateError } from "../../base/errors.ts";
import { ulidEpochMs } from "../../base/ids.ts";
import { formatNanoUsd, NANO_PER_USD, type NanoUsd } from "../../base/money.ts";
import type { LimitedRecord, RecordKind, RecordKinds } from "../../domain/scopes/records.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { spanAt } from "../../domain/windows/span.ts";
import type { WindowSpec } from "../../domain/windows/window.ts";
import { scopeOf, type Versioned } from "./directory.ts";
import { onlyFields } from "./fields.ts";
import { amount, type Body } from "./read-fields.ts";
import type { Records, View } from "./records.ts";

/** More than any budget needs, and so far from the end of 64 bits that sums stay below it. */
const SPEND_MAX = 1_000_000_000n * NANO_PER_USD;

/** So many records are looked at at a start; each is one question to the ledger. */
const REPAIRED_MAX = 100;

/** What a record has spent, set by hand: an adjustment of its counters; no entry is ever changed (GATE 5.9). */
export class Spend {
  private readonly records: Records;

  constructor(records: Records) {
    this.records = records;
  }

  /**
   * Sets every window of a record back to `reset_to`; one that stands below stays.
   * @throws TollgateError `invalid_amount` if the record's own window stands below already
   */
  reset<K extends RecordKind>(kind: K, find: () => Versioned<RecordKinds[K]>, body: Body): Promise<{ readonly view: View<K>; readonly previous: NanoUsd }> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["reset_to"]);
      const { record } = find();
      const to = BigInt(amount(body, "reset_to") ?? "0");
      const previous = this.standsAt(kind, record, this.records.windowOf(record));
      if (to > previous) throw new TollgateError("invalid_amount", `reset_to must not exceed what is spent: ${formatNanoUsd(previous)}.`, { param: "reset_to" });
      for (const window of this.windowsOf(record)) {
        const spent = this.standsAt(kind, record, window);
        if (spent > to) await this.adjust(kind, record, window, to - spent, "reset_spend");
      }
      return { view: this.records.view(kind, record), previous };
    });
  }

  /**
   * Posts what a crash left between a record and its adjustment. Changes come one after the other, so it is the newest
   * at most, or a few more where the journal could not be written at the time.
   */
  async repair(): Promise<void> {
    const given: { readonly kind: RecordKind; readonly record: LimitedRecord; readonly id: string }[] = [];
    for (const kind of ["key", "team", "user", "member", "customer"] as const) {
      for (const { record } of this.records.directory.all(kind)) {
        const { preset } = record;
        // Of a window that is over nobody asks any more.
        if (preset !== undefined && spanAt(this.records.windowOf(preset), ulidEpochMs(preset.id)).end > this.records.now()) given.push({ kind, record, id: preset.id });
      }
    }
    given.sort((a, b) => (a.id < b.id ? 1 : -1));
    for (const { kind, record } of given.slice(0, REPAIRED_MAX)) await this.records.postPreset(kind, record);
  }

  private standsAt(kind: RecordKind, record: LimitedRecord, window: WindowSpec): NanoUsd {
    return this.records.ports.standing(scopeOf(kind, record), window).spent;
  }

  private adjust(kind: RecordKind, record: LimitedRecord, window: WindowSpec, by: NanoUsd, reason: string): Promise<void> {
    return this.records.ports.adjust(this.records.newId(), scopeOf(kind, record), window, by, JSON.stringify({ reason }));
  }

  private windowsOf(record: LimitedRecord): WindowSpec[] {
    const { timeZone: zone, weekStart } = this.records.directory.calendar;
    const windows = new Map([[record.budgetDuration ?? "", this.records.windowOf(record)]]);
    for (const { budgetDuration } of record.budgetLimits) {
      if (!windows.has(budgetDuration)) windows.set(budgetDuration, { kind: "aligned", duration: parseDuration(budgetDuration), zone, weekStart });
    }
    return [...windows.values()];
  }
}

/** `spend` of a body, read before anything is stored. @throws TollgateError `invalid_amount` */
export function presetSpend(body: Body): NanoUsd | undefined {
  const text = amount(body, "spend");
  if (text === undefined) return undefined;
  const spend = BigInt(text);
  if (spend > SPEND_MAX) throw new TollgateError("invalid_amount", "spend must be a billion dollars at most.", { param: "spend" });
  return spend;
}
