import { formatNanoUsd } from "../../base/money.ts";
import { percentText } from "../../domain/analytics/amounts.ts";

/** Thousands are grouped, every digit is kept. @example dollars(1_234_500_100_000n) // "$1,234.5001" */
export function dollars(nanoUsd: bigint, decimals = 2): string {
  const negative = nanoUsd < 0n;
  const [whole = "0", fraction = ""] = formatNanoUsd(negative ? -nanoUsd : nanoUsd).split(".");
  return `${negative ? "-" : ""}$${grouped(whole)}.${fraction.padEnd(decimals, "0")}`;
}

/** Amounts of one column with the same number of decimals, so that their points stand in a line. */
export function dollarColumn(amounts: readonly bigint[]): string[] {
  const decimals = Math.max(2, ...amounts.map((amount) => formatNanoUsd(amount).split(".")[1]?.length ?? 0));
  return amounts.map((amount) => dollars(amount, decimals));
}

/** @example count(1_234_567) // "1,234,567" */
export function count(value: number): string {
  return grouped(String(value));
}

/** The part of a whole, to a tenth of a percent; nothing where there is no whole. */
export function share(part: bigint, whole: bigint): string {
  return percentText(part, whole) ?? "";
}

function grouped(digits: string): string {
  return digits.replaceAll(/\B(?=(\d{3})+$)/g, ",");
}
