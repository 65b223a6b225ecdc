import type { StatementSync } from "node:sqlite";
import { assert } from "../../../base/assert.ts";
import { MAX_NANO_USD } from "../../../base/money.ts";
import { correctionOf, crashedEntry, entryOf, type AttemptFacts, type Charge, type Entry } from "../../../domain/ledger/entry.ts";
import type { Ask, Hold } from "../../../domain/limits/ask.ts";
import { amountOf } from "../../../domain/limits/decide.ts";
import type { Limit, Measure } from "../../../domain/limits/limit.ts";
import { scopeText } from "../../../domain/scopes/scope.ts";
import { entryOfRow, SELECT_ENTRY } from "../../stores/sqlite/entry-columns.ts";
import { counterAt, familyKey, type Family } from "./families.ts";
import type { LedgerFile, Money } from "./ledger-file.ts";

/** What an attempt took beside money: the tally, the second of a sliding one (else 0), and how much of what. */
export type Reserved = readonly [tally: string, second: number, measure: Measure, amount: string];

interface HoldRow {
  readonly attempt_id: string;
  readonly at: bigint;
  readonly held: bigint;
  readonly reserved: string | null;
  readonly facts: string;
}

export const heldTally = (counter: string): string => `held|${counter}`;

/**
 * Holds and entries of attempts, in the transaction of the caller. At every instant
 * `held of a counter = sum of the hold rows in it` and `spent = sum of the entries in it`, where the counters of an
 * attempt are all registered families of its scopes, in the windows of its admission.
 */
export class Attempts {
  private readonly ledger: LedgerFile;
  private readonly insertHold: StatementSync;
  private readonly deleteHold: StatementSync;
  private readonly selectHolds: StatementSync;
  private readonly selectHoldsOf: StatementSync;
  private readonly selectEntry: StatementSync;

  constructor(ledger: LedgerFile) {
    const { database } = ledger;
    this.ledger = ledger;
    this.insertHold = database.prepare("INSERT INTO holds (attempt_id, owner, at, held, reserved, facts) VALUES (?, ?, ?, ?, ?, ?)");
    this.deleteHold = database.prepare("DELETE FROM holds WHERE attempt_id = ? RETURNING reserved");
    this.selectHolds = database.prepare("SELECT attempt_id, at, held, reserved, facts FROM holds");
    this.selectHolds.setReadBigInts(true);
    this.selectHoldsOf = database.prepare("SELECT attempt_id, at, held, reserved, facts FROM holds WHERE owner = ?");
    this.selectHoldsOf.setReadBigInts(true);
    this.selectEntry = database.prepare(`${SELECT_ENTRY} WHERE id = ?`);
  }

  /** Makes the counters of a limit where the file has none yet, with the history and the open attempts of its scope (GATE 6.3). */
  register(limit: Pick<Limit, "scope" | "model" | "measure" | "window">, now: number): Family {
    const scope = scopeText(limit.scope);
    const key = familyKey(scope, limit.model, limit.measure, limit.window);
    const known = this.ledger.families.get(key, scope);
    if (known !== undefined) return known;
    const family = this.ledger.families.register(key, scope, limit);
    this.ledger.familiesChanged();
    if (limit.measure === "nanoUsd") {
      // Written even if nothing was spent: from now on it stands in the file.
      this.ledger.charge(this.ledger.moneyAt(family, now), 0n);
      for (const hold of this.openHolds(scope, limit.model)) this.ledger.tallies.add(heldTally(counterAt(family, Number(hold.at)).id), hold.held);
    } else if (limit.measure === "requests") {
      const { id, span } = counterAt(family, now);
      const open = this.openHolds(scope, limit.model).filter((hold) => Number(hold.at) >= span.start && Number(hold.at) < span.end);
      this.ledger.tallies.add(id, this.ledger.requests(scope, limit.model, span.start, span.end) + BigInt(open.length));
    }
    return family;
  }

  /** What open attempts hold in a window that no limit has registered. */
  heldIn(scope: string, model: string | undefined, start: number, end: number): bigint {
    const inside = this.openHolds(scope, model).filter((hold) => Number(hold.at) >= start && Number(hold.at) < end);
    return inside.reduce((sum, hold) => sum + hold.held, 0n);
  }

  hold(owner: string, ask: Ask, facts: AttemptFacts, hold: Hold, rates: readonly RateLimit[], now: number): void {
    assert(hold.nanoUsd <= MAX_NANO_USD, "a hold fits the ledger's column");
    const { tallies } = this.ledger;
    const cap = BigInt(hold.cap);
    const reserved: Reserved[] = [];
    for (const family of this.familiesOf(facts)) {
      const { id } = counterAt(family, facts.at);
      if (family.measure === "nanoUsd") {
        tallies.add(heldTally(id), hold.nanoUsd);
        continue;
      }
      const amount = amountOf(ask, family.measure, cap);
      tallies.add(id, amount);
      reserved.push([id, 0, family.measure, amount.toString()]);
    }
    for (const { tally, spanMs, measure } of rates) {
      const amount = amountOf(ask, measure, cap);
      let second = 0;
      if (spanMs === undefined) tallies.add(tally, amount);
      else second = tallies.addSliding(tally, now, spanMs, amount);
      reserved.push([tally, second, measure, amount.toString()]);
    }
    this.insertHold.run(facts.attemptId, owner, facts.at, hold.nanoUsd, reserved.length === 0 ? null : JSON.stringify(reserved), JSON.stringify(facts));
  }

