import type { Clock } from "../../base/clock.ts";
import type { UlidSource } from "../../base/ids.ts";
import { entryOf, type Entry } from "../../domain/ledger/entry.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";
import type { Settled } from "../../engine/call.ts";
import type { Engine, Observer } from "../../engine/engine.ts";
import type { ResponseCache } from "../../domain/cache/response-cache.ts";
import type { CacheChoice } from "./cache/cache-options.ts";
import type { CallType } from "./call-record.ts";
import type { Callbacks } from "./callbacks.ts";
import type { Payer } from "./context.ts";
import { HeldQueue } from "./held-queue.ts";
import type { MockAnswers } from "./mock-answers.ts";
import type { Payers } from "./payers.ts";
import type { TrackedSends } from "./track/tracked-sends.ts";
import type { Upstream } from "../../domain/upstream/upstream.ts";

/** Where a call goes: a model as the program names it, and what it says beside. */
export interface RouteQuery {
  readonly type: CallType;
  readonly model: string;
  readonly apiKey?: string | undefined;
  readonly apiBase?: string | undefined;
  readonly mocked: boolean;
}

/** What the calls of one instance share; put together by `app/sdk`. */
export interface SdkPlane {
  readonly clock: Clock;
  readonly ids: UlidSource;
  readonly engine: Engine;
  readonly prices: PriceBook;
  readonly payers: Payers;
  readonly callbacks: Callbacks;
  readonly watch: SettlementWatch;
  readonly held: HeldQueue;
  readonly mocks: MockAnswers;
  readonly defaults: CallDefaults;
  readonly dialects: Readonly<Record<CallType, Dialect>>;
  /** @throws TollgateError `unknown_model`, `missing_key`, `config_invalid` */
  route(query: RouteQuery): Deployment;
  /** Asked at each call, since a program may replace it. */
  cache(): ResponseCache | undefined;
  readonly tracked: TrackedSends;
  /** Sends through this `fetch`. @param ask how the same server is asked for something else, where it is a gateway */
  upstreamOver(fetch: typeof globalThis.fetch, ask: (path: string, signal: AbortSignal) => Promise<Response>): Upstream;
  /** Whose price holds for what a tracked `fetch` sends to this address. */
  trackedRoute(query: TrackedQuery): Deployment;
}

/** A request of a program's own client. */
export interface TrackedQuery {
  readonly url: URL;
  readonly model: string;
  /** The route's name in the books. */
  readonly route: string;
}

export interface CallDefaults extends Payer {
  readonly apiKey?: string | undefined;
  readonly apiBase?: string | undefined;
  /** The whole call: waiting for held money, tries, the stream's end. Milliseconds; 600,000 if absent. */
  readonly timeoutMs?: number | undefined;
  /** Further tries after the first; 2 if absent. */
  readonly maxRetries?: number | undefined;
  readonly forwardUser?: boolean | undefined;
  /** What calls ask of the cache that do not say so themselves. */
  readonly cache?: CacheChoice | undefined;
}

/** Hears of every settlement and tells whom it concerns: the call itself, and those who wait for its money. */
export class SettlementWatch implements Observer {
  readonly held: HeldQueue;
  private readonly onEntry: ((entry: Entry) => void) | undefined;
  private readonly listeners: ReadonlySet<() => void>;
  private readonly waiting = new Map<string, (settled: Settled) => void>();

  /** @param listeners told that something was settled; they must not throw */
  constructor(held: HeldQueue, onEntry?: (entry: Entry) => void, listeners: ReadonlySet<() => void> = new Set()) {
    this.held = held;
    this.listeners = listeners;
    this.onEntry = onEntry;
  }

  /** The settlement of an attempt, also of one that its caller has left. */
  expect(attemptId: string, then: (settled: Settled) => void): void {
    this.waiting.set(attemptId, then);
  }

  refused(): void {}

  upstreamFailed(): void {}

  settled(settled: Settled): void {
    const { attemptId, scopes } = settled.attempt.facts;
    const then = this.waiting.get(attemptId);
    this.waiting.delete(attemptId);
    if (this.onEntry !== undefined) this.tell(settled, this.onEntry);
    then?.(settled);
    for (const listener of this.listeners) listener();
    for (const scope of scopes) this.held.wake(scope);
  }

  /** A listener that throws must not stop a settlement. */
  private tell({ attempt, charge }: Settled, onEntry: (entry: Entry) => void): void {
    try {
      onEntry(entryOf(attempt.facts, attempt.hold.nanoUsd, charge));
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
