import { performance } from "node:perf_hooks";
import { createFetchUpstream } from "../adapters/upstream/fetch/fetch-upstream.ts";
import { SteadyClock } from "../base/clock.ts";
import { TollgateError } from "../base/errors.ts";
import { UlidSource } from "../base/ids.ts";
import type { ResponseCache } from "../domain/cache/response-cache.ts";
import type { CostSource } from "../domain/analytics/source.ts";
import type { Entry } from "../domain/ledger/entry.ts";
import type { Books } from "../domain/limits/books.ts";
import type { PriceBook } from "../domain/pricing/price.ts";
import { Engine } from "../engine/engine.ts";
import type { TrackOptions } from "../surfaces/sdk/context.ts";
import type { Usd } from "../surfaces/sdk/amounts.ts";
import { checkCache } from "../surfaces/sdk/cache/cache-options.ts";
import { Callbacks, type CallbackOptions } from "../surfaces/sdk/callbacks.ts";
import type { BudgetOptions } from "../surfaces/sdk/charges.ts";
import type { CustomLogger, FailureCallback, InputCallback, SuccessCallback } from "../surfaces/sdk/custom-logger.ts";
import { HeldQueue } from "../surfaces/sdk/held-queue.ts";
import { MockAnswers } from "../surfaces/sdk/mock-answers.ts";
import { asMetered } from "../surfaces/sdk/track/metering.ts";
import { TrackedSends } from "../surfaces/sdk/track/tracked-sends.ts";
import { Payers } from "../surfaces/sdk/payers.ts";
import { SettlementWatch, type CallDefaults, type SdkPlane } from "../surfaces/sdk/plane.ts";
import { Tollgate } from "../surfaces/sdk/tollgate.ts";
import { KeptEntries, openMemoryBooks } from "./sdk/memory.ts";
import { lazyModelCost } from "../surfaces/sdk/costs/model-cost.ts";
import type { CostFunctions } from "../surfaces/sdk/costs/cost-functions.ts";
import { DIALECTS, openCosts, processRegistry } from "./sdk/costs.ts";
import { routeOf } from "./sdk/route.ts";
import { hostKind, trackedRouteOf } from "./sdk/tracked-route.ts";

export interface TollgateOptions extends CallbackOptions {
  /** Dollars that this process may spend from its start. */
  readonly maxBudget?: Usd | undefined;
  /** Budgets with windows: for everything, a user, each user, a tag, a model. */
  readonly budgets?: readonly BudgetOptions[] | undefined;
  /** For calls that do not say so themselves. */
  readonly defaults?: CallDefaults | undefined;
  readonly inputCallbacks?: readonly InputCallback[] | undefined;
  readonly successCallbacks?: readonly SuccessCallback[] | undefined;
  readonly failureCallbacks?: readonly FailureCallback[] | undefined;
  readonly callbacks?: readonly CustomLogger[] | undefined;
  /** Where answers are kept to be given again, for $0. Without it nothing is kept. The program closes it. */
  readonly cache?: ResponseCache | undefined;
  /** Instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Instead of the price book of this release. */
  readonly prices?: PriceBook | undefined;
  /** Where holds and costs are kept: in memory if absent. Called with the instance's clock by its first call. */
  readonly books?: ((clock: SteadyClock) => OpenedBooks | Promise<OpenedBooks>) | undefined;
  /** Keeps this instance's books in the tracker's file: instead of `books`. */
  readonly tracker?: HasBooks | undefined;
  /** Told each entry of the ledger, once, in order. Must not throw. */
  readonly onEntry?: ((entry: Entry) => void) | undefined;
  /** @internal Where calls go, instead of to the provider that a model names. */
  readonly route?: SdkPlane["route"] | undefined;
}

/** Books, and how to let go of them. */
export interface OpenedBooks {
  readonly books: Books;
  close?(): Promise<void>;
  /** What reports read. */
  costs?(): CostSource;
}

/** A `CostTracker`: an instance has exactly one `Books`, and a tracker one instance. */
export interface HasBooks {
  /** @internal */
  readonly seam: { readonly books: NonNullable<TollgateOptions["books"]>; bind(tollgate: Tollgate): void };
}

/**
 * An isolated instance: its own books, budgets and callbacks. Opens nothing before its first call.
 *
 * @throws TollgateError `invalid_amount`, `invalid_duration` for wrong budgets, `invalid_request` for what is no cache
 * @example
 * const tollgate = createTollgate({ maxBudget: 5, defaults: { user: "nightly-job" } });
 * const response = await tollgate.completion({ model: "openai/gpt-4o-mini", messages });
 */
