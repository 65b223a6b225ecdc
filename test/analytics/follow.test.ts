import { expect, test } from "vitest";
import { MemoryCosts } from "../../src/adapters/costs/memory/memory-costs.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { follow } from "../../src/domain/analytics/follow.ts";
import type { Arrivals } from "../../src/domain/analytics/source.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";

const START = Date.UTC(2026, 10, 1);

/** A source that remembers only the last `remembered` entries, and is away where it is told to be. */
class Forgetful extends MemoryCosts {
  readonly all: Entry[];
  away = 0;
  private readonly remembered: number;

  constructor(all: Entry[], remembered: number) {
    super(all);
    this.all = all;
    this.remembered = remembered;
  }

  override async arrivals(after?: number): Promise<Arrivals> {
    if (this.away > 0) {
      this.away -= 1;
      throw new Error("away");
    }
    const arrived = await super.arrivals(after);
    const first = Math.max(0, this.all.length - this.remembered);
    return after === undefined || after >= first ? arrived : { ...(await super.arrivals(first)), missed: true };
  }
}

function entryAt(index: number, at = START + index): Entry {
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  return { id: `${requestId}.01`, kind: "charge", requestId, at, scopes: "global", customer: "ann", tags: null, model: "m", provider: "p" } as unknown as Entry;
}

test("a follower that fell behind what its source remembers, or whose source was away, still hears every entry once", async () => {
  const entries = [entryAt(0)];
  const source = new Forgetful(entries, 5);
  const problems: unknown[] = [];
  let [over, rounds] = [false, 0];
  const heard: string[] = [];
  const rows = follow(source, {
    position: 1, since: START + 1,
    isOver: () => over,
    onProblem: (error) => problems.push(error),
    wait: async () => {
      rounds += 1;
      if (rounds === 1) entries.push(entryAt(1), entryAt(2));
      if (rounds === 2) for (let i = 3; i < 2_500; i += 1) entries.push(entryAt(i));
      // One that was admitted early and ended late, inside a gap.
      if (rounds === 3) entries.push(entryAt(9_000, START + 1_000), ...Array.from({ length: 20 }, (_, i) => entryAt(3_000 + i)));
      if (rounds === 4) {
        source.away = 2;
        entries.push(entryAt(5_000));
      }
      if (rounds > 6) over = true;
    },
  });
  for await (const entry of rows) heard.push(entry.id);
  expect(heard.toSorted()).toEqual(entries.slice(1).map((entry) => entry.id).toSorted());
  expect(problems).toHaveLength(2);
});
