import type { Clock } from "../../../base/clock.ts";
import type { InFlight, InFlightItem } from "../../../base/in-flight.ts";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { counterId } from "../../../domain/ledger/counter-id.ts";
import type { History } from "../../../domain/ledger/ports.ts";
import type { Limit } from "../../../domain/limits/limit.ts";
import { scopeText } from "../../../domain/scopes/scope.ts";
import { spanAt } from "../../../domain/windows/span.ts";
import { isForgotten, type Bucket } from "./counters.ts";
import type { CounterBook } from "./scope-counters.ts";

/** An entry that counts already and is not in the journal yet, with the buckets that it moves. */
export interface Unposted extends InFlightItem {
  readonly entry: Entry;
  readonly buckets: Bucket[];
}

interface SeedingOptions {
  readonly clock: Clock;
  readonly history: History;
  readonly book: CounterBook;
  readonly unposted: InFlight<Unposted>;
  /** A counter has come to life; it lacks only the holds of open attempts. */
  readonly seeded: (bucket: Bucket) => void;
}

/**
 * Gives new windows their history while traffic goes on (GATE 6.3). The ledger answers with a sum and the last record
 * that it covers; what is newer is counted from memory: each settlement exactly once, and no wait for a quiet moment.
 */
export class Seeding {
  private readonly options: SeedingOptions;
  private running = 0;
  /** Journalled while any seeding runs. */
  private recent: { readonly entry: Entry; readonly sequence: number }[] = [];

  constructor(options: SeedingOptions) {
    this.options = options;
  }

  posted(entry: Entry, sequence: number): void {
    if (this.running > 0) this.recent.push({ entry, sequence });
  }

  /** @param at an instant whose windows are wanted too, if they have ended already */
  async seed(limits: readonly Limit[], at?: number): Promise<void> {
    for (const limit of limits) {
      if (limit.measure !== "nanoUsd") continue;
      while (!(await this.seedOne(limit)));
      if (at !== undefined) await this.seedPast(limit, at);
    }
  }

  private async seedPast({ scope, model, window }: Limit, at: number): Promise<void> {
    const { clock, book, history } = this.options;
    const isKnown = (): boolean => book.find(scope, model, window, clock.now())?.find(at) !== undefined;
    const span = spanAt(window, at);
    if (isKnown() || isForgotten(span, clock.now())) return;
    await this.withRecent(async () => {
      const past = await history.spent({ scope: scopeText(scope), model, from: span.start, to: span.end, counter: counterId(scope, model, window, span.start) });
      const counter = book.find(scope, model, window, clock.now());
      if (counter !== undefined && !isKnown()) this.begin(counter.remember(span, past.nanoUsd), past.lastSequence);
    });
  }

  private async withRecent<Result>(work: () => Promise<Result>): Promise<Result> {
    this.running += 1;
    try {
      return await work();
    } finally {
      this.running -= 1;
      if (this.running === 0) this.recent = [];
    }
  }

  /** @returns false if the window ended meanwhile */
  private async seedOne(limit: Limit): Promise<boolean> {
    const { clock, book, history } = this.options;
    const { scope, model, window } = limit;
    const now = clock.now();
    if (book.find(scope, model, window, now) !== undefined) return true;
    const text = scopeText(scope);
    if (!book.scope(text, now).used) {
      book.add(scope, model, window, now, 0n);
      return true;
    }
    const { start, end } = spanAt(window, now);
    return await this.withRecent(async () => {
      const past = await history.spent({ scope: text, model, from: start, to: end, counter: counterId(scope, model, window, start) });
      if (book.find(scope, model, window, now) !== undefined) return true;
      if (clock.now() >= end) return false;
      this.begin(book.add(scope, model, window, now, past.nanoUsd), past.lastSequence);
      return true;
    });
  }

  private begin(bucket: Bucket, lastSequence: number): void {
    for (const { entry, sequence } of this.recent) {
      if (sequence <= lastSequence || !counts(bucket, entry)) continue;
      bucket.spent += BigInt(entry.cost);
      bucket.posted += BigInt(entry.cost);
    }
    this.options.unposted.forEach(({ entry, buckets }) => {
      if (!counts(bucket, entry)) return;
      bucket.spent += BigInt(entry.cost);
      bucket.users += 1;
      buckets.push(bucket);
    });
    this.options.seeded(bucket);
  }
}

/** Whether an entry is part of a window: an adjustment only of the one that it names (GATE 1.3). */
export function counts(bucket: Bucket, entry: Entry): boolean {
  if (entry.kind === "adjustment") return entry.counter === bucket.id;
  const { scope, model } = bucket.counter;
  return entry.at >= bucket.start && entry.at < bucket.end && (model === undefined || model === entry.model) && `,${entry.scopes},`.includes(`,${scope},`);
}
