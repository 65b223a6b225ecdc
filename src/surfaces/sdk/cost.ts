import { formatDecimal, formatNanoUsd, formatPicoUsd, type NanoUsd } from "../../base/money.ts";
import type { Charge, EntryLine } from "../../domain/ledger/entry.ts";
import type { Settled } from "../../engine/call.ts";
import { usdNumber } from "./amounts.ts";

/** One line of a cost. Amounts are dollars as exact decimal text. */
export interface CostLine {
  /** `input`, `cache_read`, `output`, `reasoning`, …; `lost_attempt` for an earlier try of this call that cost money. */
  readonly dimension: string;
  readonly quantity: number;
  /** Dollars for `per` units. */
  readonly rate: string;
  readonly per: number;
  /** Dollars, before the one rounding of the whole to nano-dollars. */
  readonly total: string;
}

/** What a call cost. JSON-safe. */
export interface Cost {
  /** The call's id in the books. */
  readonly callId: string;
  /** Dollars, exact decimal text. @example "0.0001575" */
  readonly total: string;
  /** The same as a number, for looking at; never sum it up. */
  readonly totalUsd: number;
  readonly lines: readonly CostLine[];
  /** Not what the provider reported, but an upper bound or a guess. */
  readonly estimated: boolean;
  /** The price that was used; `null` if none was known. */
  readonly priceVersion: string | null;
  /** The output cap that the budgets afforded, if it was said to the provider. */
  readonly outputCap?: number;
  /** No price was known, and no hard budget applied. */
  readonly unpriced?: true;
  /** Only of an answer from the cache: dollars that it cost when it was bought, exact decimal text. */
  readonly saved?: string;
  /** The call's id in the ledger of the Tollgate gateway that answered it, which has the lines. */
  readonly gatewayCallId?: string;
  /** Nothing was sent: the answer was `mockResponse`. */
  readonly mocked?: true;
}

/** The cost of a call from its attempts, oldest first. */
export function costOfAttempts(callId: string, attempts: readonly Settled[], mocked: boolean): Cost {
  const last = attempts[attempts.length - 1];
  const total = totalOf(attempts);
  const lines: CostLine[] = [];
  for (const { charge } of attempts.slice(0, -1)) if (charge.cost > 0n) lines.push(lostLine(charge.cost));
  lines.push(...(last?.charge.lines ?? []).map(costLine));
  return {
    callId,
    total: formatNanoUsd(total),
    totalUsd: usdNumber(total),
    lines,
    estimated: attempts.some(({ charge }) => charge.estimated !== null),
    priceVersion: last?.charge.priceVersion ?? null,
    ...(last?.attempt.sendCap === undefined ? {} : { outputCap: last.attempt.sendCap }),
    ...(attempts.some(({ charge }) => charge.unpriced) ? { unpriced: true } : {}),
    ...(last?.charge.saved === undefined ? {} : { saved: formatNanoUsd(last.charge.saved) }),
    ...(last?.gatewayCallId === undefined ? {} : { gatewayCallId: last.gatewayCallId }),
    ...(mocked ? { mocked: true } : {}),
  };
}

/** The cost of a call that was made elsewhere. */
export function costOfCharge(callId: string, { cost, lines, estimated, priceVersion, unpriced }: Charge): Cost {
  return { callId, total: formatNanoUsd(cost), totalUsd: usdNumber(cost), lines: lines.map(costLine), estimated: estimated !== null, priceVersion, ...(unpriced ? { unpriced: true } : {}) };
}

export function costLine({ dimension, quantity, rate, per, pico }: EntryLine): CostLine {
  return { dimension, quantity, rate: formatPicoUsd(BigInt(rate)), per: Number(per), total: formatDecimal(BigInt(pico), 12) };
}

export function totalOf(attempts: readonly Settled[]): NanoUsd {
  return attempts.reduce((sum, { charge }) => sum + charge.cost, 0n);
}

function lostLine(cost: NanoUsd): CostLine {
  return { dimension: "lost_attempt", quantity: 1, rate: formatNanoUsd(cost), per: 1, total: formatNanoUsd(cost) };
}
