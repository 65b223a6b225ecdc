import type { DatabaseSync, StatementSync } from "node:sqlite";

interface Tally {
  readonly counter: string;
  amount: bigint;
  dirty: boolean;
}

/**
 * Counts that are no money spent: what is held, requests and tokens of a window, slots in use, and what each second of
 * a sliding window took. Zero is no row.
 */
export class Tallies {
  private readonly select: StatementSync;
  private readonly upsert: StatementSync;
  private readonly remove: StatementSync;
  private readonly sumAfter: StatementSync;
  private readonly rowsAfter: StatementSync;
  private readonly forgetUntil: StatementSync;
  private readonly addSecond: StatementSync;
  private readonly tallies = new Map<string, Tally>();
  private dirty: Tally[] = [];

  constructor(database: DatabaseSync) {
    const exact = (sql: string): StatementSync => {
      const statement = database.prepare(sql);
      statement.setReadBigInts(true);
      return statement;
    };
    this.select = exact("SELECT amount FROM tallies WHERE counter = ? AND second = 0");
    this.upsert = database.prepare("INSERT INTO tallies VALUES (?, 0, ?) ON CONFLICT DO UPDATE SET amount = excluded.amount");
    this.remove = database.prepare("DELETE FROM tallies WHERE counter = ? AND second = 0");
    this.sumAfter = exact("SELECT coalesce(sum(amount), 0) AS amount FROM tallies WHERE counter = ? AND second > ?");
    this.rowsAfter = exact("SELECT second, amount FROM tallies WHERE counter = ? AND second > ? ORDER BY second");
    this.forgetUntil = database.prepare("DELETE FROM tallies WHERE counter = ? AND second <= ?");
    this.addSecond = database.prepare("INSERT INTO tallies VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount");
  }

  /** @returns `undefined` if nothing was ever counted, or it came back to zero */
  find(counter: string): bigint | undefined {
    const tally = this.load(counter);
    return tally.amount === 0n ? undefined : tally.amount;
  }

  get(counter: string): bigint {
    return this.load(counter).amount;
  }

  add(counter: string, amount: bigint): void {
    const tally = this.load(counter);
    tally.amount += amount;
    if (tally.dirty) return;
    tally.dirty = true;
    this.dirty.push(tally);
  }

  /** What a sliding window holds: a second counts whole until its last instant is older than the span (GATE 7.1). */
  sliding(counter: string, nowMs: number, spanMs: number): bigint {
    return (this.sumAfter.get(counter, lastExpired(nowMs, spanMs)) as { amount: bigint }).amount;
  }

  addSliding(counter: string, nowMs: number, spanMs: number, amount: bigint): number {
    const second = Math.floor(nowMs / 1_000);
    this.forgetUntil.run(counter, lastExpired(nowMs, spanMs));
    this.addSecond.run(counter, second, amount);
    return second;
  }

  /** Corrects what a second took, where it still counts. */
  correctSliding(counter: string, second: number, by: bigint): void {
    this.addSecond.run(counter, second, by);
  }

  /** Milliseconds until `amount` fits under `cap`, if nothing else comes. */
  fitsInMs(counter: string, nowMs: number, spanMs: number, amount: bigint, cap: bigint): number {
    let rest = this.sliding(counter, nowMs, spanMs);
    for (const row of this.rowsAfter.all(counter, lastExpired(nowMs, spanMs)) as unknown as { second: bigint; amount: bigint }[]) {
      if (rest + amount <= cap) return 0;
      rest -= row.amount;
      if (rest + amount <= cap) return Number(row.second) * 1_000 + 999 + spanMs - nowMs;
    }
    return rest + amount <= cap ? 0 : spanMs;
  }

  flush(): void {
    for (const tally of this.dirty) {
      if (tally.amount === 0n) this.remove.run(tally.counter);
      else this.upsert.run(tally.counter, tally.amount);
      tally.dirty = false;
    }
    this.dirty = [];
  }

  forget(): void {
    this.tallies.clear();
    this.dirty = [];
  }

  private load(counter: string): Tally {
    let tally = this.tallies.get(counter);
    if (tally === undefined) {
      const row = this.select.get(counter) as { amount: bigint } | undefined;
      tally = { counter, amount: row?.amount ?? 0n, dirty: false };
      this.tallies.set(counter, tally);
    }
    return tally;
  }
}

/** The newest second of which nothing counts any more. */
function lastExpired(nowMs: number, spanMs: number): number {
  return Math.ceil((nowMs - spanMs - 999 + 1) / 1_000) - 1;
}
