import { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import type { Clock } from "../../base/clock.ts";
import type { Entry } from "../../domain/ledger/entry.ts";
import type { History, Journal } from "../../domain/ledger/ports.ts";

/** Books that end with the process: nothing to write, so everything is as durable as it will ever be at once. */
export function openMemoryBooks(clock: Clock): MemoryBooks {
  const past = new PastOfProcess();
  return new MemoryBooks({
    clock, journal: immediateJournal(), stored: [], history: past,
    onEntry: (entry, sequence) => past.remember(entry, sequence),
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
