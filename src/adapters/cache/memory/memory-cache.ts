import { readBounds, type CacheBounds, type CacheStats, type ResponseCache } from "../../../domain/cache/response-cache.ts";
import { bytesOf, isFresh, type StoredAnswer } from "../../../domain/cache/stored-answer.ts";

const MAX_BYTES = 64 * 1024 * 1024;

interface Kept {
  readonly answer: StoredAnswer;
  readonly bytes: number;
}

/**
 * Answers in this process: 64 MiB of them if `maxBytes` does not say otherwise, each for an hour. What was not used for
 * longest goes first.
 *
 * @throws TollgateError `invalid_request` for bounds that are none
 * @example const tollgate = createTollgate({ cache: new MemoryCache({ maxBytes: 16 * 1024 * 1024, ttlSeconds: 600 }) });
 */
export class MemoryCache implements ResponseCache {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly ttlSeconds: number;
  /** The one used last stands last. */
  private readonly kept = new Map<string, Kept>();
  private bytes = 0;

  constructor(bounds: CacheBounds = {}) {
    ({ maxBytes: this.maxBytes, maxEntries: this.maxEntries, ttlSeconds: this.ttlSeconds } = readBounds(bounds, MAX_BYTES));
  }

  get(key: string, now: number): StoredAnswer | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    this.drop(key);
    if (!isFresh(found.answer, now)) return undefined;
    this.put(key, found);
    return found.answer;
  }

  set(key: string, answer: StoredAnswer): void {
    this.drop(key);
    const bytes = bytesOf(key, answer);
    if (bytes > this.maxBytes) return;
    this.put(key, { answer, bytes });
    for (const oldest of this.kept.keys()) {
      if (this.bytes <= this.maxBytes && this.kept.size <= this.maxEntries) return;
      this.drop(oldest);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.kept.clear();
    this.bytes = 0;
  }

  stats(): CacheStats {
    return { entries: this.kept.size, bytes: this.bytes };
  }

  private put(key: string, kept: Kept): void {
    this.kept.set(key, kept);
    this.bytes += kept.bytes;
  }

  private drop(key: string): void {
    const found = this.kept.get(key);
    if (found === undefined) return;
    this.kept.delete(key);
    this.bytes -= found.bytes;
  }
}
