import { TollgateError } from "../../base/errors.ts";
import { divideHalfEven, formatDecimal, parseDecimal, parseNanoUsd, type NanoUsd } from "../../base/money.ts";

const NANO = 9;
const NANO_PER_UNIT = 10n ** 9n;
/** Below one unit of the currency so many digits are kept that tell something. */
const SIGNIFICANT = 3;

/** In which currency amounts are shown. The books are in dollars; another one needs the rate to show them at. */
export interface CurrencyOptions {
  /** ISO 4217. @example "EUR" */
  readonly code: string;
  /** Units of it for one dollar, decimal text. @example "0.92" */
  readonly perUsd: string;
}

export interface Currency {
  readonly code: string;
  readonly symbol: string;
  /** Thousand-millionths of a unit for one dollar. */
  readonly nanoPerUsd: bigint;
}

export const USD: Currency = { code: "USD", symbol: "$", nanoPerUsd: NANO_PER_UNIT };

/** @throws TollgateError `invalid_request` for a code or rate that is none */
export function currencyOf(options: CurrencyOptions | undefined): Currency {
  if (options === undefined) return USD;
  const { code, perUsd } = options;
  const rate = typeof perUsd === "string" ? parseDecimal(perUsd, NANO, "exact") : undefined;
  if (typeof code !== "string" || !/^[A-Z]{3}$/.test(code)) throw new TollgateError("invalid_request", 'currency.code must be an ISO 4217 code such as "EUR".', { param: "currency.code" });
  if (rate === undefined || rate <= 0n) throw new TollgateError("invalid_request", 'currency.perUsd must be the units of the currency for one dollar as decimal text, such as "0.92".', { param: "currency.perUsd" });
  const symbol = new Intl.NumberFormat("en", { style: "currency", currency: code, currencyDisplay: "narrowSymbol" }).formatToParts(0).find((part) => part.type === "currency")?.value ?? code;
  return { code, symbol: /^[A-Z]/.test(symbol) ? `${symbol} ` : symbol, nanoPerUsd: rate };
}

/** Nano-dollars in thousand-millionths of a currency's unit, rounded once. */
export function inCurrency(nanoUsd: NanoUsd, currency: Currency): bigint {
  return currency.nanoPerUsd === NANO_PER_UNIT ? nanoUsd : divideHalfEven(nanoUsd * currency.nanoPerUsd, NANO_PER_UNIT);
}

/**
 * An amount to read: cents from one unit on, three significant digits below, computed from the integer. An amount that is not nothing never reads as nothing.
 * @example amountText(157_500n) // "$0.000158"
 */
export function amountText(nanoUsd: NanoUsd, currency: Currency = USD): string {
  return nanoText(inCurrency(nanoUsd, currency), currency);
}

/** The same for an amount that is in the currency already. */
export function nanoText(nano: bigint, currency: Currency = USD): string {
  const magnitude = nano < 0n ? -nano : nano;
  if (magnitude >= NANO_PER_UNIT || magnitude === 0n) return fixedText(nano, 2, currency);
  const leadingZeros = NANO - magnitude.toString().length;
  const decimals = Math.min(NANO, Math.max(2, leadingZeros + SIGNIFICANT));
  const text = fixedText(nano, decimals, currency);
  return text.replace(/(\.\d\d\d*?)0+$/, "$1");
}

/** With so many decimals, half to even. @example fixedText(1_234_500_000_000n, 2) // "$1,234.50" */
export function fixedText(nano: bigint, decimals: number, currency: Currency = USD): string {
  const rounded = divideHalfEven(nano < 0n ? -nano : nano, 10n ** BigInt(NANO - decimals));
  const [whole = "0", fraction = ""] = formatDecimal(rounded, decimals).split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return `${nano < 0n && rounded !== 0n ? "-" : ""}${currency.symbol}${grouped}${decimals === 0 ? "" : `.${fraction.padEnd(decimals, "0")}`}`;
}

/** Every digit. @example exactText(157_500n) // "$0.0001575" */
export function exactText(nanoUsd: NanoUsd): string {
  const digits = formatDecimal(nanoUsd < 0n ? -nanoUsd : nanoUsd, NANO).split(".")[1]?.length ?? 0;
  return fixedText(nanoUsd, Math.max(2, digits));
}

/** What a row costs, from its exact text where it has one. @throws TollgateError `invalid_request` */
export function costOfRow(row: { readonly costExact?: string | undefined; readonly cost?: number | undefined }, param: string): NanoUsd {
  const text = row.costExact ?? (typeof row.cost === "number" ? String(row.cost) : "");
  const nano = typeof text === "string" ? parseNanoUsd(text) : undefined;
  if (nano === undefined) throw new TollgateError("invalid_request", `${param} must say its dollars: costExact as decimal text, or cost as a number.`, { param });
  return nano;
}

/** A part of a whole to a tenth of a percent; what is not nothing never reads as nothing. `undefined` where there is no whole. @example percentText(1n, 3n) // "33.3 %" */
export function percentText(part: bigint, whole: bigint): string | undefined {
  if (whole <= 0n) return undefined;
  const tenths = divideHalfEven(part * 1_000n, whole);
  return part > 0n && tenths === 0n ? "< 0.1 %" : `${(Number(tenths) / 10).toFixed(1)} %`;
}
