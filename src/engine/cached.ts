import type { TollgateError } from "../base/errors.ts";
import type { StoredAnswer } from "../domain/cache/stored-answer.ts";
import type { Charge } from "../domain/ledger/entry.ts";
import type { Ask } from "../domain/limits/ask.ts";
import type { Refusal } from "../domain/limits/books.ts";
import type { ChargeSet } from "../domain/limits/limit.ts";
import type { Deployment } from "../domain/upstream/deployment.ts";
import type { Call, Settled } from "./call.ts";
import { factsOf, type Engine } from "./engine.ts";

/** What became of a call that the cache can answer. */
export type CachedOutcome =
  | { readonly kind: "settled"; readonly settled: Settled }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "failed"; readonly error: TollgateError };

/** Nothing is sent, so nothing is bought: no money and no tokens. It is a request all the same. */
const NOTHING: Ask = { money: { fixed: 0n, perToken: 0n }, tokens: { fixed: 0n, perToken: 0n }, inputTokens: 0n, outputPerToken: 0n, declaredCap: 0, maximumOutput: undefined };

/**
 * GATE 5.8: one entry of $0 with what the answer saved, through the same books as every attempt. Limits on requests
 * count it and may refuse it, so that an agent's loop ends on cached answers too; money, token and parallel limits do
 * not concern it: what is spent is spent, and the answer costs nothing.
 */
export function settleCached(engine: Engine, call: Call, answer: StoredAnswer, then: (outcome: CachedOutcome) => void): void {
  const startedMs = engine.clock.monotonic();
  const deployment = call.deployments[0] as Deployment;
  const charges = [...call.charges, deployment.charges].map(countingRequests);
  engine.books.open(NOTHING, factsOf(call, deployment, charges, 0), charges, (opening) => {
    if (opening.kind === "failed") {
      then(opening);
      return;
    }
    if (opening.kind === "refused") {
      engine.observer.refused(call, opening.refusal);
      then(opening);
      return;
    }
    const { attempt } = opening;
    const settled: Settled = { attempt, deployment, charge: chargeOfCached(answer, engine.clock.monotonic() - startedMs) };
    engine.books.close(attempt, settled.charge, () => {
      engine.observer.settled(settled);
      then({ kind: "settled", settled });
    });
  });
}

/** No token was bought, so none is counted: what the provider once said stands in `rawUsage`. */
export function chargeOfCached({ cost, priceVersion, model, responseId, rawUsage }: StoredAnswer, durationMs: number): Charge {
  return {
    cost: 0n, estimated: null, status: "cached", httpStatus: null, lines: [], priceVersion, unpriced: false, inputTokens: 0, outputTokens: 0, cachedTokens: 0,
    answeredModel: model, responseId, rawUsage, durationMs: Math.round(durationMs), saved: BigInt(cost),
  };
}

/** Made once for each set, since books compile each set once. */
const requestSets = new WeakMap<ChargeSet, ChargeSet>();

function countingRequests(set: ChargeSet): ChargeSet {
  let counting = requestSets.get(set);
  if (counting === undefined) requestSets.set(set, (counting = { scopes: set.scopes, limits: set.limits.filter((limit) => limit.measure === "requests") }));
  return counting;
}
