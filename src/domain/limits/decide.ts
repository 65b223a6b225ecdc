import { divideUp, PICO_PER_NANO, REQUEST_MAX_NANO_USD, type NanoUsd } from "../../base/money.ts";
import type { Ask, Hold } from "./ask.ts";
import type { Limit, Measure } from "./limit.ts";

/** Where a limit stands at this instant. `spent` and `held` are in the limit's measure. */
export interface Standing {
  readonly limit: Limit;
  readonly spent: bigint;
  readonly held: bigint;
}

export type RefusalOutcome = "budget_exceeded" | "budget_held" | "rate_limited" | "request_exceeds_tpm";

/** Every outcome has a name, and a refusal says which limit spoke (GATE 1.7, 4.6). */
export type Decision =
  | { readonly outcome: "admitted"; readonly hold: Hold; /** The cap that must be said upstream, if any. */ readonly sendCap: number | undefined }
  | { readonly outcome: RefusalOutcome; readonly standing: Standing; readonly needed: bigint };

/** An output cap below this is no answer worth having, unless the client asked for so little. */
const OUTPUT_FLOOR = 64;
/** What counts as the maximum of a model whose maximum is unknown. */
const OUTPUT_UNKNOWN = 4_096;
/** An undeclared cap takes at most this part of what is left. */
const UNDECLARED_SHARE = 16n;
const CAP_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * The one admission rule (GATE 3): the granted cap is the largest that every limit can ever afford; then everything
 * must fit what is free now: `spent + held + hold <= cap`. Money speaks before rates, never before not now.
 */
export function decide(ask: Ask, standings: readonly Standing[]): Decision {
  const wanted = ask.declaredCap ?? undeclaredCap(ask, standings);
  const cap = BigInt(wanted);
  // Nearly every request fits everything as it is. What fits now can also ever be afforded, so the search below would
  // grant the same cap: one comparison per limit says so.
  const need = needOf(ask, cap);
  if (need.nanoUsd <= REQUEST_MAX_NANO_USD && blockedNow(need, standings) === undefined) return admitted(ask, wanted, need.nanoUsd, standings);
  return decideTight(ask, standings, wanted);
}

/** Some limit is too tight for what is wanted: now, or for ever. */
function decideTight(ask: Ask, standings: readonly Standing[], wanted: number): Decision {
  const floor = BigInt(ask.wholeOutput === true ? wanted : Math.min(wanted, OUTPUT_FLOOR));
  let granted = BigInt(wanted);
  let tightest: Standing | undefined;
  let tightestMoney: Standing | undefined;
  let leastMoney = CAP_MAX;
  for (const standing of standings) {
    if (!standing.limit.hard) continue;
    const affordable = affords(ask, standing.limit.measure, leftOf(standing));
    if (standing.limit.measure === "nanoUsd" && affordable < floor && affordable < leastMoney) {
      leastMoney = affordable;
      tightestMoney = standing;
    }
    if (affordable < granted) {
      granted = affordable;
      tightest = standing;
    }
  }
  if (tightest !== undefined && granted < floor) {
    const standing = tightestMoney ?? tightest;
    return { outcome: neverFits(standing.limit), standing, needed: amountOf(ask, standing.limit.measure, floor) };
  }
  // No budget, however large, lends one request more than what is taken for a mistake elsewhere.
  const most = affords(ask, "nanoUsd", REQUEST_MAX_NANO_USD);
  if (most >= floor && most < granted) granted = most;
  const need = needOf(ask, granted);
  const blocked = blockedNow(need, standings);
  if (blocked !== undefined) {
    const { measure } = blocked.limit;
    return { outcome: measure === "nanoUsd" ? "budget_held" : "rate_limited", standing: blocked, needed: need[measure] };
  }
  return admitted(ask, Number(granted), need.nanoUsd, standings);
}

function admitted(ask: Ask, cap: number, nanoUsd: NanoUsd, standings: readonly Standing[]): Decision {
  return { outcome: "admitted", hold: { cap, nanoUsd }, sendCap: capToSend(ask, cap, standings) };
}

/** What the ask takes of every measure: computed once, however many limits there are. */
function needOf(ask: Ask, cap: bigint): Readonly<Record<Measure, bigint>> {
  return {
    nanoUsd: amountOf(ask, "nanoUsd", cap), tokens: amountOf(ask, "tokens", cap), inputTokens: ask.inputTokens,
    outputTokens: amountOf(ask, "outputTokens", cap), requests: 1n, slots: 1n,
  };
}

