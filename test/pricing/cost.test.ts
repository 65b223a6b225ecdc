import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { divideHalfEven, holdNanoUsd } from "../../src/base/money.ts";
import { costOf, dearestInputRates, dearestTextRates, ratesFor, type Cost } from "../../src/domain/pricing/cost.ts";
import type { Price, Rate, Rates } from "../../src/domain/pricing/price.ts";
import { inputTokens, outputTokens, type Dimension, type UsageLine } from "../../src/domain/usage/usage.ts";

/** The exact cost in nano-dollars, rounded once, by fractions of our own. */
function exactNano(of: Price, lines: readonly UsageLine[]): bigint | undefined {
  const cost = costOf(of, lines);
  if ("unpriced" in cost) return undefined;
  const denominator = cost.lines.reduce((product, line) => product * line.rate.per, 1n);
  const numerator = cost.lines.reduce((sum, line) => sum + (BigInt(line.quantity) * line.rate.pico * denominator) / line.rate.per, 0n);
  return divideHalfEven(numerator, denominator * 1_000n);
}

const INPUT: Dimension[] = ["input", "cache_read", "cache_write_5m", "cache_write_1h"];
const OUTPUT: Dimension[] = ["output", "reasoning"];

const rate: fc.Arbitrary<Rate> = fc.record({
  pico: fc.bigInt({ min: 0n, max: 10n ** 9n }),
  per: fc.constantFrom(1n, 1n, 1n, 3n, 12n, 3_600n),
});

function ratesOf(required: Dimension[], optional: Dimension[]): fc.Arbitrary<Rates> {
  const shape = Object.fromEntries([...required, ...optional].map((dimension) => [dimension, rate]));
  return fc.record(shape, { requiredKeys: required }) as fc.Arbitrary<Rates>;
}

