import { chargeNanoUsd, divideHalfEven, divideUp, PICO_PER_NANO, type NanoUsd, type PicoUsd } from "../../base/money.ts";
import { inputTokens, type Dimension, type UsageLine } from "../usage/usage.ts";
import type { Price, Rate, Rates } from "./price.ts";

export interface CostLine {
  readonly dimension: Dimension;
  readonly quantity: number;
  readonly rate: Rate;
  readonly pico: PicoUsd;
  /** The dimension had no rate of its own; the dearest plausible one was used. */
  readonly estimated: boolean;
}

export interface Cost {
  readonly nanoUsd: NanoUsd;
  readonly lines: readonly CostLine[];
  readonly priceVersion: string;
  readonly estimated: boolean;
}

/**
 * Where a dimension has no rate of its own: the dearest of its plausible parents, marked as estimated where that is a
 * guess. Reasoning tokens are output tokens unless a price says otherwise, and a cache read without a rate is billed
 * as plain input by every provider we know, so these two are no guesses. `times` is what the dimension costs more than
 * its parent: an hour's cache write is 2 x the input where five minutes' is 1.25 x (Anthropic, wherever it is sold).
 */
interface Parent {
  readonly of: Dimension;
  readonly times?: readonly [numerator: bigint, denominator: bigint];
}

const PARENTS: Readonly<Partial<Record<Dimension, { readonly from: readonly Parent[]; readonly guess: boolean }>>> = {
  cache_read: { from: [{ of: "input" }], guess: false },
  cache_write_5m: { from: [{ of: "input" }, { of: "cache_write_1h" }], guess: true },
  cache_write_1h: { from: [{ of: "input" }, { of: "cache_write_5m", times: [8n, 5n] }], guess: true },
  reasoning: { from: [{ of: "output" }], guess: false },
  audio_in: { from: [{ of: "input" }, { of: "audio_out" }], guess: true },
  audio_cache_read: { from: [{ of: "audio_in" }, { of: "input" }], guess: true },
  audio_out: { from: [{ of: "output" }, { of: "audio_in" }], guess: true },
  image_in: { from: [{ of: "input" }], guess: true },
  image_out: { from: [{ of: "output" }, { of: "image_in" }], guess: true },
};

/** The rates for a request of this size: base rates, and over them those of every tier that its input exceeds. */
export function ratesFor(price: Price, inputTokenCount: number): Rates {
  let rates = price.rates;
  for (const tier of price.tiers) {
    if (inputTokenCount > tier.aboveInputTokens) rates = { ...rates, ...tier.rates };
  }
  return rates;
}

/** The rate of a dimension, or the dearest plausible one, or `undefined`. */
export function rateOf(rates: Rates, dimension: Dimension): { rate: Rate; estimated: boolean } | undefined {
  const own = rates[dimension];
  if (own !== undefined) return { rate: own, estimated: false };
  const parents = PARENTS[dimension];
  if (parents === undefined) return undefined;
  let dearest: Rate | undefined;
  for (const { of, times } of parents.from) {
    const parent = rates[of];
    if (parent === undefined) continue;
    const rate = times === undefined ? parent : { pico: parent.pico * times[0], per: parent.per * times[1] };
    if (dearest === undefined || rate.pico * dearest.per > dearest.pico * rate.per) dearest = rate;
  }
  return dearest === undefined ? undefined : { rate: dearest, estimated: parents.guess };
}

/**
 * Prices usage exactly: line by line in pico-dollars, rounded once to nano-dollars, half to even. A rate for several
 * units (`per`) is multiplied first and divided once, so a line is exact to the pico-dollar, and the sum is that of the
 * exact amounts. A price with a fee per request adds that fee once, unless the usage counts requests itself.
 *
 * @param usage lines with whole quantities from 0 up
 * @returns the itemised cost, whose `nanoUsd` is the sum of its lines, rounded; or the dimension that has no price
 * @example costOf(price, [{ dimension: "input", quantity: 9 }, { dimension: "output", quantity: 12 }])
 */
export function costOf(price: Price, usage: readonly UsageLine[]): Cost | { readonly unpriced: Dimension } {
  const rates = price.tiers.length === 0 ? price.rates : ratesFor(price, inputTokens(usage));
  const lines: CostLine[] = [];
  let total = 0n;
  let estimated = false;
  let requestCounted = false;
  for (const { dimension, quantity } of usage) {
    if (dimension === "request") requestCounted = true;
    if (quantity === 0) continue;
    const found = rateOf(rates, dimension);
    if (found === undefined) return { unpriced: dimension };
    const line = costLine(dimension, quantity, found.rate, found.estimated);
    total += line.pico;
    estimated ||= found.estimated;
    lines.push(line);
  }
  const fee = rates.request;
  if (fee !== undefined && fee.pico > 0n && !requestCounted) {
    const line = costLine("request", 1, fee, false);
    total += line.pico;
    lines.push(line);
  }
  const nanoUsd = lines.every((line) => line.rate.per === 1n) ? chargeNanoUsd(total) : roundTogether(lines, total);
  return { nanoUsd, lines, priceVersion: price.version, estimated };
}

/**
 * The exact sum of lines that were rounded to pico-dollars each, rounded once. Where the roundings together cross half a
 * nano-dollar, the rounded lines bear the pico-dollars that are missing or too many: lines always add up to the cost.
 */
