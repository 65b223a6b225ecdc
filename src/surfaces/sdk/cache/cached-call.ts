import { createHash } from "node:crypto";
import { TollgateError } from "../../../base/errors.ts";
import type { Clock } from "../../../base/clock.ts";
import { isRepeatable, keyText } from "../../../domain/cache/cache-key.ts";
import type { ResponseCache } from "../../../domain/cache/response-cache.ts";
import { isFresh, isKept, isStoredAnswer, isWhole, storedAnswer, type StoredAnswer } from "../../../domain/cache/stored-answer.ts";
import type { Settled } from "../../../engine/call.ts";
import { BudgetExceededError } from "../errors.ts";
import { ServerEvents } from "../server-events.ts";
import type { CacheUse } from "./cache-options.ts";
import { Flight, flightsOver, type Landing } from "./flights.ts";

/** A cache that takes longer to look is asked in vain. */
const LOOK_MS = 250;
/** How long an answer that is being kept is given to those who come meanwhile. */
const KEEP_MS = 1_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a call is to the cache: everything about it that decides its answer. */
export interface Question {
  readonly route: string;
  readonly stream: boolean;
  readonly provider: string;
  readonly model: string;
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly mock: unknown;
  /** The provider's body, JSON. */
  readonly body: Uint8Array;
}

/** An answer that can be given. */
export interface Found {
  readonly stored: StoredAnswer;
  /** Of a plain answer: the caller's own copy. */
  readonly answer: object | undefined;
}

/** What the call's surroundings offer. */
export interface CacheSurroundings {
  readonly clock: Clock;
  /** A failure of the cache, which reaches nobody otherwise. */
  told(error: unknown): void;
  /** Work that the program should not end before. */
  outlast(work: Promise<unknown>): void;
}

/** @returns `undefined` where the answer depends on more than the call says */
export function cachedCall(use: CacheUse, question: Question, surroundings: CacheSurroundings): CachedCall | undefined {
  const { body: bytes, mock, ...rest } = question;
  const body = JSON.parse(decoder.decode(bytes)) as Readonly<Record<string, unknown>>;
  if (!isRepeatable(body)) return undefined;
  let given: unknown;
  try {
    given = mock === undefined ? undefined : JSON.parse(JSON.stringify(mock));
  } catch {
    return undefined;
  }
  const text = keyText({ ...rest, namespace: use.namespace, mock: given, body });
  return new CachedCall(use, createHash("sha256").update(text).digest("hex"), question.stream, surroundings);
}

/** One call's dealings with the cache. Nothing that the cache does can break it, or hold it up beyond a quarter of a second. */
export class CachedCall {
  private readonly use: CacheUse;
  private readonly key: string;
  private readonly isStream: boolean;
  private readonly surroundings: CacheSurroundings;
  private flight: Flight | undefined;
  private signal: AbortSignal | undefined;
  private events: string[] = [];
  private eventsLength = 0;

  constructor(use: CacheUse, key: string, isStream: boolean, surroundings: CacheSurroundings) {
    this.use = use;
    this.key = key;
    this.isStream = isStream;
    this.surroundings = surroundings;
  }

  /**
   * The answer that is kept, or that an identical call under way brings. Without one this call is the one that others wait for.
   * @param deadlineMs of the monotonic clock
   * @throws the signal's reason; TollgateError `upstream_timeout`
   */
  async find(signal: AbortSignal | undefined, deadlineMs: number): Promise<Found | undefined> {
    const { read, maxAgeMs, store, share } = this.use;
    this.signal = signal;
    // Streams are handed on as they come, at the pace of their reader: nobody waits for another's.
    while (share && !this.isStream) {
      const flights = flightsOver(store);
      const other = flights.get(this.key);
      if (other === undefined) {
        // Claimed before the cache is asked: whoever comes meanwhile waits for what this call finds.
        flights.set(this.key, (this.flight = new Flight()));
        break;
      }
      const landing = await this.landingOf(other, signal, deadlineMs);
      if (landing === "left") continue;
      return landing === "failed" || !isFresh(landing.answer, this.surroundings.clock.now(), maxAgeMs) ? undefined : this.read(landing.answer);
    }
    if (!read) return undefined;
    const found = await this.stored();
    if (found !== undefined) this.land({ answer: found.stored }, undefined);
    return found;
  }

