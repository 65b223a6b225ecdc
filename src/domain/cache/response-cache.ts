import { TollgateError } from "../../base/errors.ts";
import type { StoredAnswer } from "./stored-answer.ts";

/**
 * A cache of answers: `MemoryCache`, `SqliteCache`, or one of your own. It is given keys that say nothing and answers
 * that it need not understand. What it throws, or a promise that never settles, is a miss.
 */
export interface ResponseCache {
  /** Seconds that answers last where a call does not say; `Infinity` or absent: until there is no room. */
  readonly ttlSeconds?: number | undefined;
  /** Larger answers are not offered. */
  readonly maxBytes?: number | undefined;
  /** @param now epoch milliseconds */
  get(key: string, now: number): StoredAnswer | undefined | Promise<StoredAnswer | undefined>;
  /** Replaces what the key had. @param now epoch milliseconds */
  set(key: string, answer: StoredAnswer, now: number): void | Promise<void>;
  /** Forgets everything. */
  clear?(): void | Promise<void>;
}

/** What a cache holds. */
export interface CacheStats {
  readonly entries: number;
  /** As counted against the bound. */
  readonly bytes: number;
}

export interface CacheBounds {
  /** Bytes of all answers together, keys and facts counted. */
  readonly maxBytes?: number | undefined;
  /** Answers. Without it bytes alone decide. */
  readonly maxEntries?: number | undefined;
  /** Seconds that an answer lasts; 3,600 if absent, `Infinity`: until there is no room. */
  readonly ttlSeconds?: number | undefined;
}

const TTL_SECONDS = 3_600;
const TTL_SECONDS_MAX = 10 * 366 * 86_400;

/** @throws TollgateError `invalid_request` */
export function readBounds({ maxBytes, maxEntries, ttlSeconds }: CacheBounds, maxBytesDefault: number): { readonly maxBytes: number; readonly maxEntries: number; readonly ttlSeconds: number } {
  return {
    maxBytes: wholeNumber(maxBytes ?? maxBytesDefault, "maxBytes"),
    maxEntries: maxEntries === undefined || maxEntries === Infinity ? Infinity : wholeNumber(maxEntries, "maxEntries"),
    ttlSeconds: readSeconds(ttlSeconds ?? TTL_SECONDS, "ttlSeconds"),
  };
}

/** A length of time that an answer lasts or may be old. @throws TollgateError `invalid_request` */
export function readSeconds(value: unknown, param: string): number {
  if (typeof value !== "number" || !(value > 0) || (value > TTL_SECONDS_MAX && value !== Infinity)) {
    throw new TollgateError("invalid_request", `${param} must be a number of seconds above 0, ten years at most, or Infinity.`, { param });
  }
  return value;
}

function wholeNumber(value: unknown, param: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw new TollgateError("invalid_request", `${param} must be a whole number from 1 up.`, { param });
  return value as number;
}
