import { fixedText, type Currency } from "../../domain/analytics/amounts.ts";

/** An axis of amounts: its marks stand at whole multiples of a step, so their labels are exact. */
export interface AmountScale {
  readonly least: number;
  readonly most: number;
  readonly step: number;
  /** The label of a mark. */
  text(mark: number): string;
}

const STEPS = [1n, 2n, 5n];

/** @param marks about how many */
export function amountScale(lowest: bigint, highest: bigint, currency: Currency, marks = 5): AmountScale {
  const low = lowest < 0n ? lowest : 0n;
  const high = highest > low ? highest : low + 1n;
  let step = 1n;
  for (let power = 1n; (high - low) / step >= BigInt(marks); power *= 10n) for (const factor of STEPS) if ((high - low) / step >= BigInt(marks)) step = factor * power;
  const down = low < 0n ? -((-low + step - 1n) / step) : 0n;
  const up = (high + step - 1n) / step;
  const decimals = decimalsOf(step);
  const size = Number(step) / 1e9;
  return { least: Number(down) * size, most: Number(up) * size, step: size, text: (mark) => { const times = BigInt(Math.round(mark / size)); return fixedText(times * step, times === 0n && decimals > 2 ? 0 : decimals, currency); } };
}

function decimalsOf(step: bigint): number {
  let decimals = 9;
  for (let rest = step; decimals > 0 && rest % 10n === 0n; rest /= 10n) decimals -= 1;
  return decimals === 1 ? 2 : decimals;
}