function roundTogether(lines: CostLine[], total: PicoUsd): bigint {
  let numerator = 0n;
  let denominator = 1n;
  for (const { quantity, rate } of lines) {
    numerator = numerator * rate.per + BigInt(quantity) * rate.pico * denominator;
    denominator *= rate.per;
  }
  const nanoUsd = divideHalfEven(numerator, denominator * PICO_PER_NANO);
  if (chargeNanoUsd(total) === nanoUsd) return nanoUsd;
  const below = numerator / denominator;
  let missing = (chargeNanoUsd(below) === nanoUsd ? below : below + 1n) - total;
  for (const [index, line] of lines.entries()) {
    if (line.rate.per === 1n || missing === 0n) continue;
    const borne = -line.pico > missing ? -line.pico : missing;
    lines[index] = { ...line, pico: line.pico + borne };
    missing -= borne;
  }
  return nanoUsd;
}

function costLine(dimension: Dimension, quantity: number, rate: Rate, estimated: boolean): CostLine {
  // A negative quantity would pay money out; readers check what providers say, this is the last wall.
  if (quantity < 0) throw new RangeError(`Broken invariant: ${quantity} units of ${dimension}`);
  const units = BigInt(quantity) * rate.pico;
  return { dimension, quantity, rate, pico: rate.per === 1n ? units : divideHalfEven(units, rate.per), estimated };
}

/** What a text or image in a prompt can be billed as; the last entries matter only to models that list them. */
const INPUT_SIDE: readonly Dimension[] = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "image_in"];
/** Whatever a model produces counts against its output cap. */
const OUTPUT_SIDE: readonly Dimension[] = ["output", "reasoning"];
const OUTPUT_MEDIA: readonly Dimension[] = ["audio_out", "image_out"];

/** Pico-dollars: the dearest for one input token, one output token, and the fee of a request. */
type DearestRates = { input: PicoUsd; output: PicoUsd; request: PicoUsd };
/** Without an output rate nothing may be put out: an embedding's price. */
type DearestInput = { input: PicoUsd; output: PicoUsd | undefined; request: PicoUsd };

/** By how many tiers are in reach. Prices are immutable and live as long as the book, and this is asked for every request. */
const DEAREST = new WeakMap<Price, (DearestInput | undefined)[]>();

/**
 * The dearest that one token in, one token out and the request itself can cost (GATE 2.1): for any usage of at most N
 * input and M output tokens of text, `N x input + M x output + request` is never below its cost.
 *
 * @param inputBound no request with this price has more input tokens; tiers beyond it cannot apply. Any, if absent.
 * @returns `undefined` if there is no rate for input or for output
 */
export function dearestTextRates(price: Price, inputBound = Infinity): DearestRates | undefined {
  const dearest = dearestInputRates(price, inputBound);
  return dearest?.output === undefined ? undefined : (dearest as DearestRates);
}

/** The same for a request without output, such as embeddings: `N x input + request` is never below its cost. */
export function dearestInputRates(price: Price, inputBound = Infinity): DearestInput | undefined {
  let reach = 0;
  for (const tier of price.tiers) if (inputBound > tier.aboveInputTokens) reach += 1;
  let known = DEAREST.get(price);
  if (known === undefined) {
    known = [];
    DEAREST.set(price, known);
  }
  if (!(reach in known)) known[reach] = findDearest(price, reach);
  return known[reach];
}

function findDearest(price: Price, reach: number): DearestInput | undefined {
  // A cached token alone has a price? Then a plain one would be charged as unpriced: there is no bound.
  if (price.rates.input === undefined) return undefined;
  let rates = price.rates;
  let dearest = dearestIn(rates);
  for (const tier of price.tiers.slice(0, reach)) {
    rates = { ...rates, ...tier.rates };
    dearest = dearestOf(dearest, dearestIn(rates));
  }
  if (dearest.input === undefined) return undefined;
  const output = price.rates.output === undefined ? undefined : dearest.output;
  return { input: dearest.input, output, request: dearest.request ?? 0n };
}

type Sides = { readonly [side in keyof DearestRates]: PicoUsd | undefined };

function dearestIn(rates: Rates): Sides {
  let input: PicoUsd | undefined;
  let output: PicoUsd | undefined;
  // Through the parents, as the charge will go: a missing rate must not be cheaper here than there.
  for (const dimension of INPUT_SIDE) input = max(input, unitPico(rateOf(rates, dimension)?.rate));
  for (const dimension of OUTPUT_SIDE) output = max(output, unitPico(rateOf(rates, dimension)?.rate));
  for (const dimension of OUTPUT_MEDIA) output = max(output, unitPico(rates[dimension]));
  return { input, output, request: unitPico(rates.request) };
}

function dearestOf(a: Sides, b: Sides): Sides {
  return { input: max(a.input, b.input), output: max(a.output, b.output), request: max(a.request, b.request) };
}

function unitPico(rate: Rate | undefined): PicoUsd | undefined {
  return rate === undefined ? undefined : divideUp(rate.pico, rate.per);
}

function max(a: PicoUsd | undefined, b: PicoUsd | undefined): PicoUsd | undefined {
  return b === undefined || (a !== undefined && a >= b) ? a : b;
}
