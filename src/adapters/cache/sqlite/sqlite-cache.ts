import { TollgateError } from "../../../base/errors.ts";
import { readBounds, type CacheBounds, type CacheStats, type ResponseCache } from "../../../domain/cache/response-cache.ts";
import type { StoredAnswer } from "../../../domain/cache/stored-answer.ts";
import type { CacheFile } from "./cache-file.ts";

const MAX_BYTES = 256 * 1024 * 1024;
/** A file that could not be used is tried again after this long. */
const TRY_AGAIN_MS = 10_000;

export interface SqliteCacheOptions extends CacheBounds {
  /** The cache's file; made if there is none, with its folder, for this user alone. */
  readonly path: string;
}

/**
 * Answers in a file, for any number of programs of one machine at a time: 256 MiB if `maxBytes` does not say otherwise,
 * each for an hour. What was not used for longest goes first. The file is opened by the first call.
 *
 * A file that cannot be used breaks no call; `open` tells what is wrong with it.
 *
 * @throws TollgateError `invalid_request` for bounds that are none
 * @example const tollgate = createTollgate({ cache: new SqliteCache({ path: "cache.db", ttlSeconds: 86_400 }) });
 */
export class SqliteCache implements ResponseCache, AsyncDisposable {
  readonly path: string;
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly ttlSeconds: number;
  private file: CacheFile | undefined;
  private opening: Promise<CacheFile> | undefined;
  private problem: { readonly error: unknown; readonly untilMs: number } | undefined;

  constructor({ path, ...bounds }: SqliteCacheOptions) {
    if (typeof path !== "string" || path === "") throw new TollgateError("invalid_request", 'path must be the path of the cache\'s file, such as "cache.db".', { param: "path" });
    this.path = path;
    ({ maxBytes: this.maxBytes, maxEntries: this.maxEntries, ttlSeconds: this.ttlSeconds } = readBounds(bounds, MAX_BYTES));
  }

  /**
   * Opens the file now, to hear at the start what a call would never say.
   * @throws TollgateError `cache_unreadable`, `cache_newer`, `file_unwritable`
   */
  async open(): Promise<void> {
    await this.opened();
  }

  get(key: string, now: number): StoredAnswer | undefined | Promise<StoredAnswer | undefined> {
    return this.file === undefined ? this.opened().then((file) => this.use(file, () => file.get(key, now))) : this.use(this.file, (file) => file.get(key, now));
  }

  async set(key: string, answer: StoredAnswer, now: number): Promise<void> {
    const file = await this.opened();
    await this.use(file, () => file.set(key, answer, now));
  }

  /** Forgets everything, for every program that uses the file. */
  async clear(): Promise<void> {
    const file = await this.opened();
    await this.use(file, () => file.clear());
  }

  /** What the file holds, whoever put it there. */
  async stats(): Promise<CacheStats> {
    const file = await this.opened();
    return this.use(file, () => file.stats());
  }

  /** Lets go of the file; a later call opens it again. */
  async close(): Promise<void> {
    const { opening } = this;
    this.opening = undefined;
    this.file = undefined;
    await opening?.then((file) => file.close(), () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async opened(): Promise<CacheFile> {
    if (this.problem !== undefined && performance.now() < this.problem.untilMs) throw this.problem.error;
    this.opening ??= this.openFile();
    return this.opening;
  }

  private async openFile(): Promise<CacheFile> {
    try {
      // Loaded by use alone: importing the package must not load SQLite.
      const { openCacheFile } = await import("./cache-file.ts");
      const file = await openCacheFile(this);
      this.problem = undefined;
      this.file = file;
      return file;
    } catch (error) {
      this.giveUp(error);
      throw error;
    }
  }

  /** A file that turns out to be damaged is let go of, so that one in its place can be opened. */
  private use<Result>(file: CacheFile, work: (file: CacheFile) => Result): Result {
    const failed = (error: unknown): never => {
      const told = file.problemOf(error);
      if (TollgateError.isInstance(told)) {
        // A damaged file may not even close well; the first error is the one to tell.
        this.close().catch(() => {});
        this.giveUp(told);
      }
      throw told;
    };
    try {
      const result = work(file);
      return result instanceof Promise ? (result.catch(failed) as Result) : result;
    } catch (error) {
      return failed(error);
    }
  }

  private giveUp(error: unknown): void {
    this.opening = undefined;
    this.file = undefined;
    this.problem = { error, untilMs: performance.now() + TRY_AGAIN_MS };
  }
}