export function createTollgate(options: TollgateOptions = {}): Tollgate {
  const clock = new SteadyClock({ now: () => Date.now(), monotonic: () => performance.now() }, () => {});
  const ids = new UlidSource((size) => crypto.getRandomValues(new Uint8Array(size)));
  const payers = new Payers({ budgets: options.budgets ?? [], maxBudget: options.maxBudget, processId: ids.next(clock.now()) });
  const callbacks = new Callbacks(options);
  callbacks.input = [...(options.inputCallbacks ?? [])];
  callbacks.success = [...(options.successCallbacks ?? [])];
  callbacks.failure = [...(options.failureCallbacks ?? [])];
  callbacks.loggers = [...(options.callbacks ?? [])];

  if (options.tracker !== undefined && options.books !== undefined) throw new TollgateError("config_invalid", "An instance has one set of books: give tracker or books, not both.", { param: "tracker" });
  const cache = { current: checkCache(options.cache) };
  const openBooks = options.tracker?.seam.books ?? options.books;
  const settledListeners = new Set<() => void>();
  const kept = new KeptEntries();
  let costs: (() => CostSource) | undefined;
  const opens = new WeakMap<SdkPlane, OpenedBooks>();
  const { prices, costs: costFunctions } = openCosts(options.prices, new Map(), () => clock.now());
  const withBooks = (opened: OpenedBooks): SdkPlane => {
    const { books } = opened;
    costs = opened.costs?.bind(opened);
    const held = new HeldQueue();
    const watch = new SettlementWatch(held, options.onEntry, settledListeners);
    // A program whose `fetch` is tracked, too, is metered once.
    const send: typeof globalThis.fetch = (input, init) => asMetered(() => (options.fetch ?? globalThis.fetch)(input, init));
    const tracked = new TrackedSends(createFetchUpstream({
      fetch: () => send,
      ask: ({ origin, headers }, path, signal) => send(`${origin}${path}`, { redirect: "error", signal, headers: pairs(headers) }),
    }));
    const mocks = new MockAnswers(tracked);
    const engine = new Engine({
      clock, books, upstream: mocks, prices, observer: watch,
      settings: { onDisconnect: "cancel", drainMs: 0, requestTimeoutMs: 2_147_483_647, unpriced: "allow", showAuthErrors: true },
    });
    const plane: SdkPlane = {
      clock, ids, engine, prices, payers, callbacks, watch, held, mocks, defaults: options.defaults ?? {},
      dialects: DIALECTS,
      cache: () => cache.current,
      route: options.route ?? ((query) => routeOf(query, process.env)),
      tracked,
      upstreamOver: (fetch, ask) => createFetchUpstream({ fetch: () => fetch, ask: (_, path, signal) => ask(path, signal) }),
      trackedRoute: (query) => trackedRouteOf(query, prices, clock.now()),
    };
    opens.set(plane, opened);
    return plane;
  };
  const open = (): SdkPlane | Promise<SdkPlane> => {
    const opened = openBooks?.(clock) ?? { books: openMemoryBooks(clock, kept), costs: () => kept.costs() };
    return opened instanceof Promise ? opened.then(withBooks) : withBooks(opened);
  };
  const instance = new Tollgate({
    clock, ids, payers, callbacks, hostKind, pricing: costFunctions, cache, open, close: async (plane) => opens.get(plane)?.close?.(), settledListeners,
    keepEntries: () => {
      if (openBooks === undefined) kept.keep();
    },
    costs: () => {
      if (costs === undefined) throw new TollgateError("invalid_request", "The books of this instance cannot be read back; ask where they are kept.");
      return costs();
    },
  });
  options.tracker?.seam.bind(instance);
  return instance;
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, flat[index + 1] as string]] : []));
}

const KEY = Symbol.for("tollgate@1");

/** The default instance: one for the program, however often bundlers copy this module. Made on first use. */
export function defaultTollgate(): Tollgate {
  const holder = globalThis as unknown as Record<symbol, Tollgate | undefined>;
  return (holder[KEY] ??= createTollgate());
}

/** Stands for the default instance without making it: each use goes to the one under `globalThis`. */
export const tollgate: Tollgate = new Proxy(Object.create(Tollgate.prototype) as Tollgate, {
  get: (_target, name) => Reflect.get(defaultTollgate(), name, defaultTollgate()) as unknown,
  set: (_target, name, value) => Reflect.set(defaultTollgate(), name, value, defaultTollgate()),
  has: (_target, name) => Reflect.has(defaultTollgate(), name),
});

export const completion: Tollgate["completion"] = ((params: never) => defaultTollgate().completion(params)) as Tollgate["completion"];
export const embedding: Tollgate["embedding"] = (params) => defaultTollgate().embedding(params);
export const responses: Tollgate["responses"] = ((params: never) => defaultTollgate().responses(params)) as Tollgate["responses"];
export const withContext: Tollgate["withContext"] = (options, fn) => defaultTollgate().withContext(options, fn);
/** `tollgate` is the instance that meters it; the default one if absent. */
export const track = <T>(target: T, { tollgate: instance = defaultTollgate(), ...options }: TrackOptions & { readonly tollgate?: Tollgate | undefined } = {}): T => instance.track(target, options);

/** The cost functions of the process: models that are registered here count for every instance. Made on first use. */
let processCosts: CostFunctions | undefined;
const costs = (): CostFunctions => (processCosts ??= openCosts(undefined, processRegistry()).costs);

export const completionCost: Tollgate["completionCost"] = ((given: never, options: never) => costs().completionCost(given, options)) as Tollgate["completionCost"];
export const costPerToken: Tollgate["costPerToken"] = (params) => costs().costPerToken(params);
export const tokenCounter: Tollgate["tokenCounter"] = (params) => costs().tokenCounter(params);
export const getModelInfo: Tollgate["getModelInfo"] = (model) => costs().getModelInfo(model);
export const registerModel: Tollgate["registerModel"] = (models) => costs().registerModel(models);
/** Every priced model by `provider/model`, under LiteLLM's field names. Read on first use. */
export const modelCost: Tollgate["modelCost"] = lazyModelCost(() => costs());
