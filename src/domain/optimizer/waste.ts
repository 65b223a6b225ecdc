import type { NanoUsd } from "../../base/money.ts";
import { isFailure } from "../analytics/sums.ts";
import type { Entry } from "../ledger/entry.ts";

export interface WasteSums {
  requests: number;
  cost: NanoUsd;
}

/** The member of an entry's metadata that tells equal prompts, where the program has it recorded. */
export const FINGERPRINT = "tollgate_prompt";

/** So many fingerprints are kept; beyond that, a repeat of a forgotten prompt is not found, and it is said so. */
const FINGERPRINTS_MAX = 1_000_000;

/** What was paid for nothing, or need not have been paid. Entries must come by id, so that a request's attempts are neighbours. */
export class Waste {
  /** Attempts that cost money and were not answered in full, by status. */
  readonly failed = new Map<string, WasteSums>();
  /** Tries that were followed by another one of the same request. */
  readonly retries: WasteSums = { requests: 0, cost: 0n };
  /** Clients that left before the end. */
  readonly left: WasteSums = { requests: 0, cost: 0n };
  /** Prompts that had been answered in full before, by the same model. */
  readonly repeated: WasteSums = { requests: 0, cost: 0n };
  /** Held and not used: it was not spent, but no other request could have it. */
  readonly holds = new Map<string, { requests: number; held: NanoUsd; cost: NanoUsd }>();
  readonly total: WasteSums = { requests: 0, cost: 0n };
  fingerprinted = 0;
  fingerprintsForgotten = false;
  private readonly seen = new Set<string>();
  private last: Entry | undefined;

  add(entry: Entry): void {
    if (entry.kind !== "charge") return;
    const cost = BigInt(entry.cost);
    count(this.total, cost);
    if (this.last !== undefined && this.last.requestId === entry.requestId) count(this.retries, BigInt(this.last.cost));
    this.last = entry;
    if (entry.status === "client_gone") count(this.left, cost);
    if (isFailure(entry.status) && cost > 0n) {
      const sums = this.failed.get(entry.status) ?? { requests: 0, cost: 0n };
      count(sums, cost);
      this.failed.set(entry.status, sums);
    }
    if (entry.status !== "ok") return;
    const holds = this.holds.get(entry.model) ?? { requests: 0, held: 0n, cost: 0n };
    holds.requests += 1;
    holds.held += BigInt(entry.held);
    holds.cost += cost;
    this.holds.set(entry.model, holds);
    this.lookForRepeat(entry, cost);
  }

  private lookForRepeat(entry: Entry, cost: NanoUsd): void {
    const fingerprint = fingerprintOf(entry);
    if (fingerprint === undefined) return;
    this.fingerprinted += 1;
    const key = `${entry.model}\n${fingerprint}`;
    if (this.seen.has(key)) {
      if (cost > 0n) count(this.repeated, cost);
      return;
    }
    if (this.seen.size < FINGERPRINTS_MAX) this.seen.add(key);
    else this.fingerprintsForgotten = true;
  }
}

function count(sums: WasteSums, cost: NanoUsd): void {
  sums.requests += 1;
  sums.cost += cost;
}

function fingerprintOf(entry: Entry): string | undefined {
  if (entry.metadata === null || !entry.metadata.includes(FINGERPRINT)) return undefined;
  const value = (JSON.parse(entry.metadata) as Record<string, unknown>)[FINGERPRINT];
  return typeof value === "string" ? value : undefined;
}