const price: fc.Arbitrary<Price> = fc
  .tuple(
    ratesOf(["input", "output"], ["cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "request"]),
    fc.uniqueArray(fc.record({ aboveInputTokens: fc.integer({ min: 0, max: 5_000 }), rates: ratesOf([], ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning"]) }), {
      selector: (tier) => tier.aboveInputTokens,
      maxLength: 3,
    }),
  )
  .map(([rates, tiers]) => ({ version: "test/1", provider: "test", model: "model", rates, tiers: tiers.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens) }));

const usage: fc.Arbitrary<UsageLine[]> = fc
  .uniqueArray(fc.record({ dimension: fc.constantFrom(...INPUT, ...OUTPUT), quantity: fc.integer({ min: 0, max: 5_000 }) }), { selector: (line) => line.dimension, maxLength: 6 });

function priced(of: Price, lines: readonly UsageLine[]): Cost {
  const cost = costOf(of, lines);
  if ("unpriced" in cost) throw new Error(`unpriced: ${cost.unpriced}`);
  return cost;
}

function flat(rates: Record<string, bigint>, more: Partial<Price> = {}): Price {
  const all = Object.fromEntries(Object.entries(rates).map(([dimension, pico]) => [dimension, { pico, per: 1n }])) as Rates;
  return { version: "test/1", provider: "test", model: "model", rates: all, tiers: [], ...more };
}

describe("a cost", () => {
  test("the cost is the exact sum of quantity x rate, rounded once, however fine the rates; no line is negative", () => {
    const fine: fc.Arbitrary<Rate> = fc.record({ pico: fc.bigInt({ min: 0n, max: 20_000n }), per: fc.constantFrom(1n, 3n, 7n, 10n, 100n, 10n ** 15n) });
    const prices = fc.record({ input: fine, output: fine, cache_read: fine, reasoning: fine }).map((rates): Price => ({ version: "test/1", provider: "test", model: "model", rates, tiers: [] }));
    const usages = fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9), fc.nat(9)).map(([input, output, read, reasoning]): UsageLine[] => [
      { dimension: "input", quantity: input }, { dimension: "output", quantity: output }, { dimension: "cache_read", quantity: read }, { dimension: "reasoning", quantity: reasoning },
    ]);
    fc.assert(fc.property(prices, usages, (of, lines) => {
      const cost = costOf(of, lines) as Cost;
      expect(cost.nanoUsd).toBe(exactNano(of, lines));
      expect(cost.nanoUsd).toBe(divideHalfEven(cost.lines.reduce((sum, line) => sum + line.pico, 0n), 1_000n));
      for (const line of cost.lines) expect(line.pico).toBeGreaterThanOrEqual(0n);
    }), { numRuns: 5_000 });
  });

  test("is the sum of its lines in pico-dollars, rounded once, half to even; a line is rounded by itself wherever the sum allows it", () => {
    fc.assert(fc.property(price, usage, (of, lines) => {
      const cost = priced(of, lines);
      const sum = cost.lines.reduce((total, line) => total + line.pico, 0n);
      expect(cost.nanoUsd).toBe(divideHalfEven(sum, 1_000n));
      const rounded = cost.lines.map((line) => divideHalfEven(BigInt(line.quantity) * line.rate.pico, line.rate.per));
      const bears = divideHalfEven(rounded.reduce((total, pico) => total + pico, 0n), 1_000n) !== cost.nanoUsd;
      for (const [index, line] of cost.lines.entries()) {
        const off = line.pico - (rounded[index] as bigint);
        // Only where the roundings of lines together would move the cost do lines bear it, and only those that were rounded.
        if (!bears || line.rate.per === 1n) expect(off).toBe(0n);
        else expect(off < 0n ? -off : off).toBeLessThanOrEqual(BigInt(cost.lines.length));
      }
    }));
  });

  test("carries every quantity that was used, and the fee of a request once", () => {
    fc.assert(fc.property(price, usage, (of, lines) => {
      const cost = priced(of, lines);
      const charged = cost.lines.filter((line) => line.dimension !== "request").map(({ dimension, quantity }) => ({ dimension, quantity }));
      expect(charged).toEqual(lines.filter((line) => line.quantity > 0));
      const fee = of.rates.request;
      expect(cost.lines.filter((line) => line.dimension === "request").length).toBe(fee !== undefined && fee.pico > 0n ? 1 : 0);
    }));
  });

  test("2.1 never exceeds the hold, for any split of the tokens among dimensions", () => {
    fc.assert(fc.property(price, usage, fc.nat(1_000), fc.nat(1_000), (of, lines, moreIn, moreOut) => {
      const inputBound = inputTokens(lines) + moreIn;
      const cap = outputTokens(lines) + moreOut;
      for (const dearest of [dearestTextRates(of), dearestTextRates(of, inputBound)]) {
        if (dearest === undefined) throw new Error("no bound");
        const hold = holdNanoUsd(dearest.request + BigInt(inputBound) * dearest.input + BigInt(cap) * dearest.output);
        expect(priced(of, lines).nanoUsd <= hold).toBe(true);
      }
    }), { numRuns: 2_000 });
  });

  test("2.1 is bound by the tiers in reach alone: a bound below the threshold is not held at the long-context rate", () => {
    const tiered = flat({ input: 10n, output: 20n }, { tiers: [{ aboveInputTokens: 200_000, rates: { input: { pico: 30n, per: 1n }, output: { pico: 40n, per: 1n } } }] });
    expect(dearestTextRates(tiered, 200_000)).toEqual({ input: 10n, output: 20n, request: 0n });
    expect(dearestTextRates(tiered, 200_001)).toEqual({ input: 30n, output: 40n, request: 0n });
    expect(dearestTextRates(tiered)).toEqual({ input: 30n, output: 40n, request: 0n });
  });

  test("2.1 rounds a rate for several units up, never down", () => {
    const third: Price = { ...flat({}), rates: { input: { pico: 10n, per: 3n }, output: { pico: 1n, per: 3n } } };
    expect(dearestTextRates(third)).toEqual({ input: 4n, output: 1n, request: 0n });
  });

  test("2.1 has no bound where input or output has no rate", () => {
    expect(dearestTextRates(flat({ input: 10n }))).toBeUndefined();
    expect(dearestTextRates(flat({ output: 10n }))).toBeUndefined();
    expect(dearestTextRates(flat({ cache_read: 1n, output: 10n }))).toBeUndefined();
  });

  test("2.1 of embeddings needs no output rate: input and fee alone bound what has no output", () => {
    expect(dearestInputRates(flat({ input: 20_000n }))).toEqual({ input: 20_000n, output: undefined, request: 0n });
    expect(dearestInputRates(flat({ input: 10n, request: 7n }))).toMatchObject({ input: 10n, request: 7n });
    expect(dearestInputRates(flat({ output: 10n }))).toBeUndefined();
    expect(costOf(flat({ input: 20_000n }), [{ dimension: "input", quantity: 8 }])).toMatchObject({ nanoUsd: 160n });
  });

  test("a tier holds for the whole request, exactly above its threshold, cached tokens counted", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 300_000 }), fc.nat(300_000), (threshold, cached) => {
      const of = flat({ input: 1_000n, cache_read: 100n, output: 5_000n }, { tiers: [{ aboveInputTokens: threshold, rates: { input: { pico: 2_000n, per: 1n }, cache_read: { pico: 200n, per: 1n } } }] });
      const read = Math.min(cached, threshold);
      const at: UsageLine[] = [{ dimension: "input", quantity: threshold - read }, { dimension: "cache_read", quantity: read }, { dimension: "output", quantity: 1 }];
      const above: UsageLine[] = [{ dimension: "input", quantity: threshold - read + 1 }, { dimension: "cache_read", quantity: read }, { dimension: "output", quantity: 1 }];
      expect(priced(of, at).nanoUsd).toBe(divideHalfEven(BigInt(threshold - read) * 1_000n + BigInt(read) * 100n + 5_000n, 1_000n));
      expect(priced(of, above).nanoUsd).toBe(divideHalfEven(BigInt(threshold - read + 1) * 2_000n + BigInt(read) * 200n + 5_000n, 1_000n));
    }));
  });

  test("a higher tier keeps what only a lower one says", () => {
    const of = flat({ input: 1n, output: 1n }, { tiers: [{ aboveInputTokens: 10, rates: { output: { pico: 5n, per: 1n } } }, { aboveInputTokens: 20, rates: { input: { pico: 7n, per: 1n } } }] });
    expect(ratesFor(of, 21)).toEqual({ input: { pico: 7n, per: 1n }, output: { pico: 5n, per: 1n } });
    expect(ratesFor(of, 20)).toEqual({ input: { pico: 1n, per: 1n }, output: { pico: 5n, per: 1n } });
    expect(ratesFor(of, 10)).toEqual({ input: { pico: 1n, per: 1n }, output: { pico: 1n, per: 1n } });
  });

  test("a rate per hour is multiplied first and divided once: 60 s at 0.36 $/h are exactly 0.006 $", () => {
    const of: Price = { ...flat({}), rates: { second_in: { pico: 360_000_000_000n, per: 3_600n } } };
    expect(priced(of, [{ dimension: "second_in", quantity: 60 }]).nanoUsd).toBe(6_000_000n);
    const odd: Price = { ...flat({}), rates: { second_in: { pico: 111_000_000_000n, per: 3_600n } } };
    expect(priced(odd, [{ dimension: "second_in", quantity: 1 }]).lines[0]?.pico).toBe(30_833_333n);
    expect(priced(odd, [{ dimension: "second_in", quantity: 3_600 }]).lines[0]?.pico).toBe(111_000_000_000n);
  });

  test("a fee per request is charged once, and not twice when the usage counts requests", () => {
    const of = flat({ input: 1n, output: 1n, request: 5_000_000n });
    expect(priced(of, [{ dimension: "input", quantity: 1_000 }]).nanoUsd).toBe(5_001n);
    expect(priced(of, [{ dimension: "request", quantity: 2 }]).nanoUsd).toBe(10_000n);
  });
});

