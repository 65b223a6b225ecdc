import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chargeNanoUsd, divideHalfEven, divideUp, formatDecimal, formatNanoUsd, formatPicoUsd, holdNanoUsd, MAX_NANO_USD, parseDecimal, parseNanoUsd, PICO_PER_NANO,
} from "../../src/base/money.ts";

const amount = fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n });
const digits = fc.integer({ min: 0, max: 24 });

/** Half to even by the definition, on text: look at the digits behind the point. Only for powers of ten. */
function halfEvenByDigits(value: bigint, places: number): bigint {
  const sign = value < 0n ? -1n : 1n;
  const text = (value < 0n ? -value : value).toString().padStart(places + 1, "0");
  const kept = BigInt(text.slice(0, text.length - places));
  const dropped = text.slice(text.length - places);
  const half = "5".padEnd(places, "0");
  const up = dropped > half || (dropped === half && kept % 2n === 1n);
  return sign * (up ? kept + 1n : kept);
}

describe("decimal text and integers", () => {
  test("what is printed is read back as the same amount", () => {
    fc.assert(fc.property(amount, digits, (value, places) => {
      expect(parseDecimal(formatDecimal(value, places), places, "exact")).toBe(value);
    }));
  });

  test("a printed amount is a plain decimal without trailing zeros", () => {
    fc.assert(fc.property(amount, digits, (value, places) => {
      expect(formatDecimal(value, places)).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
    }));
  });

  test("an exponent only moves the point", () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.integer({ min: -12, max: 12 }), (value, exponent) => {
      const moved = parseDecimal(`${value}e${exponent}`, 12, "exact");
      expect(moved).toBe(exponent >= 0 ? value * 10n ** BigInt(12 + exponent) : value * 10n ** BigInt(12 + exponent));
    }));
  });

  test("reading rounds down unless told otherwise: never more than the text says, less than one unit below it", () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.integer({ min: 9, max: 24 }), (value, places) => {
      const text = formatDecimal(value, places);
      const nano = parseNanoUsd(text) ?? -1n;
      const unit = 10n ** BigInt(places - 9);
      expect(nano * unit <= value && value < (nano + 1n) * unit).toBe(true);
      const up = parseNanoUsd(text, "up") ?? -1n;
      expect(up * unit >= value && value > (up - 1n) * unit).toBe(true);
      expect(parseNanoUsd(text, "exact")).toBe(value % unit === 0n ? value / unit : undefined);
    }));
  });

  test("the shortest text of a floating number is read exactly", () => {
    expect(parseDecimal(String(1.5e-7), 12, "exact")).toBe(150_000n);
    expect(parseDecimal(String(0.000168), 12, "exact")).toBe(168_000_000n);
    expect(parseDecimal(String(3.625e-9), 12, "exact")).toBe(3_625n);
  });

  test.each(["", " ", ".", "-", "+", "e5", "1e", "0x10", "1_000", "1,5", "NaN", "Infinity", "1.2.3", "--1", "1e5000", "9".repeat(65)])("%j is no amount", (text) => {
    expect(parseDecimal(text, 9, "down")).toBeUndefined();
  });

  test.each([["0.05", 50_000_000n], ["10", 10_000_000_000n], [".5", 500_000_000n], ["5.", 5_000_000_000n], ["+1", 1_000_000_000n], ["-0.1", -100_000_000n], [" 1 ", 1_000_000_000n], ["0.0000000019", 1n], ["1e-9", 1n]])("%j is read", (text, nano) => {
    expect(parseNanoUsd(text)).toBe(nano);
  });

  test("the largest amount of a 64-bit column is kept to the nano-dollar", () => {
    expect(formatNanoUsd(MAX_NANO_USD)).toBe("9223372036.854775807");
    expect(parseNanoUsd("9223372036.854775807")).toBe(MAX_NANO_USD);
    expect(formatPicoUsd(150_000n)).toBe("0.00000015");
  });
});

describe("rounding", () => {
  test("half to even agrees with the rule applied to the digits", () => {
    const ties = fc.tuple(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.integer({ min: 1, max: 9 })).map(([kept, places]): [bigint, number] => [kept * 10n ** BigInt(places) + 5n * 10n ** BigInt(places - 1), places]);
    fc.assert(fc.property(fc.oneof(ties, fc.tuple(amount, fc.integer({ min: 1, max: 9 }))), ([value, places]) => {
      expect(divideHalfEven(value, 10n ** BigInt(places))).toBe(halfEvenByDigits(value, places));
    }), { numRuns: 500 });
  });

  test("half to even is never further away than half, for any divisor, and symmetric", () => {
    fc.assert(fc.property(amount, fc.bigInt({ min: 1n, max: 10n ** 9n }), (value, divisor) => {
      const quotient = divideHalfEven(value, divisor);
      const off = (value - quotient * divisor) * 2n;
      expect(off <= divisor && off >= -divisor).toBe(true);
      if (off === divisor || off === -divisor) expect(quotient % 2n).toBe(0n);
      expect(divideHalfEven(-value, divisor)).toBe(-quotient);
    }));
  });

  test("up is the least integer not below the quotient", () => {
    fc.assert(fc.property(amount, fc.bigInt({ min: 1n, max: 10n ** 9n }), (value, divisor) => {
      const up = divideUp(value, divisor);
      expect(up * divisor >= value && (up - 1n) * divisor < value).toBe(true);
    }));
  });

  test("a hold is never below the charge of the same amount", () => {
    fc.assert(fc.property(amount, (pico) => {
      const hold = holdNanoUsd(pico);
      expect(hold >= chargeNanoUsd(pico)).toBe(true);
      expect(hold * PICO_PER_NANO - pico < PICO_PER_NANO).toBe(true);
    }));
  });
});