  /** @param body the answer as it came @param answer the same, read */
  keep(body: Uint8Array, answered: object, { charge, attempt }: Settled): void {
    const { store, write, ttlMs } = this.use;
    if (!write || body.length === 0 || !isKept(charge, attempt) || !isWhole(answered)) {
      this.land("failed", undefined);
      return;
    }
    const now = this.surroundings.clock.now();
    const answer = storedAnswer(body, charge, now, ttlMs);
    const keeping = body.length > (store.maxBytes ?? Infinity) ? undefined : this.guarded(() => store.set(this.key, answer, now), KEEP_MS);
    if (keeping !== undefined) this.surroundings.outlast(keeping);
    this.land({ answer }, keeping);
  }

  /** The data of a stream's event. */
  note(data: string): void {
    this.eventsLength += data.length;
    if (!this.use.write || this.eventsLength > (this.use.store.maxBytes ?? Infinity)) this.events = [];
    else this.events.push(data);
  }

  /** The stream came to its end. */
  keepStream(answer: object, settled: Settled): void {
    if (this.events.length === 0) return;
    this.keep(encoder.encode(this.events.map((data) => `data: ${data.replaceAll("\n", "\ndata: ")}\n\n`).join("")), answer, settled);
    this.events = [];
  }

  /** The call ended without an answer to keep. */
  failed(error: unknown): void {
    this.land(this.signal?.aborted === true || isOfTheCaller(error) ? "left" : "failed", undefined);
  }

  private async stored(): Promise<Found | undefined> {
    const { store, maxAgeMs } = this.use;
    const now = this.surroundings.clock.now();
    const found = await this.guarded(() => store.get(this.key, now), LOOK_MS);
    if (found === undefined || found === null || !isStoredAnswer(found)) return undefined;
    return isFresh(found, now, maxAgeMs) ? this.read(found) : undefined;
  }

  /** Read before anything is said of it: what a cache of the program's own has spoilt must not reach a caller. */
  private read(stored: StoredAnswer): Found | undefined {
    try {
      if (!this.isStream) {
        const answer = JSON.parse(decoder.decode(stored.body)) as unknown;
        return typeof answer === "object" && answer !== null ? { stored, answer } : undefined;
      }
      const events = new ServerEvents();
      const all = [...events.push(stored.body), ...events.end()];
      for (const data of all) JSON.parse(data);
      return all.length > 0 ? { stored, answer: undefined } : undefined;
    } catch {
      return undefined;
    }
  }

  /** @param keeping until it is over, the answer is given to those who come */
  private land(landing: Landing, keeping: Promise<unknown> | undefined): void {
    const { flight } = this;
    if (flight === undefined) return;
    this.flight = undefined;
    flight.land(landing);
    const forget = (): void => {
      const flights = flightsOver(this.use.store);
      if (flights.get(this.key) === flight) flights.delete(this.key);
    };
    if (keeping === undefined) forget();
    else void keeping.then(forget);
  }

  private landingOf(other: Flight, signal: AbortSignal | undefined, deadlineMs: number): Promise<Landing> {
    return new Promise((resolve, reject) => {
      const finish = (then: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        then();
      };
      const onAbort = (): void => finish(() => reject(signal?.reason as Error));
      const timer = setTimeout(
        () => finish(() => reject(new TollgateError("upstream_timeout", "The identical call that this one waited for took longer than this call allows. Nothing was sent or charged; try again, or allow more time."))),
        Math.max(0, deadlineMs - this.surroundings.clock.monotonic()),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
      void other.landed.then((landing) => finish(() => resolve(landing)));
    });
  }

  /** What the cache does, within a time; its failure is told and is nothing. */
  private async guarded<Result>(work: () => Result | Promise<Result>, withinMs: number): Promise<Result | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const result = work();
      if (typeof (result as { then?: unknown } | undefined)?.then !== "function") return result;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`The cache took more than ${withinMs} ms.`)), withinMs);
      });
      return await Promise.race([result, late]);
    } catch (error) {
      tellOnce(this.use.store, error, this.surroundings);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Given up, refused, or out of its own time: says nothing about how another would fare. */
function isOfTheCaller(error: unknown): boolean {
  if (BudgetExceededError.isInstance(error)) return true;
  return TollgateError.isInstance(error) && ["aborted", "rate_limited", "request_exceeds_tpm", "cost_not_boundable", "unpriced", "upstream_timeout"].includes(error.code);
}

const told = new WeakMap<ResponseCache, Set<string>>();
const TOLD_MAX = 16;

/** A broken cache fails at every call: each of its troubles is told once. */
function tellOnce(cache: ResponseCache, error: unknown, surroundings: CacheSurroundings): void {
  let known = told.get(cache);
  if (known === undefined) told.set(cache, (known = new Set()));
  const what = error instanceof Error ? error.message : String(error);
  if (known.has(what) || known.size >= TOLD_MAX) return;
  known.add(what);
  surroundings.told(error);
}
