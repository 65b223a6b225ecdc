import { AsyncLocalStorage } from "node:async_hooks";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Usd } from "./amounts.ts";
import type { CacheChoice } from "./cache/cache-options.ts";

/** An agent's run: everything under one id counts together, over all calls and contexts. */
export interface SessionOptions {
  /** Your own name of the run. */
  id: string;
  /** Dollars for the whole run. */
  maxBudget?: Usd | undefined;
  /** Calls in the whole run. */
  maxIterations?: number | undefined;
}

/** Who a call is for and what it may cost: of a call, a context or an instance's `defaults`. */
export interface Payer {
  /** The end user who pays; the scope `customer` of the books. At most 256 bytes. */
  user?: string | undefined;
  tags?: readonly string[] | undefined;
  /** JSON-safe labels, at most 16 KB. */
  metadata?: Readonly<Record<string, unknown>> | undefined;
  session?: SessionOptions | undefined;
}

/** Of `track`: who pays for what the target sends, and what may be changed about it. */
export interface TrackOptions extends Payer {
  /** `false`: no budget shortens an answer; a request whose whole output does not fit is refused instead. */
  outputCap?: boolean | undefined;
}

export interface ContextOptions extends Payer {
  /** Dollars for everything that is called inside this context. */
  maxBudget?: Usd | undefined;
  /** What everything that is called inside asks of the cache, such as a tenant's `namespace`. */
  cache?: CacheChoice | undefined;
}

/** A context with those around it: labels of the innermost win, limits of all of them hold. */
export interface ActiveContext {
  readonly payer: Payer;
  readonly charges: readonly ChargeSet[];
  /** The outermost first. Absent where another version of Tollgate made the context. */
  readonly cache?: readonly CacheChoice[];
}

/** One store for every copy and instance of Tollgate in the program. */
const KEY = Symbol.for("tollgate.context@1");
type Store = AsyncLocalStorage<ActiveContext>;

function store(): Store {
  const holder = globalThis as unknown as Record<symbol, Store | undefined>;
  return (holder[KEY] ??= new AsyncLocalStorage<ActiveContext>());
}

export function activeContext(): ActiveContext | undefined {
  return store().getStore();
}

export function runInContext<T>(context: ActiveContext, fn: () => T): T {
  return store().run(context, fn);
}

/** Labels of both; where both speak, `inner` wins. Tags of both count. */
export function mergePayers(outer: Payer | undefined, inner: Payer): Payer {
  if (outer === undefined) return inner;
  return {
    user: inner.user ?? outer.user,
    // What is no list is left as it is, to be refused when the call is read.
    tags: inner.tags !== undefined && !Array.isArray(inner.tags) ? inner.tags : unique([...(outer.tags ?? []), ...(inner.tags ?? [])]),
    metadata: outer.metadata === undefined ? inner.metadata : { ...outer.metadata, ...inner.metadata },
    session: inner.session ?? outer.session,
  };
}

function unique(tags: readonly string[]): readonly string[] {
  return tags.length < 2 ? tags : [...new Set(tags)];
}
