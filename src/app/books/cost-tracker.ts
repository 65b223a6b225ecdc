import { TollgateError } from "../../base/errors.ts";
import { withIds } from "../../domain/analytics/aliases.ts";
import type { CostFilter } from "../../domain/analytics/dimension.ts";
import { periodSpan, type Period } from "../../domain/analytics/period.ts";
import type { CostSource } from "../../domain/analytics/source.ts";
import type { ResponseCache } from "../../domain/cache/response-cache.ts";
import { checkZone } from "../../domain/windows/zone.ts";
import { checkCache } from "../../surfaces/sdk/cache/cache-options.ts";
import type { CompletionFunction } from "../../surfaces/sdk/completion-types.ts";
import { logCost, type LoggedCost, type LogOptions } from "../../surfaces/sdk/log-cost.ts";
import type { Tollgate } from "../../surfaces/sdk/tollgate.ts";
import { createTollgate, type HasBooks } from "../sdk.ts";
import { isUrl, openPlace } from "./place.ts";
import { Subscription } from "./subscription.ts";
import { trackedEntry, type TrackedEntry } from "./tracked-entry.ts";

export interface CostTrackerOptions {
  /** A ledger's file, made by the first call, or a gateway's data folder; `"costs.db"` if nothing is said. */
  readonly path?: string | undefined;
  /** A gateway, to read only. */
  readonly url?: string | undefined;
  /** Of the gateway: its master key; `TOLLGATE_MASTER_KEY` if left out. */
  readonly apiKey?: string | undefined;
  /** An instance whose books are tracked, wherever they are. */
  readonly tollgate?: Tollgate | undefined;
  /** Where `completion` of this tracker keeps answers, to give them again for $0. An instance brings its own. */
  readonly cache?: ResponseCache | undefined;
  /** For dates in periods; UTC if left out. */
  readonly timeZone?: string | undefined;
  /** How often other processes' entries are looked for: 100 ms in a file, 1,000 ms at a gateway. */
  readonly pollMs?: number | undefined;
  /** Told why a subscription has to wait, or what its listener threw; a warning of the process if left out. */
  readonly onProblem?: ((error: unknown) => void) | undefined;
}

export interface TrackerQuery extends Period {
  readonly filter?: CostFilter | undefined;
  /** One call, by `response.cost.callId`. */
  readonly callId?: string | undefined;
  readonly order?: "newest" | "oldest" | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
  /** 1 to 1,000; 100 if left out. */
  readonly limit?: number | undefined;
}

export interface TrackerPage {
  readonly entries: readonly TrackedEntry[];
  /** `null` on the last page. */
  readonly next: string | null;
}

export interface SubscribeOptions {
  readonly filter?: CostFilter | undefined;
}

/**
 * Every call's cost in one file that any number of processes share, or in the books of a gateway or an instance.
 * Nothing is opened before the first method. Methods reject with TollgateError `ledger_unreadable`, `ledger_newer`,
 * `data_folder_in_use` (a gateway writes this file: read it, or call through the gateway), `data_folder_unwritable`, `gateway_unreachable`, `invalid_request`.
 *
 * @example
 * const tracker = new CostTracker({ path: "costs.db" });
 * const response = await tracker.completion({ model: "openai/gpt-4o-mini", messages, user: "ann", tags: ["search"] });
 * for (const entry of (await tracker.query({ days: 7, filter: { user: "ann" } })).entries) console.log(entry.at, entry.costExact);
 * await tracker.close();
 */
export class CostTracker implements HasBooks, AsyncDisposable {
  private readonly options: CostTrackerOptions;
  private readonly subscriptions = new Set<Subscription>();
  private tollgate: Tollgate | undefined;
  private ownsTollgate = false;
  private reader: Promise<CostSource> | undefined;

  constructor(options: CostTrackerOptions = {}) {
    if ([options.path, options.url, options.tollgate].filter((place) => place !== undefined).length > 1) throw new TollgateError("config_invalid", "A tracker has one place: path, url or tollgate.");
    if (options.path === "" || (options.path !== undefined && typeof options.path !== "string")) throw new TollgateError("config_invalid", "path must be the name of a file, such as \"costs.db\".", { param: "path" });
    if (options.url !== undefined && !isUrl(options.url)) throw new TollgateError("config_invalid", "url must be a gateway's address, such as \"http://127.0.0.1:4000\".", { param: "url" });
    if (options.pollMs !== undefined && !(options.pollMs >= 1)) throw new TollgateError("invalid_request", "pollMs must be milliseconds from 1 up.", { param: "pollMs" });
    if (options.cache !== undefined && options.path === undefined && (options.url ?? options.tollgate) !== undefined) throw new TollgateError("config_invalid", "A tracker of an instance or a gateway makes no calls of its own: give the cache to the instance.", { param: "cache" });
    checkCache(options.cache);
    checkZone(options.timeZone ?? "UTC", { param: "timeZone" });
    this.options = options;
    if (options.tollgate !== undefined) {
      options.tollgate.keepEntries();
      this.tollgate = options.tollgate;
    }
  }

  /** A chat completion as `createTollgate().completion` makes it, in these books. */
  readonly completion: CompletionFunction = (async (params: never) => this.writing().completion(params)) as CompletionFunction;

  /**
   * Puts a call into the books that was made elsewhere: an answer of Tollgate's, its stream, or any answer in OpenAI's shape with `usage`, priced by
   * the price book. Once by `cost.callId`, or by the provider's id of the answer: to log it again changes nothing (`posted: false`).
   * Without a known price the entry and the result are marked `unpriced`.
   * @example const { total, posted } = await tracker.logCost(response, { user: "ann", tags: ["search"] });
   */
  readonly logCost = async (response: unknown, options: LogOptions = {}): Promise<LoggedCost> => {
    const logged = await this.writing().call((plane) => logCost(plane, response, options));
    this.wake();
    return logged;
  };

