import { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import { MemoryCosts } from "../../adapters/costs/memory/memory-costs.ts";
import type { Clock } from "../../base/clock.ts";
import { TollgateError } from "../../base/errors.ts";
import type { CostSource } from "../../domain/analytics/source.ts";
import type { Entry } from "../../domain/ledger/entry.ts";
import type { History, Journal } from "../../domain/ledger/ports.ts";

/** What a program without a ledger can say of its costs: kept once somebody asks, since it grows with every call. */
export class KeptEntries {
  private written: Entry[] | undefined;
  private missed = 0;

  keep(): void {
    this.written ??= [];
  }

  add(entry: Entry): void {
    if (this.written === undefined) this.missed += 1;
    else this.written.push(entry);
  }

  /** @throws TollgateError `invalid_request` rather than a part of the truth */
  costs(): CostSource {
    if (this.missed > 0) throw new TollgateError("invalid_request", `${this.missed} entries were written before anybody asked for costs, and books in memory keep none unasked. Make the CostTracker or CostAnalyzer before the first call, or keep the books in a file: createTollgate({ tracker: new CostTracker({ path }) }).`);
    return new MemoryCosts(this.written ?? []);
  }
}

/** Books that end with the process: nothing to write, so everything is as durable as it will ever be at once. */
export function openMemoryBooks(clock: Clock, kept?: KeptEntries): MemoryBooks {
  const past = new PastOfProcess();
  return new MemoryBooks({
    clock, journal: immediateJournal(), stored: [], history: past,
    onEntry: (entry, sequence) => {
      past.remember(entry, sequence);
      kept?.add(entry);
    },
  });
}

/** What new windows need to know of every entry of this process (GATE 6.3). */
class PastOfProcess implements History {
  private readonly known = new Map<string, { readonly counter: string | null; readonly scopes: string; readonly model: string; readonly at: number; readonly cost: bigint }>();
  private lastSequence = 0;

  remember({ id, counter, scopes, model, at, cost }: Entry, sequence: number): void {
    this.known.set(id, { counter, scopes: `,${scopes},`, model, at, cost: BigInt(cost) });
    this.lastSequence = sequence;
  }

  spent({ scope, model, from, to, counter }: Parameters<History["spent"]>[0]): ReturnType<History["spent"]> {
    let nanoUsd = 0n;
    for (const row of this.known.values()) {
      const counts = row.counter === null
        ? row.at >= from && row.at < to && (model === undefined || model === row.model) && row.scopes.includes(`,${scope},`)
        : row.counter === counter;
      if (counts) nanoUsd += row.cost;
    }
    return Promise.resolve({ nanoUsd, lastSequence: this.lastSequence });
  }

  has(entryId: string): Promise<boolean> {
    return Promise.resolve(this.known.has(entryId));
  }
}

function immediateJournal(): Journal {
  let sequence = 0;
  return {
    append(_record, then) {
      sequence += 1;
      then(undefined, sequence);
    },
    opened() {},
    closed() {},
  };
}
