import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd, MAX_NANO_USD, NANO_PER_USD, parseNanoUsd, type NanoUsd } from "../../base/money.ts";

/** Dollars as a program gives them: a number means its shortest decimal print; text is read as it is. `Infinity` is no limit. */
export type Usd = number | string;

/**
 * Reads an amount that limits something.
 * @returns nano-dollars, or `undefined` for no limit
 * @throws TollgateError `invalid_amount`: negative, not a number, more than nine decimals
 * @example readLimit(0.001, "maxBudget") // 1000000n
 */
export function readLimit(value: Usd | null | undefined, param: string): NanoUsd | undefined {
  if (value === undefined || value === null || value === Infinity || value === "Infinity") return undefined;
  return readAmount(value, param);
}

/** Reads an exact amount from zero up. @throws TollgateError `invalid_amount` */
export function readAmount(value: Usd, param: string): NanoUsd {
  const text = typeof value === "number" ? String(value) : value;
  const nano = typeof text === "string" && !text.trim().startsWith("-") ? parseNanoUsd(text, "exact") : undefined;
  if (nano === undefined || nano > MAX_NANO_USD) {
    throw new TollgateError("invalid_amount", `${param} is ${shown(value)}; it must be dollars from 0 up with at most nine decimals, as a number or as text, such as 0.001 or "0.001".`, { param });
  }
  return nano;
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.slice(0, 64);
}

/** Dollars as a number, for programs to look at; never read back. Made once, from the exact decimal. @example usdNumber(157_500n) // 0.0001575 */
export function usdNumber(nano: NanoUsd): number {
  const safe = nano <= BigInt(Number.MAX_SAFE_INTEGER) && nano >= -BigInt(Number.MAX_SAFE_INTEGER);
  // One correctly rounded division of two exact numbers is the nearest number to the decimal.
  return safe ? Number(nano) / Number(NANO_PER_USD) : Number(formatNanoUsd(nano));
}
