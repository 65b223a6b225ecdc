import type { NanoUsd } from "../base/money.ts";
import { chargeNanoUsd, REQUEST_MAX_NANO_USD } from "../base/money.ts";
import type { AttemptStatus, Charge, EntryLine, EstimateReason } from "../domain/ledger/entry.ts";
import { costOf, dearestTextRates, type Cost } from "../domain/pricing/cost.ts";
import type { Price } from "../domain/pricing/price.ts";
import type { Reading } from "../domain/upstream/dialect.ts";
import type { SaidCost } from "../domain/upstream/said-cost.ts";
import { inputTokens, outputTokens, type UsageLine } from "../domain/usage/usage.ts";

interface Circumstances {
  readonly status: AttemptStatus;
  readonly httpStatus: number | null;
  readonly durationMs: number;
}

/**
 * GATE 5.1: what was answered is charged at its cost, even above the hold; what cannot be believed, at the hold (5.3).
 * What an answer told before it failed or broke off may have grown further: the hold, unless even that was passed.
 */
export function chargeOfReading(reading: Reading, price: Price | undefined, held: NanoUsd, at: Circumstances): Charge {
  const charge = chargeOfUsage(reading, price, held, at);
  if (reading.complete) return charge;
  if (charge.cost > held) return { ...charge, estimated: charge.estimated ?? "cut_short" };
  return { ...blank(reading, at), cost: held, estimated: "cut_short", unpriced: charge.unpriced };
}

function chargeOfUsage(reading: Reading, price: Price | undefined, held: NanoUsd, at: Circumstances): Charge {
  const { usage } = reading;
  if (usage === undefined) {
    const reason = reading.problem === "missing" || reading.problem === undefined ? "usage_missing" : "usage_unbelievable";
    return { ...blank(reading, at), cost: held, estimated: reason, unpriced: price === undefined };
  }
  const counts = { inputTokens: inputTokens(usage), outputTokens: outputTokens(usage), cachedTokens: quantityOf(usage, "cache_read") };
  if (price === undefined) return { ...blank(reading, at), ...counts, cost: 0n, estimated: "unpriced", unpriced: true };
  const cost = costOf(price, usage);
  if ("unpriced" in cost) return { ...blank(reading, at), ...counts, cost: held, estimated: "unpriced", priceVersion: price.version, unpriced: true };
  if (cost.nanoUsd > REQUEST_MAX_NANO_USD) return { ...blank(reading, at), ...counts, cost: held, estimated: "usage_unbelievable", priceVersion: price.version, unpriced: false };
  return {
    ...blank(reading, at), ...counts, cost: cost.nanoUsd, estimated: cost.estimated || price.guessed === true ? "rate_guessed" : null,
    lines: cost.lines.map(entryLine), priceVersion: cost.priceVersion, unpriced: false,
  };
}

/** A charge without usage: nothing for what never reached a model (5.2), the whole hold for what may have (5.3, 5.5, 5.7). */
export function chargeWithoutUsage(cost: NanoUsd, estimated: EstimateReason | null, reading: Reading | undefined, at: Circumstances): Charge {
  return { ...blank(reading, at), cost, estimated };
}

/** A gateway's own cost in place of ours; its ledger has the lines. */
export function chargeAsSaid(charge: Charge, { nanoUsd, estimated }: SaidCost): Charge {
  return { ...charge, cost: nanoUsd, estimated, lines: [], priceVersion: "gateway", unpriced: false };
}

/** GATE 5.5, `on_disconnect: cancel`: the input's bound and what was seen, never more than the hold. */
export function costSeen(price: Price | undefined, inputBound: number, outputBytes: number, held: NanoUsd): NanoUsd {
  const rates = price === undefined ? undefined : dearestTextRates(price, inputBound);
  if (rates === undefined) return held;
  const cost = chargeNanoUsd(rates.input * BigInt(inputBound) + rates.request + rates.output * BigInt(outputBytes));
  return cost < held ? cost : held;
}

function blank(reading: Reading | undefined, at: Circumstances): Charge {
  return {
    cost: 0n, estimated: null, status: at.status, httpStatus: at.httpStatus, lines: [], priceVersion: null, unpriced: false,
    inputTokens: 0, outputTokens: 0, cachedTokens: 0, answeredModel: reading?.model ?? null, responseId: reading?.responseId ?? null,
    rawUsage: reading?.rawUsage ?? null, durationMs: at.durationMs,
  };
}

function entryLine(line: Cost["lines"][number]): EntryLine {
  return { dimension: line.dimension, quantity: line.quantity, rate: line.rate.pico.toString(), per: line.rate.per.toString(), pico: line.pico.toString() };
}

function quantityOf(usage: readonly UsageLine[], dimension: UsageLine["dimension"]): number {
  return usage.find((line) => line.dimension === dimension)?.quantity ?? 0;
}
