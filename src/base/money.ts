/**
 * Money without floats. Two integer units, both `bigint`:
 *
 * - **nano-dollars** (`10^-9` USD): holds, counters, ledger, roll-ups, everything that is stored or compared;
 * - **pico-dollars** (`10^-12` USD): rates and the exact cost of one request, line by line, before its one rounding.
 *
 * `$ per 1M tokens x 10^6 = pico-dollars per token`, so every genuine published price is an integer.
 */
export type NanoUsd = bigint;
export type PicoUsd = bigint;

export const NANO_PER_USD = 1_000_000_000n;
export const PICO_PER_NANO = 1_000n;

/** The largest amount that a signed 64-bit column holds, about 9.2 billion dollars. */
export const MAX_NANO_USD: NanoUsd = 9_223_372_036_854_775_807n;

/**
 * A million dollars: what would hold or cost more is a mistake of whoever asked, answered or set the price, and so far
 * from the end of 64 bits that sums stay below it.
 */
export const REQUEST_MAX_NANO_USD: NanoUsd = 1_000_000n * NANO_PER_USD;

const DECIMAL = /^([+-]?)(\d+)?(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * Reads decimal text as an exact integer of `10^-digits` units.
 *
 * @param text a decimal such as `"10"`, `"0.0001575"`, `"1.5e-7"`, `".5"`
 * @param digits decimals of the unit: 9 for nano-dollars, 12 for pico-dollars
 * @param round what to do with digits beyond the unit: `down` drops them (toward zero), `up` rounds away from zero,
 *   `exact` refuses them
 * @returns the integer, or `undefined` if the text is no decimal number (or has too many digits under `exact`)
 * @example parseDecimal("0.0001575", 9, "exact") // 157500n
 */
export function parseDecimal(text: string, digits: number, round: "down" | "up" | "exact"): bigint | undefined {
  if (text.length > 64) return undefined;
  const match = DECIMAL.exec(text.trim());
  if (match === null || (match[2] === undefined && (match[3] === undefined || match[3] === ""))) return undefined;
  const whole = match[2] ?? "";
  const fraction = match[3] ?? "";
  const exponent = Number(match[4] ?? 0);
  const magnitude = BigInt(whole + fraction);
  const shift = digits + exponent - fraction.length;
  let value: bigint;
  if (shift >= 0) {
    value = magnitude * 10n ** BigInt(shift);
  } else {
    const divisor = 10n ** BigInt(-shift);
    value = magnitude / divisor;
    const rest = magnitude % divisor;
    if (rest !== 0n) {
      if (round === "exact") return undefined;
      if (round === "up") value += 1n;
    }
  }
  return match[1] === "-" ? -value : value;
}

/** Reads dollars as nano-dollars, dropping digits beyond the ninth (a budget is rounded down). @example parseNanoUsd("0.05") // 50000000n */
export function parseNanoUsd(text: string, round: "down" | "up" | "exact" = "down"): NanoUsd | undefined {
  return parseDecimal(text, 9, round);
}

/** Prints an integer of `10^-digits` units as a plain decimal without trailing zeros. @example formatDecimal(157500n, 9) // "0.0001575" */
export function formatDecimal(value: bigint, digits: number): string {
  const negative = value < 0n;
  const text = (negative ? -value : value).toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  let end = text.length;
  while (end > whole.length && text.charCodeAt(end - 1) === 48) end -= 1;
  const fraction = text.slice(whole.length, end);
  const plain = fraction === "" ? whole : `${whole}.${fraction}`;
  return negative ? `-${plain}` : plain;
}

/** Prints nano-dollars as plain decimal dollars. @example formatNanoUsd(50_000_000n) // "0.05" */
export function formatNanoUsd(value: NanoUsd): string {
  return formatDecimal(value, 9);
}

/** Prints pico-dollars as plain decimal dollars. @example formatPicoUsd(150_000n) // "0.00000015" */
export function formatPicoUsd(value: PicoUsd): string {
  return formatDecimal(value, 12);
}

/** Divides, rounding up (toward positive infinity). `divisor` must be positive. */
export function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor > 0n ? quotient + 1n : quotient;
}

/** Divides, rounding half to even. `divisor` must be positive. */
export function divideHalfEven(value: bigint, divisor: bigint): bigint {
  if (value < 0n) return -divideHalfEven(-value, divisor);
  const quotient = value / divisor;
  const twice = (value % divisor) * 2n;
  if (twice > divisor || (twice === divisor && (quotient & 1n) === 1n)) return quotient + 1n;
  return quotient;
}

/** A charge: pico-dollars to nano-dollars, half to even. */
export function chargeNanoUsd(pico: PicoUsd): NanoUsd {
  return divideHalfEven(pico, PICO_PER_NANO);
}

/** A hold: pico-dollars to nano-dollars, up. */
export function holdNanoUsd(pico: PicoUsd): NanoUsd {
  return divideUp(pico, PICO_PER_NANO);
}
