import { formatNanoUsd } from "../../base/money.ts";
import type { Entry, EntryLine } from "../../domain/ledger/entry.ts";
import { costLine, type CostLine } from "../../surfaces/sdk/cost.ts";

/** One entry of the books, JSON-safe. */
export interface TrackedEntry {
  readonly id: string;
  /** `response.cost.callId`. A call that was tried again has an entry for each try. */
  readonly callId: string;
  /** `correction`: the difference to what was charged for silence. */
  readonly kind: "charge" | "correction" | "adjustment";
  /** When it was admitted, ISO. */
  readonly at: string;
  readonly user: string | null;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | null;
  /** As the program named it. */
  readonly model: string;
  readonly provider: string;
  readonly key: string | null;
  /** Dollars, for looking at; exact beside it. */
  readonly cost: number;
  readonly costExact: string;
  readonly lines: readonly CostLine[];
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  /** `cached`: answered from the response cache, for $0. */
  readonly status: string;
  /** Why the cost is not what a provider reported; `null` if it is. */
  readonly estimated: string | null;
  /** No price was known: its $0 is no statement about its cost. */
  readonly unpriced: boolean;
  readonly responseId: string | null;
  readonly durationMs: number;
  /** Dollars that an answer from the response cache would have cost, exact decimal text; `null` for every other entry. */
  readonly saved: string | null;
}

export function trackedEntry(entry: Entry): TrackedEntry {
  const costExact = formatNanoUsd(BigInt(entry.cost));
  return {
    id: entry.id, callId: entry.requestId, kind: entry.kind, at: new Date(entry.at).toISOString(), user: entry.customer,
    tags: entry.tags === null ? [] : (JSON.parse(entry.tags) as string[]), metadata: entry.metadata === null ? null : (JSON.parse(entry.metadata) as Record<string, unknown>),
    model: entry.model, provider: entry.provider, key: entry.keyId, cost: Number(costExact), costExact,
    lines: entry.lines === null ? [] : (JSON.parse(entry.lines) as EntryLine[]).map(costLine),
    inputTokens: entry.inputTokens, outputTokens: entry.outputTokens, cachedTokens: entry.cachedTokens, status: entry.status,
    estimated: entry.estimated, unpriced: entry.unpriced, responseId: entry.responseId, durationMs: entry.durationMs,
    saved: entry.saved === undefined ? null : formatNanoUsd(BigInt(entry.saved)),
  };
}
