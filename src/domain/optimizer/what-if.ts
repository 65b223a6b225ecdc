import { divideHalfEven, type NanoUsd } from "../../base/money.ts";
import type { Entry, EntryLine } from "../ledger/entry.ts";
import { costOf } from "../pricing/cost.ts";
import type { Price } from "../pricing/price.ts";
import type { Dimension, UsageLine } from "../usage/usage.ts";

/** What is imagined: another model, a share of the input read from a cache, or a discount for answers that may wait. */
export type Supposition =
  | { readonly kind: "model"; readonly priceAt: (at: number) => Price | undefined }
  | { readonly kind: "caching"; /** Of a model's plain input tokens, in thousandths; `undefined`: no evidence. */ readonly permilleOf: (model: string) => number | undefined; readonly priceOf: (entry: Entry) => Price | undefined }
  | { readonly kind: "batch"; /** What is paid of the price, in thousandths. */ readonly permille: number };

export interface WhatIfSums {
  requests: number;
  /** What was charged. */
  before: NanoUsd;
  after: NanoUsd;
}

export interface NotPriced {
  requests: number;
  cost: NanoUsd;
}

/** Prices past traffic again, entry by entry, with the usage that each of them really had. */
export class WhatIf {
  readonly byModel = new Map<string, WhatIfSums>();
  /** By reason: these keep their cost in both sums. */
  readonly notPriced = new Map<string, NotPriced>();
  readonly total: WhatIfSums = { requests: 0, before: 0n, after: 0n };
  private readonly supposed: Supposition;

  constructor(supposed: Supposition) {
    this.supposed = supposed;
  }

  /** Only entries that cost reports hold: charges and corrections. */
  add(entry: Entry): void {
    if (entry.kind === "adjustment") return;
    const before = BigInt(entry.cost);
    const result = this.reprice(entry);
    const after = typeof result === "bigint" ? result : before;
    if (typeof result === "string") {
      const sums = this.notPriced.get(result) ?? { requests: 0, cost: 0n };
      sums.requests += 1;
      sums.cost += before;
      this.notPriced.set(result, sums);
    }
    const sums = this.byModel.get(entry.model) ?? { requests: 0, before: 0n, after: 0n };
    this.byModel.set(entry.model, sums);
    for (const one of [sums, this.total]) {
      one.requests += entry.kind === "charge" ? 1 : 0;
      one.before += before;
      one.after += after;
    }
  }

  /** The cost that would have been, or why it cannot be said. */
  private reprice(entry: Entry): NanoUsd | string {
    if (entry.kind === "correction") return "a correction of another entry";
    if (BigInt(entry.cost) === 0n && entry.lines === null) return 0n;
    if (entry.lines === null) return entry.estimated === null ? "no cost lines" : `estimated: ${entry.estimated}`;
    const { supposed } = this;
    const usage = usageOf(JSON.parse(entry.lines) as EntryLine[]);
    if (supposed.kind === "batch") return share(BigInt(entry.cost), supposed.permille);
    if (supposed.kind === "model") return priced(supposed.priceAt(entry.at), usage, "the other model has no price");
    const price = supposed.priceOf(entry);
    if (price?.rates.cache_read === undefined) return "its model has no price for cached input";
    const permille = supposed.permilleOf(entry.model);
    if (permille === undefined) return "no evidence of what a cache would have held";
    return priced(price, cached(usage, permille), "its model has no price");
  }
}

function priced(price: Price | undefined, usage: readonly UsageLine[], otherwise: string): NanoUsd | string {
  if (price === undefined) return otherwise;
  const cost = costOf(price, usage);
  return "unpriced" in cost ? `no price for ${cost.unpriced}` : cost.nanoUsd;
}

function usageOf(lines: readonly EntryLine[]): UsageLine[] {
  // A fee per request is the price's, not the usage's: the other price brings its own.
  return lines.filter((line) => line.dimension !== "request").map((line) => ({ dimension: line.dimension as Dimension, quantity: line.quantity }));
}

/** Moves a share of the plain input to the cache, rounded down. */
function cached(usage: readonly UsageLine[], permille: number): UsageLine[] {
  const plain = usage.find((line) => line.dimension === "input")?.quantity ?? 0;
  const moved = Math.floor((plain * permille) / 1_000);
  const known = usage.find((line) => line.dimension === "cache_read")?.quantity ?? 0;
  const others = usage.filter((line) => line.dimension !== "input" && line.dimension !== "cache_read");
  return [{ dimension: "input", quantity: plain - moved }, { dimension: "cache_read", quantity: known + moved }, ...others];
}

function share(cost: NanoUsd, permille: number): NanoUsd {
  return divideHalfEven(cost * BigInt(permille), 1_000n);
}