describe("unknown is never free", () => {
  test("a dimension without a rate and without parents is named, not dropped", () => {
    expect(costOf(flat({ input: 1n, output: 1n }), [{ dimension: "web_search", quantity: 1 }])).toEqual({ unpriced: "web_search" });
    expect(costOf(flat({ input: 1n }), [{ dimension: "input", quantity: 1 }, { dimension: "output", quantity: 1 }])).toEqual({ unpriced: "output" });
    expect(costOf(flat({}), [{ dimension: "reasoning", quantity: 1 }])).toEqual({ unpriced: "reasoning" });
  });

  test("an explicit zero is a price", () => {
    expect(priced(flat({ input: 0n, output: 0n }), [{ dimension: "input", quantity: 1_000 }]).nanoUsd).toBe(0n);
  });

  test.each<[Dimension, Record<string, bigint>, bigint, bigint, boolean]>([
    ["reasoning", { input: 1n, output: 8n }, 8n, 1n, false],
    ["cache_read", { input: 4n, output: 8n }, 4n, 1n, false],
    ["cache_write_5m", { input: 4n, output: 8n }, 4n, 1n, true],
    ["cache_write_5m", { input: 4n, cache_write_1h: 9n, output: 8n }, 9n, 1n, true],
    ["cache_write_1h", { input: 4n, cache_write_5m: 5n, output: 8n }, 40n, 5n, true],
    ["audio_in", { input: 4n, output: 8n, audio_out: 64n }, 64n, 1n, true],
    ["audio_out", { input: 4n, output: 8n, audio_in: 32n }, 32n, 1n, true],
    ["image_out", { input: 4n, output: 8n, image_in: 5n }, 8n, 1n, true],
  ])("%s without a rate takes the dearest plausible one (case %#)", (dimension, rates, pico, per, estimated) => {
    const cost = priced(flat(rates), [{ dimension, quantity: 10 }]);
    expect(cost.lines).toEqual([{ dimension, quantity: 10, rate: { pico, per }, pico: (10n * pico) / per, estimated }]);
    expect(cost.estimated).toBe(estimated);
  });

  test("money is never paid out for a negative quantity", () => {
    expect(() => costOf(flat({ input: 1n, output: 1n }), [{ dimension: "input", quantity: -1 }])).toThrow(RangeError);
    expect(() => costOf(flat({ input: 1n, output: 1n }), [{ dimension: "input", quantity: 1.5 }])).toThrow(RangeError);
  });
});
