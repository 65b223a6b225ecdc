import { TollgateError } from "../../base/errors.ts";
import { formatDecimal, parseDecimal } from "../../base/money.ts";
import type { Usd } from "./amounts.ts";

/** Pico-dollars: lines of a cost have twelve decimals, totals nine. */
const DIGITS = 12;
const PICO_PER_NANO = 1_000n;

/**
 * Adds dollars exactly.
 * @param amounts decimal text or numbers (a number means its shortest decimal print), also lists of them
 * @returns plain decimal text
 * @throws TollgateError `invalid_amount` for anything that is no decimal with at most twelve decimals
 * @example sum("0.1", "0.2") // "0.3"
 * @example sum(responses.map((response) => response.cost.total))
 */
export function sum(...amounts: readonly (Usd | readonly Usd[])[]): string {
  let total = 0n;
  for (const amount of amounts.flat() as readonly Usd[]) total += pico(amount);
  return formatDecimal(total, DIGITS);
}

/** @returns `left - right` as decimal text; may be negative @example subtract("10", "0.0001575") // "9.9998425" */
export function subtract(left: Usd, right: Usd): string {
  return formatDecimal(pico(left) - pico(right), DIGITS);
}

/** For sorting, and for `compare(spent, limit) > 0`. @returns -1, 0 or 1 @example compare("0.10", 0.1) // 0 */
export function compare(left: Usd, right: Usd): -1 | 0 | 1 {
  const difference = pico(left) - pico(right);
  if (difference === 0n) return 0;
  return difference < 0n ? -1 : 1;
}

/** Reads dollars as whole nano-dollars. @throws TollgateError `invalid_amount`, also beyond nine decimals @example parse("0.0001575") // 157500n */
export function parse(amount: Usd): bigint {
  const value = pico(amount);
  if (value % PICO_PER_NANO !== 0n) throw invalid(amount, "nine");
  return value / PICO_PER_NANO;
}

/**
 * Prints dollars as plain decimal text, without an exponent or trailing zeros.
 * @param amount dollars, or nano-dollars as a bigint
 * @param options `decimals` at least, padded with zeros; digits are never dropped. `symbol` goes in front.
 * @example format(157_500n) // "0.0001575"
 * @example format("1.5", { decimals: 2, symbol: "$" }) // "$1.50"
 */
export function format(amount: Usd | bigint, options: { readonly decimals?: number; readonly symbol?: string } = {}): string {
  const text = typeof amount === "bigint" ? formatDecimal(amount, 9) : formatDecimal(pico(amount), DIGITS);
  const { decimals = 0, symbol = "" } = options;
  const negative = text.startsWith("-") ? "-" : "";
  const [whole = "0", fraction = ""] = text.slice(negative.length).split(".");
  const padded = fraction.padEnd(decimals, "0");
  return `${negative}${symbol}${whole}${padded === "" ? "" : `.${padded}`}`;
}

function pico(amount: Usd): bigint {
  const text = typeof amount === "number" ? String(amount) : amount;
  const value = typeof text === "string" ? parseDecimal(text, DIGITS, "exact") : undefined;
  if (value === undefined) throw invalid(amount, "twelve");
  return value;
}

function invalid(amount: unknown, digits: string): TollgateError {
  return new TollgateError("invalid_amount", `${String(amount).slice(0, 64)} is no amount of dollars with at most ${digits} decimals, such as "0.0001575".`);
}
