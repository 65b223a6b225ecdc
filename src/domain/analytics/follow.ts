import type { Entry } from "../ledger/entry.ts";
import { matches, type CostFilter } from "./dimension.ts";
import type { CostSource } from "./source.ts";

/** How much later than its neighbours by id an entry may have been written: requests end this much after others at most. */
const LATE_MS = 600_000;
const REMEMBERED = 50_000;
const PAGE = 1_000;

export interface FollowOptions {
  /** From `arrivals()`: what was written after it is told. */
  readonly position: number;
  /** When that was, epoch milliseconds. */
  readonly since: number;
  readonly filter?: CostFilter | undefined;
  /** Waits until it is worth asking again. */
  wait(after: "nothing" | "failure"): Promise<void>;
  isOver(): boolean;
  onProblem(error: unknown): void;
}

/**
 * Entries in the order in which they are written, each once, whoever writes them. A source that is away is asked again. If
 * more was written than a source remembers, the gap is read by time.
 */
export async function* follow(source: CostSource, options: FollowOptions): AsyncGenerator<Entry, void, void> {
  const told = new Told(options.since);
  let { position } = options;
  while (!options.isOver()) {
    let next: { readonly entries: AsyncIterable<Entry> | readonly Entry[]; readonly position: number };
    try {
      const arrived = await source.arrivals(position);
      next = arrived.missed ? { entries: written(source, told.from()), position: (await source.arrivals()).position } : arrived;
      // Read whole before the position moves on, so that a failure in between loses nothing.
      for await (const entry of next.entries) {
        if (options.isOver()) return;
        if (entry.kind !== "adjustment" && told.isNew(entry) && matches(entry, options.filter ?? {})) yield entry;
      }
    } catch (error) {
      options.onProblem(error);
      await options.wait("failure");
      continue;
    }
    const moved = next.position !== position;
    position = next.position;
    if (!moved) await options.wait("nothing");
  }
}

async function* written(source: CostSource, from: number): AsyncGenerator<Entry, void, void> {
  for (let after: string | undefined | null; after !== null; ) {
    const page: Awaited<ReturnType<CostSource["entries"]>> = await source.entries({ from, order: "oldest", limit: PAGE, after });
    yield* page.entries;
    after = page.next;
  }
}

/** What was told lately, so that reading by time repeats nothing. */
class Told {
  private readonly ids = new Set<string>();
  private readonly since: number;
  private newest: number;

  constructor(since: number) {
    this.since = since;
    this.newest = since;
  }

  isNew({ id, at }: Entry): boolean {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (at > this.newest) this.newest = at;
    if (this.ids.size > REMEMBERED) for (const oldest of this.ids) {
      this.ids.delete(oldest);
      break;
    }
    return true;
  }

  from(): number {
    return Math.max(this.since, this.newest - LATE_MS);
  }
}
