import type { NanoUsd } from "../../base/money.ts";

export type EntryKind = "charge" | "correction" | "adjustment";

/** Who and what an attempt was for: fixed at admission, written with the hold and again with the entry. */
export interface AttemptFacts {
  /** The request's id, a ULID (`x-litellm-call-id`). */
  readonly requestId: string;
  /** `<requestId>.<two digits>`: the entry's id, so a range of ids is a range of admission times. */
  readonly attemptId: string;
  /** Admission time, epoch milliseconds: decides every window (GATE 6.1). */
  readonly at: number;
  /** Scopes that are charged, as texts (`"global"`, `"key:01J…"`). */
  readonly scopes: readonly string[];
  readonly keyId: string | null;
  readonly teamId: string | null;
  readonly userId: string | null;
  readonly customer: string | null;
  /** As the client named it. */
  readonly model: string;
  readonly provider: string;
  /** The provider's name of the model. */
  readonly upstreamModel: string;
  readonly deployment: string;
  readonly route: string;
  readonly stream: boolean;
  readonly tags: readonly string[];
  /** JSON text. */
  readonly metadata: string | null;
}

/** Why a charge is not what a provider reported. */
export type EstimateReason = "no_status" | "cut_short" | "usage_missing" | "usage_unbelievable" | "client_gone" | "crashed" | "shutdown" | "unpriced" | "rate_guessed";

/** `cached`: answered from the response cache; nothing was sent (GATE 5.8). */
export type AttemptStatus = "ok" | "cached" | "upstream_error" | "not_connected" | "cut_short" | "client_gone" | "crashed" | "shutdown" | "timeout";

export interface EntryLine {
  readonly dimension: string;
  readonly quantity: number;
  /** Pico-dollars for `per` units, decimal text. */
  readonly rate: string;
  readonly per: string;
  readonly pico: string;
}

/** What an attempt came to. */
export interface Charge {
  readonly cost: NanoUsd;
  readonly estimated: EstimateReason | null;
  readonly status: AttemptStatus;
  readonly httpStatus: number | null;
  readonly lines: readonly EntryLine[];
  readonly priceVersion: string | null;
  /** No price was known and policy allowed the request: the cost of 0 is marked, never silent. */
  readonly unpriced: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly answeredModel: string | null;
  readonly responseId: string | null;
  /** The provider's usage object, JSON text. */
  readonly rawUsage: string | null;
  readonly durationMs: number;
  /** Of an answer from the response cache alone: what it cost when it was bought (GATE 5.8). */
  readonly saved?: NanoUsd;
}

/** A row of the ledger. Amounts are nano-dollars as decimal text, so that JSON carries them exactly. */
export interface Entry extends Omit<AttemptFacts, "scopes" | "tags">, Omit<Charge, "cost" | "lines" | "saved"> {
  readonly id: string;
  readonly kind: EntryKind;
  /** Of an adjustment, the identity of the one counter that it moves; else `null`. */
  readonly counter: string | null;
  readonly scopes: string;
  readonly tags: string | null;
  readonly lines: string | null;
  readonly held: string;
  readonly cost: string;
  readonly overage: string;
  /** Of an answer from the response cache alone, so that all other entries stay as small as they are. */
  readonly saved?: string;
}

/** The hold record of the journal: enough to charge the attempt if nothing more is ever heard of it. */
export interface HoldRecord {
  readonly type: "hold";
  readonly facts: AttemptFacts;
  /** Nano-dollars, decimal text. */
  readonly held: string;
}

/** The settle record: the whole entry, so that no hold is needed to read it. */
export interface SettleRecord {
  readonly type: "settle";
  readonly entry: Entry;
}

export type JournalRecord = HoldRecord | SettleRecord;

