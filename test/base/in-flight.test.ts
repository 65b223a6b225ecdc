import fc from "fast-check";
import { expect, test } from "vitest";
import { InFlight } from "../../src/base/in-flight.ts";

test("whatever comes and goes in whatever order, exactly what is in flight is visited, also while some of it ends", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 200 }), fc.nat(), (steps, seed) => {
    const roster = new InFlight<{ place: number; name: number }>();
    const expected = new Map<number, { place: number; name: number }>();
    steps.forEach(([comes, pick], name) => {
      if (comes || expected.size === 0) {
        const item = { place: -1, name };
        roster.add(item);
        expected.set(name, item);
        return;
      }
      const item = [...expected.values()][pick % expected.size] as { place: number; name: number };
      roster.delete(item);
      roster.delete(item);
      expected.delete(item.name);
    });
    expect(roster.size).toBe(expected.size);
    const visited: number[] = [];
    roster.forEach((item) => {
      visited.push(item.name);
      if ((item.name + seed) % 3 === 0) roster.delete(item);
    });
    expect(visited.toSorted((a, b) => a - b)).toEqual([...expected.keys()].toSorted((a, b) => a - b));
    expect(roster.size).toBe(visited.filter((name) => (name + seed) % 3 !== 0).length);
  }));
});
