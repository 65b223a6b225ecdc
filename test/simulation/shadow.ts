import type { AttemptFacts, Entry } from "../../src/domain/ledger/entry.ts";
import { counterId } from "../../src/domain/ledger/counter-id.ts";
import type { ChargeSet, Limit } from "../../src/domain/limits/limit.ts";
import { scopeText } from "../../src/domain/scopes/scope.ts";
import { spanAt } from "../../src/domain/windows/span.ts";

export interface ShadowHold {
  readonly facts: AttemptFacts;
  readonly held: bigint;
  /** Monotonic milliseconds of its admission. */
  readonly since: number;
  readonly limits: readonly Limit[];
  durable: boolean;
}

export interface ShadowEntry {
  readonly entry: Entry;
  durable: boolean;
}

class Violation extends Error {}

/** Who is told may swallow what is thrown, so the first violation is kept as well. */
let first: Violation | undefined;

export function demand(holds: boolean, what: () => string): asserts holds {
  if (holds) return;
  const violation = new Violation(what());
  first ??= violation;
  throw violation;
}

export function throwViolation(): void {
  const violation = first;
  first = undefined;
  if (violation !== undefined) throw violation;
}

/** What the journal was told, kept in the most naive way: every sum is counted again from every record. */
export class Shadow {
  readonly holds = new Map<string, ShadowHold>();
  readonly entries = new Map<string, ShadowEntry>();
  /** Attempts, and whether a hard budget bounded them. */
  readonly bounds = new Map<string, boolean>();
  /** Every admission of this process, for the sliding windows. */
  admissions: ShadowHold[] = [];

  hold(facts: AttemptFacts, held: bigint, since: number, charges: readonly ChargeSet[]): ShadowHold {
    demand(!this.holds.has(facts.attemptId) && !this.entries.has(facts.attemptId), () => `promise 4: ${facts.attemptId} is held twice`);
    const hold = { facts, held, since, limits: charges.flatMap((set) => set.limits), durable: false };
    this.holds.set(facts.attemptId, hold);
    this.bounds.set(facts.attemptId, hold.limits.some((limit) => limit.hard && limit.measure === "nanoUsd"));
    this.admissions.push(hold);
    return hold;
  }

  giveBack(attemptId: string): void {
    const hold = this.holds.get(attemptId);
    this.holds.delete(attemptId);
    this.admissions = this.admissions.filter((one) => one !== hold);
  }

  /** The hold stays until a crash can no longer bring it back. */
  settle(entry: Entry): ShadowEntry {
    demand(!this.entries.has(entry.id), () => `promise 4: ${entry.id} is settled twice`);
    const known = { entry, durable: false };
    this.entries.set(entry.id, known);
    return known;
  }

  /** What a crash leaves: only what is on the disk. @returns the attempts that must be charged as crashed */
  crash(): Set<string> {
    for (const [id, { durable }] of this.entries) if (!durable) this.entries.delete(id);
    for (const [id, { durable }] of this.holds) if (!durable || this.entries.has(id)) this.holds.delete(id);
    this.admissions = [];
    return new Set(this.holds.keys());
  }

  /** Held now: a settled attempt holds nothing any more. */
  isOpen(attemptId: string): boolean {
    return this.holds.has(attemptId) && !this.entries.has(attemptId);
  }

  standing({ scope, model, window }: Pick<Limit, "scope" | "model" | "window">, at: number): { readonly spent: bigint; readonly held: bigint } {
    const { start, end } = spanAt(window, at);
    const text = scopeText(scope);
    const counter = counterId(scope, model, window, start);
    let spent = 0n;
    let held = 0n;
    for (const { entry } of this.entries.values()) {
      const counts = entry.kind === "adjustment"
        ? entry.counter === counter
        : entry.at >= start && entry.at < end && (model === undefined || model === entry.model) && entry.scopes.split(",").includes(text);
      if (counts) spent += BigInt(entry.cost);
    }
    for (const { facts, held: amount } of this.holds.values()) {
      if (this.isOpen(facts.attemptId) && facts.at >= start && facts.at < end && (model === undefined || model === facts.model) && facts.scopes.includes(text)) held += amount;
    }
    return { spent, held };
  }

  /** Attempts in flight that a parallel limit counts. */
  slots(limit: Limit): bigint {
    const same = sameCounter(limit);
    let count = 0n;
    for (const hold of this.holds.values()) if (this.isOpen(hold.facts.attemptId) && hold.limits.some(same)) count += 1n;
    return count;
  }

  /** Requests of the last `spanMs` that a request limit counts. */
  requests(limit: Limit, now: number, spanMs: number): bigint {
    const same = sameCounter(limit);
    return BigInt(this.admissions.filter((hold) => hold.since > now - spanMs && hold.limits.some(same)).length);
  }
}

function sameCounter({ measure, scope, model, window }: Limit): (other: Limit) => boolean {
  const id = counterId(scope, model, window, 0);
  return (other) => other.measure === measure && counterId(other.scope, other.model, other.window, 0) === id;
}
