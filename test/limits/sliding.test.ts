import fc from "fast-check";
import { expect, test } from "vitest";
import { SlidingCounter } from "../../src/domain/limits/sliding.ts";

const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 9_000 }), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 400 });

test("7.1 no 60 seconds ever hold more than the limit, however the requests fall", () => {
  fc.assert(fc.property(steps, fc.integer({ min: 4, max: 300 }), (gaps, cap) => {
    const counter = new SlidingCounter(60_000);
    const admitted: { at: number; amount: number }[] = [];
    let now = 0;
    for (const [gap, amount] of gaps) {
      now += gap;
      if (counter.at(now) + BigInt(amount) > BigInt(cap)) continue;
      counter.add(now, BigInt(amount));
      admitted.push({ at: now, amount });
      const inWindow = admitted.filter((event) => now - event.at < 60_000).reduce((sum, event) => sum + event.amount, 0);
      expect(inWindow).toBeLessThanOrEqual(cap);
    }
  }));
});

test("4.3 retry-after is exact: refused just before, admitted then", () => {
  fc.assert(fc.property(steps, fc.integer({ min: 4, max: 60 }), (gaps, cap) => {
    const counter = new SlidingCounter(60_000);
    let now = 0;
    for (const [gap, amount] of gaps) {
      now += gap;
      const need = BigInt(amount);
      if (counter.at(now) + need <= BigInt(cap)) {
        counter.add(now, need);
        continue;
      }
      const wait = counter.fitsInMs(now, need, BigInt(cap));
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(60_000);
      now += wait - 0.5;
      expect(counter.at(now) + need > BigInt(cap)).toBe(true);
      now += 0.5;
      expect(counter.at(now) + need <= BigInt(cap)).toBe(true);
    }
  }));
});

test("7.2 a correction changes what the window holds only while it is in the window", () => {
  const counter = new SlidingCounter(60_000);
  const part = counter.add(0, 100n);
  counter.correct(part, -40n);
  expect(counter.at(59_999)).toBe(60n);
  expect(counter.at(60_000)).toBe(0n);
  counter.correct(part, 500n);
  expect(counter.at(60_000)).toBe(0n);
  expect(counter.empty).toBe(true);
});

test("7.1 a burst of more requests than are kept apart counts fully until its latest is a minute old", () => {
  const counter = new SlidingCounter(60_000);
  // 200 within 400 ms: from the 65th on they are gathered by quarters of a second.
  for (let index = 0; index < 200; index += 1) {
    counter.at(index * 2);
    counter.add(index * 2, 1n);
  }
  let before = 200n;
  for (let now = 60_000; now <= 60_400; now += 1) {
    const held = counter.at(now);
    const inWindow = BigInt(Math.max(0, 200 - Math.floor((now - 60_000) / 2) - 1));
    expect(held >= inWindow).toBe(true);
    expect(held <= before).toBe(true);
    before = held;
  }
  expect(before).toBe(0n);
});
