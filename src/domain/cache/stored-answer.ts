import type { Charge } from "../ledger/entry.ts";
import type { OpenAttempt } from "../limits/books.ts";

/** An answer in a cache. JSON-safe but for its bytes. */
export interface StoredAnswer {
  /** As the provider sent it: a plain answer's JSON, or the events of a stream. UTF-8. Never changed. */
  readonly body: Uint8Array;
  /** Epoch milliseconds. */
  readonly storedAt: number;
  /** Epoch milliseconds; `null`: until it is forgotten for want of room. */
  readonly expiresAt: number | null;
  /** What it cost when it was bought, nano-dollars as decimal text: what a hit saves. */
  readonly cost: string;
  readonly priceVersion: string | null;
  readonly model: string | null;
  readonly responseId: string | null;
  /** The provider's usage object, JSON text. */
  readonly rawUsage: string | null;
}

/** A row's or a map entry's own weight, on the safe side. */
const OVERHEAD_BYTES = 256;

/** What an answer takes of a cache's bound: key, body and facts, each in full. */
export function bytesOf(key: string, { body, priceVersion, model, responseId, rawUsage }: StoredAnswer): number {
  let characters = key.length;
  for (const text of [priceVersion, model, responseId, rawUsage]) characters += text?.length ?? 0;
  // Two bytes hold any character of a text in memory; in a file it takes three at most, and these are ASCII.
  return OVERHEAD_BYTES + 2 * characters + body.length;
}

/** Still good, and not older than the caller accepts. An answer from the future is one of another clock: it is not trusted. */
export function isFresh({ storedAt, expiresAt }: StoredAnswer, now: number, maxAgeMs = Infinity): boolean {
  return storedAt <= now + CLOCKS_APART_MS && now - storedAt <= maxAgeMs && (expiresAt === null || now < expiresAt);
}

/** Programs that share a cache may have clocks that differ a little. */
const CLOCKS_APART_MS = 60_000;

/** Whole, successful and believable, and not cut by what a budget afforded: only such an answer is worth having again. */
export function isKept(charge: Charge, attempt: Pick<OpenAttempt, "sendCap">): boolean {
  const { status, httpStatus, estimated } = charge;
  if (status !== "ok" || httpStatus === null || httpStatus < 200 || httpStatus > 299) return false;
  if (estimated !== null && estimated !== "unpriced" && estimated !== "rate_guessed") return false;
  // A cap that a budget set is in nobody's key: an answer that may have met it is another caller's wrong answer.
  return attempt.sendCap === undefined || charge.outputTokens < attempt.sendCap;
}

/** Some providers answer 200 and say inside that they failed, or that the answer is still to come. */
export function isWhole(answer: { readonly status?: unknown; readonly error?: unknown }): boolean {
  const { status, error } = answer;
  return (error ?? null) === null && (typeof status !== "string" || status === "completed" || status === "incomplete");
}

/** The answer of an attempt as it is kept. Nobody knows what an unpriced one saves, so it says nothing. */
export function storedAnswer(body: Uint8Array, charge: Charge, now: number, ttlMs: number): StoredAnswer {
  return {
    // A copy: a chunk from a socket may be a part of something much larger.
    body: body.slice(), storedAt: now, expiresAt: Number.isFinite(ttlMs) ? now + Math.ceil(ttlMs) : null, cost: charge.unpriced ? "0" : charge.cost.toString(),
    priceVersion: charge.priceVersion, model: charge.answeredModel, responseId: charge.responseId, rawUsage: charge.rawUsage,
  };
}

/** Whether what a cache gave back is an answer at all; a cache of the program's own may give anything. */
export function isStoredAnswer(value: unknown): value is StoredAnswer {
  if (typeof value !== "object" || value === null) return false;
  const { body, storedAt, expiresAt, cost, ...facts } = value as StoredAnswer;
  const isText = (fact: unknown): boolean => fact === null || typeof fact === "string";
  return body instanceof Uint8Array && body.length > 0 && Number.isFinite(storedAt) && (expiresAt === null || Number.isFinite(expiresAt)) && typeof cost === "string" && /^\d{1,19}$/.test(cost)
    && isText(facts.priceVersion) && isText(facts.model) && isText(facts.responseId) && isText(facts.rawUsage);
}
