import { chargeNanoUsd, NANO_PER_USD, parseDecimal, type NanoUsd } from "../../base/money.ts";
import type { EstimateReason } from "../ledger/entry.ts";

/** What a gateway says that a call cost it: its own truth, priced and booked already. */
export interface SaidCost {
  readonly nanoUsd: NanoUsd;
  /** The gateway's own reason to call it an estimate. */
  readonly estimated: EstimateReason | null;
}

/** Says that the gateway is a Tollgate, from the head of every answer on. */
export const HELD_HEADER = "x-tollgate-held";
const CALL_ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const COST_MAX = 10_000n * NANO_PER_USD;
const PICO_DIGITS = 12;
const REASONS: ReadonlySet<string> = new Set<EstimateReason>(["no_status", "cut_short", "usage_missing", "usage_unbelievable", "client_gone", "crashed", "shutdown", "unpriced", "rate_guessed"]);

/**
 * Dollars as a gateway says them: decimal text, in LiteLLM's headers a float's, rounded once to nano-dollars.
 * @returns `undefined` for nonsense, and for a zero of a gateway that writes zero where it knows no price
 */
export function saidCost(text: unknown, { estimated = null, unpriced = false, isTollgate }: { readonly estimated?: string | null; readonly unpriced?: boolean; readonly isTollgate: boolean }): SaidCost | undefined {
  if (typeof text !== "string" || unpriced) return undefined;
  const pico = parseDecimal(text, PICO_DIGITS, "up");
  if (pico === undefined || pico < 0n || (pico === 0n && !isTollgate)) return undefined;
  const nanoUsd = chargeNanoUsd(pico);
  if (nanoUsd > COST_MAX) return undefined;
  return { nanoUsd, estimated: estimated === null ? null : REASONS.has(estimated) ? (estimated as EstimateReason) : "usage_missing" };
}

/** The id of a call in the ledger of the Tollgate that answered it. */
export function gatewayCallId(headers: Readonly<Record<string, string | string[] | undefined>>): string | undefined {
  const id = headers["x-litellm-call-id"];
  return typeof headers[HELD_HEADER] === "string" && typeof id === "string" && CALL_ID.test(id) ? id : undefined;
}

/** The cost in the headers of a whole answer. */
export function saidInHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): SaidCost | undefined {
  const estimated = headers["x-tollgate-estimated"];
  return saidCost(headers["x-litellm-response-cost"], {
    estimated: typeof estimated === "string" ? estimated : null, unpriced: headers["x-tollgate-unpriced"] !== undefined, isTollgate: typeof headers[HELD_HEADER] === "string",
  });
}
