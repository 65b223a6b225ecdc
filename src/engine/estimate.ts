import { TollgateError } from "../base/errors.ts";
import { REQUEST_MAX_NANO_USD } from "../base/money.ts";
import { dearestInputRates, dearestTextRates } from "../domain/pricing/cost.ts";
import type { Price } from "../domain/pricing/price.ts";
import type { Ask } from "../domain/limits/ask.ts";
import { amountOf } from "../domain/limits/decide.ts";
import type { Deployment } from "../domain/upstream/deployment.ts";
import type { DialectRequest } from "../domain/upstream/dialect.ts";
import type { PriceBook } from "../domain/pricing/price.ts";

/**
 * The ask of a request: a sound upper bound from bytes and the output cap, no tokenizer and no learned ratio (GATE 2.1).
 * @returns `undefined` money rates count as zero: without a price only a request without a hard budget gets here
 */
export function askOf(request: DialectRequest, deployment: Deployment, book: PriceBook, price: Price | undefined, wholeOutput = false): Ask {
  const rates = price === undefined ? undefined : ratesOf(request, price);
  const choices = BigInt(request.choices);
  return {
    money: rates === undefined
      ? { fixed: 0n, perToken: 0n }
      : { fixed: rates.input * BigInt(request.inputBound) + rates.request, perToken: (rates.output ?? 0n) * choices },
    // The field's convention for a rate: a quarter of the bytes (GATE 7.2). A rate is not money.
    tokens: { fixed: BigInt(Math.ceil(request.bytes / 4)), perToken: choices },
    inputTokens: BigInt(Math.ceil(request.bytes / 4)),
    outputPerToken: choices,
    declaredCap: request.declaredCap,
    maximumOutput: maximumOutputOf(deployment, book),
    ...(wholeOutput ? { wholeOutput } : {}),
  };
}

/** The most that a model answers, `undefined` if nobody says. */
export function maximumOutputOf(deployment: Deployment, book: PriceBook): number | undefined {
  return deployment.maximumOutput ?? book.info(deployment.provider, deployment.model)?.maximumOutput;
}

/**
 * What no budget bounds is bounded here: an amount that no column holds would stop the ledger for everybody.
 * @throws TollgateError `invalid_request`
 */
export function refuseAbsurd(ask: Ask): void {
  const most = amountOf(ask, "nanoUsd", BigInt(ask.declaredCap ?? ask.maximumOutput ?? 0));
  if (most <= REQUEST_MAX_NANO_USD) return;
  throw new TollgateError("invalid_request", "This request could cost more than a million dollars, which is taken for a mistake. Lower max_tokens or n, or correct the price of the model.", { param: "max_tokens" });
}

/** The price can hold the request: its text has a rate in and, where the route has output, a rate out. */
export function isPriced(request: DialectRequest, price: Price | undefined): price is Price {
  return price !== undefined && ratesOf(request, price) !== undefined;
}

function ratesOf(request: DialectRequest, price: Price): ReturnType<typeof dearestInputRates> {
  return request.declaredCap === 0 ? dearestInputRates(price, request.inputBound) : dearestTextRates(price, request.inputBound);
}