/** Builds the one ledger row of an attempt (GATE 5: overage is what exceeds the hold). */
export function entryOf(facts: AttemptFacts, held: NanoUsd, charge: Charge): Entry {
  // Written out member by member: spreading costs several times as much, and this is done for every attempt.
  const { cost, lines, saved } = charge;
  const entry: Entry = {
    id: facts.attemptId, kind: "charge", counter: null, requestId: facts.requestId, attemptId: facts.attemptId, at: facts.at, scopes: facts.scopes.join(","),
    keyId: facts.keyId, teamId: facts.teamId, userId: facts.userId, customer: facts.customer,
    model: facts.model, provider: facts.provider, upstreamModel: facts.upstreamModel, deployment: facts.deployment, route: facts.route,
    stream: facts.stream, tags: facts.tags.length === 0 ? null : JSON.stringify(facts.tags), metadata: facts.metadata,
    held: held.toString(), cost: cost.toString(), overage: cost > held ? (cost - held).toString() : "0",
    estimated: charge.estimated, status: charge.status, httpStatus: charge.httpStatus, lines: lines.length === 0 ? null : JSON.stringify(lines),
    priceVersion: charge.priceVersion, unpriced: charge.unpriced,
    inputTokens: charge.inputTokens, outputTokens: charge.outputTokens, cachedTokens: charge.cachedTokens,
    answeredModel: charge.answeredModel, responseId: charge.responseId, rawUsage: charge.rawUsage, durationMs: charge.durationMs,
  };
  return saved === undefined ? entry : { ...entry, saved: saved.toString() };
}

/** The entry of an attempt whose end was never seen: the full hold (GATE 5.6). */
export function crashedEntry(hold: HoldRecord): Entry {
  return entryOf(hold.facts, BigInt(hold.held), {
    cost: BigInt(hold.held), estimated: "crashed", status: "crashed", httpStatus: null, lines: [], priceVersion: null, unpriced: false,
    inputTokens: 0, outputTokens: 0, cachedTokens: 0, answeredModel: null, responseId: null, rawUsage: null, durationMs: 0,
  });
}

/**
 * What is left to charge when a settlement arrives after its attempt was charged already, as a crash is (GATE 5.6):
 * the difference. Its id follows from the attempt's, so that it too is posted once.
 * @returns `undefined` where both say the same
 */
export function correctionOf(charged: Entry, settled: Entry): Entry | undefined {
  if (charged.cost === settled.cost && charged.inputTokens === settled.inputTokens && charged.outputTokens === settled.outputTokens) return undefined;
  return {
    ...settled, id: `${charged.id}.c`, kind: "correction", held: "0",
    cost: (BigInt(settled.cost) - BigInt(charged.cost)).toString(),
    overage: (BigInt(settled.overage) - BigInt(charged.overage)).toString(),
    inputTokens: settled.inputTokens - charged.inputTokens,
    outputTokens: settled.outputTokens - charged.outputTokens,
    cachedTokens: settled.cachedTokens - charged.cachedTokens,
  };
}

export interface Adjustment {
  /** A new ULID for `at`. */
  readonly id: string;
  /** Epoch milliseconds: the window of the counter is the one of this instant. */
  readonly at: number;
  /** As text, and the counter's identity from `counterId`. */
  readonly scope: string;
  readonly counter: string;
  /** Nano-dollars, negative to give back. */
  readonly by: NanoUsd;
  /** JSON text: who adjusted, and why. */
  readonly metadata: string | null;
}

/** Moves one counter by hand (GATE 1.3, 5.9): no attempt, no cost. */
export function adjustmentEntry({ id, at, scope, counter, by, metadata }: Adjustment): Entry {
  return {
    id, kind: "adjustment", counter, requestId: id, attemptId: id, at, scopes: scope, keyId: null, teamId: null, userId: null, customer: null,
    model: "", provider: "", upstreamModel: "", deployment: "", route: "adjustment", stream: false, tags: null, metadata,
    held: "0", cost: by.toString(), overage: "0", estimated: null, status: "ok", httpStatus: null, lines: null, priceVersion: null, unpriced: false,
    inputTokens: 0, outputTokens: 0, cachedTokens: 0, answeredModel: null, responseId: null, rawUsage: null, durationMs: 0,
  };
}