  /** One entry for each attempt, whatever is settled twice or late. */
  settle(facts: AttemptFacts, held: bigint, charge: Charge): void {
    const entry = entryOf(facts, held, charge);
    const row = this.deleteHold.get(facts.attemptId) as Pick<HoldRow, "reserved"> | undefined;
    if (row === undefined) {
      this.settleLate(entry);
      return;
    }
    this.unhold(facts, held);
    this.giveBack(reservedOf(row), charge);
    this.post(entry);
  }

  /** @returns false if an entry of this id was posted before: nothing changes then */
  post(entry: Entry): boolean {
    // Counters first: one that begins now begins with the history of its scope, and that must not contain the entry yet.
    const counters = this.countersOf(entry);
    if (!this.ledger.append(entry)) return false;
    const cost = BigInt(entry.cost);
    for (const counter of counters) this.ledger.charge(counter, cost);
    return true;
  }

  /** Counts the request and the tokens of a charge that no hold preceded. */
  meter(entry: Entry): void {
    for (const scope of entry.scopes.split(",")) {
      for (const family of this.ledger.families.of(scope)) {
        if (family.measure === "nanoUsd" || (family.model !== undefined && family.model !== entry.model)) continue;
        this.ledger.tallies.add(counterAt(family, entry.at).id, family.measure === "requests" ? 1n : usedOf(family.measure, entry, 0n));
      }
    }
  }

  /** An adjustment moves the one counter that it names (GATE 1.3); nobody counts on one that has no family yet. */
  private countersOf(entry: Entry): Money[] {
    const counters: Money[] = [];
    for (const scope of entry.scopes.split(",")) {
      for (const family of this.ledger.families.of(scope)) {
        if (family.measure !== "nanoUsd") continue;
        const moves = entry.kind === "adjustment" ? counterAt(family, entry.at).id === entry.counter : family.model === undefined || family.model === entry.model;
        if (moves) counters.push(this.ledger.moneyAt(family, entry.at));
      }
    }
    return counters;
  }

  /** Charges what the process of `owner` held when it died, at the full hold and in its admission windows (GATE 5.6). */
  chargeCrashed(owner: string): number {
    const rows = this.selectHoldsOf.all(owner) as unknown as HoldRow[];
    for (const row of rows) {
      const facts = JSON.parse(row.facts) as AttemptFacts;
      this.deleteHold.get(row.attempt_id);
      this.unhold(facts, row.held);
      this.giveBack(reservedOf(row), undefined);
      this.post(crashedEntry({ type: "hold", facts, held: row.held.toString() }));
    }
    return rows.length;
  }

  /** The hold is gone: the attempt was settled before, or it was taken for crashed. */
  private settleLate(entry: Entry): void {
    const row = this.selectEntry.get(entry.id);
    if (row === undefined) {
      this.post(entry);
      return;
    }
    const charged = entryOfRow(row);
    if (charged.status !== "crashed") return;
    const correction = correctionOf(charged, entry);
    if (correction !== undefined) this.post(correction);
  }

  private unhold(facts: AttemptFacts, held: bigint): void {
    for (const family of this.familiesOf(facts)) if (family.measure === "nanoUsd") this.ledger.tallies.add(heldTally(counterAt(family, facts.at).id), -held);
  }

  /** Slots are free again; tokens become what was used, unless nobody knows (GATE 7.2). */
  private giveBack(reserved: readonly Reserved[], charge: Charge | undefined): void {
    const { tallies } = this.ledger;
    for (const [tally, second, measure, text] of reserved) {
      const amount = BigInt(text);
      const by = measure === "slots" ? -amount : usedOf(measure, charge, amount) - amount;
      if (by === 0n) continue;
      if (second === 0) tallies.add(tally, by);
      else tallies.correctSliding(tally, second, by);
    }
  }

  private *familiesOf(facts: AttemptFacts): Iterable<Family> {
    for (const scope of facts.scopes) {
      for (const family of this.ledger.families.of(scope)) if (family.model === undefined || family.model === facts.model) yield family;
    }
  }

  private openHolds(scope: string, model: string | undefined): HoldRow[] {
    return (this.selectHolds.all() as unknown as HoldRow[]).filter((row) => {
      const facts = JSON.parse(row.facts) as AttemptFacts;
      return facts.scopes.includes(scope) && (model === undefined || model === facts.model);
    });
  }
}

/** A limit on the last seconds, or (without a span) on what runs now. */
export interface RateLimit {
  readonly tally: string;
  readonly spanMs: number | undefined;
  readonly measure: Measure;
}

/** What `hold` reserved, read back from its row. */
function reservedOf(row: Pick<HoldRow, "reserved">): readonly Reserved[] {
  return row.reserved === null ? [] : (JSON.parse(row.reserved) as Reserved[]);
}

function usedOf(measure: Measure, charge: Pick<Charge, "estimated" | "inputTokens" | "outputTokens"> | undefined, reserved: bigint): bigint {
  if (measure === "requests") return reserved;
  if (charge === undefined || (charge.estimated !== null && charge.inputTokens + charge.outputTokens === 0)) return reserved;
  if (measure === "inputTokens") return BigInt(charge.inputTokens);
  if (measure === "outputTokens") return BigInt(charge.outputTokens);
  return BigInt(charge.inputTokens + charge.outputTokens);
}
