import { MemoryBooks } from "../../adapters/books/memory/memory-books.ts";
import type { Clock } from "../../base/clock.ts";
import type { Journal } from "../../domain/ledger/ports.ts";

/** Books that end with the process: nothing to write, so everything is as durable as it will ever be at once. */
export function openMemoryBooks(clock: Clock): MemoryBooks {
  return new MemoryBooks({ clock, journal: immediateJournal(), stored: new Map(), onEntry: () => {} });
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