  /** A page of entries, newest first unless said otherwise; of all time unless a period is given. */
  readonly query = async ({ filter, callId, order, after, limit = 100, ...period }: TrackerQuery = {}): Promise<TrackerPage> => {
    const source = await this.costs();
    const said = Object.values(period).some((value) => value !== undefined);
    const span = said ? periodSpan(period, Date.now(), { timeZone: this.options.timeZone ?? "UTC", weekStart: 0 }) : {};
    const page = await source.entries({ ...span, filter: await withIds(source, filter), requestId: callId, after, order, limit });
    return { entries: page.entries.map(trackedEntry), next: page.next };
  };

  /** All entries of a query, page by page, however many there are. */
  async *entries(query: Omit<TrackerQuery, "after"> = {}): AsyncGenerator<TrackedEntry, void, void> {
    for (let after: string | undefined | null; after !== null; ) {
      const page: TrackerPage = await this.query({ limit: 1_000, ...query, after });
      yield* page.entries;
      after = page.next;
    }
  }

  /**
   * Entries as they are written from now on, by whichever process: those of this one at once. Give a listener, or iterate.
   * @example for await (const entry of await tracker.subscribe()) console.log(entry.user, entry.costExact);
   * @example const subscription = await tracker.subscribe((entry) => meter.add(entry.cost), { filter: { user: "ann" } });
   */
  readonly subscribe = async (first?: ((entry: TrackedEntry) => void) | SubscribeOptions, second: SubscribeOptions = {}): Promise<Subscription> => {
    const [listener, options] = typeof first === "function" ? [first, second] : [undefined, first ?? {}];
    const source = await this.costs();
    const since = Date.now();
    const subscription = new Subscription(source, {
      ...(await source.arrivals()), since, filter: await withIds(source, options.filter),
      pollMs: this.options.pollMs ?? (this.options.url === undefined ? 100 : 1_000), onProblem: (error) => this.problem(error),
    });
    this.subscriptions.add(subscription);
    const deaf = this.tollgate?.onSettled(subscription.wake);
    subscription.closed(() => {
      this.subscriptions.delete(subscription);
      deaf?.();
    });
    if (listener !== undefined) void this.tell(subscription, listener);
    return subscription;
  };

  /** Where `CostAnalyzer` reads. */
  readonly costs = (): Promise<CostSource> => {
    this.reader ??= this.openReader().catch((error: unknown) => {
      this.reader = undefined;
      throw error;
    });
    return this.reader;
  };

  /** Ends subscriptions, lets calls end, writes what is owed and closes what this tracker opened. A later method opens it again. */
  readonly close = async (): Promise<void> => {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
    const { reader, tollgate, ownsTollgate } = this;
    this.reader = undefined;
    try {
      if (ownsTollgate) await tollgate?.close();
    } finally {
      if (this.options.tollgate === undefined) await (await reader)?.close();
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What `createTollgate({ tracker })` uses. */
  get seam(): HasBooks["seam"] {
    if (this.options.tollgate !== undefined) throw new TollgateError("config_invalid", "This tracker follows an instance already. Give createTollgate a tracker with a path.", { param: "tracker" });
    return {
      books: async (clock) => (await import("./open-ledger.ts")).openLedger(this.path(), clock),
      bind: (tollgate) => {
        if (this.tollgate !== undefined) throw new TollgateError("config_invalid", "This tracker keeps the books of another instance. Make one for each; they may share a file.", { param: "tracker" });
        this.tollgate = tollgate;
        for (const subscription of this.subscriptions) subscription.closed(tollgate.onSettled(subscription.wake));
      },
    };
  }

  private path(): string {
    if (this.options.url !== undefined) throw new TollgateError("invalid_request", `This tracker reads the books of the gateway at ${this.options.url}. Calls through the gateway are in them; what was called elsewhere goes to POST /v1/tollgate/charges.`);
    return this.options.path ?? "costs.db";
  }

  /** The instance whose books these are: given, bound, or made now. */
  private writing(): Tollgate {
    this.path();
    if (this.tollgate === undefined) {
      createTollgate({ tracker: this, cache: this.options.cache });
      this.ownsTollgate = true;
    }
    return this.tollgate as unknown as Tollgate;
  }

  private async openReader(): Promise<CostSource> {
    const { url, apiKey, tollgate } = this.options;
    if (tollgate !== undefined) return await tollgate.costs();
    if (url !== undefined) return await openPlace(url, apiKey);
    const { openCosts } = await import("./open-costs.ts");
    try {
      return openCosts(this.path());
    } catch (error) {
      if (!TollgateError.isInstance(error) || error.code !== "not_found") throw error;
      // The file is this tracker's to make.
      await this.writing().plane();
      return openCosts(this.path());
    }
  }

  private async tell(subscription: Subscription, listener: (entry: TrackedEntry) => void): Promise<void> {
    for await (const entry of subscription) {
      try {
        listener(entry);
      } catch (error) {
        this.problem(error);
      }
    }
  }

  private wake(): void {
    for (const subscription of this.subscriptions) subscription.wake();
  }

  private problem(error: unknown): void {
    if (this.options.onProblem !== undefined) this.options.onProblem(error);
    else process.emitWarning(error instanceof Error ? error : String(error));
  }
}