/** What the ask takes of a measure once its cap is known; money rounds up. */
export function amountOf(ask: Ask, measure: Measure, cap: bigint): bigint {
  switch (measure) {
    case "nanoUsd":
      return divideUp(ask.money.fixed + ask.money.perToken * cap, PICO_PER_NANO);
    case "tokens":
      return ask.tokens.fixed + ask.tokens.perToken * cap;
    case "inputTokens":
      return ask.inputTokens;
    case "outputTokens":
      return ask.outputPerToken * cap;
    case "requests":
    case "slots":
      return 1n;
  }
}

/** The largest output cap that `left` pays for; -1 if not even a cap of zero fits. */
function affords(ask: Ask, measure: Measure, left: bigint): bigint {
  switch (measure) {
    case "nanoUsd":
      return largestCap(left * PICO_PER_NANO - ask.money.fixed, ask.money.perToken);
    case "tokens":
      return largestCap(left - ask.tokens.fixed, ask.tokens.perToken);
    case "outputTokens":
      return largestCap(left, ask.outputPerToken);
    case "inputTokens":
      return left >= ask.inputTokens ? CAP_MAX : -1n;
    case "requests":
    case "slots":
      return left >= 1n ? CAP_MAX : -1n;
  }
}

function largestCap(rest: bigint, perToken: bigint): bigint {
  if (rest < 0n) return -1n;
  return perToken === 0n ? CAP_MAX : rest / perToken;
}

/** What can ever fit: a budget's unspent rest, a rate's whole cap (GATE 3.1). */
function leftOf({ limit, spent }: Standing): bigint {
  return usedUp(limit) ? limit.cap - spent : limit.cap;
}

/** Money, and requests or tokens of a window that does not slide: what is spent comes back only with the next window, if ever. */
function usedUp({ measure, window }: Limit): boolean {
  return measure === "nanoUsd" || window.kind === "lifetime" || window.kind === "aligned";
}

/** GATE 3.3: how much an answer of undeclared length reserves. */
function undeclaredCap(ask: Ask, standings: readonly Standing[]): number {
  const maximum = BigInt(ask.maximumOutput ?? OUTPUT_UNKNOWN);
  let money: bigint | undefined;
  let tokens: bigint | undefined;
  for (const standing of standings) {
    const { limit } = standing;
    if (!limit.hard) continue;
    if (limit.measure === "nanoUsd") {
      const share = affords(ask, "nanoUsd", leftOf(standing) / UNDECLARED_SHARE);
      if (money === undefined || share < money) money = share;
    } else if (limit.measure === "tokens" || limit.measure === "outputTokens") {
      const share = leftOf(standing) / UNDECLARED_SHARE;
      if (tokens === undefined || share < tokens) tokens = share;
    }
  }
  if (ask.wholeOutput === true && money !== undefined) return Number(maximum);
  const share = money ?? tokens;
  if (share === undefined) return Number(maximum);
  const wanted = share > 64n ? share : 64n;
  return Number(wanted < maximum ? wanted : maximum);
}

function neverFits(limit: Limit): RefusalOutcome {
  const { measure } = limit;
  if (usedUp(limit)) return "budget_exceeded";
  return measure === "requests" || measure === "slots" ? "rate_limited" : "request_exceeds_tpm";
}

/** The first limit without room now, money before rates. */
function blockedNow(need: Readonly<Record<Measure, bigint>>, standings: readonly Standing[]): Standing | undefined {
  let blocked: Standing | undefined;
  for (const standing of standings) {
    const { limit } = standing;
    if (!limit.hard) continue;
    if (standing.spent + standing.held + need[limit.measure] <= limit.cap) continue;
    if (limit.measure === "nanoUsd") return standing;
    blocked ??= standing;
  }
  return blocked;
}

/** A lowered cap is always sent; an undeclared one only for a hard budget, and only where it says less than the model would do anyway. */
function capToSend(ask: Ask, cap: number, standings: readonly Standing[]): number | undefined {
  if (ask.declaredCap !== undefined) return cap < ask.declaredCap ? cap : undefined;
  if (!standings.some(({ limit }) => limit.hard && limit.measure === "nanoUsd")) return undefined;
  return ask.maximumOutput === undefined || cap < ask.maximumOutput ? cap : undefined;
}
