import type { AttemptStatus, Charge, EstimateReason } from "../domain/ledger/entry.ts";
import type { Ask } from "../domain/limits/ask.ts";
import type { OpenAttempt } from "../domain/limits/books.ts";
import type { Deployment } from "../domain/upstream/deployment.ts";
import type { SaidCost } from "../domain/upstream/said-cost.ts";
import type { Call, Settled } from "./call.ts";
import { factsOf, type Admission, type Engine } from "./engine.ts";
import { chargeAsSaid } from "./meter.ts";

/** A request that costs money and that nobody here can read. */
export type UnreadCall = Omit<Call, "dialect" | "request" | "body" | "deployments"> & { readonly model: string; readonly deployment: Deployment };

/** What became of it, as far as its head tells. */
export interface UnreadOutcome {
  readonly status: AttemptStatus;
  readonly httpStatus: number | null;
  /** It never cost anything: refused with a status, or never sent. */
  readonly free: boolean;
  /** Where the answer came from a gateway that said its cost. */
  readonly said: SaidCost | undefined;
  readonly startedMs: number;
}

/** Nothing bounds its cost, so nothing is held; it counts as a request (GATE 2.3). */
const ASK: Ask = {
  money: { fixed: 0n, perToken: 0n }, tokens: { fixed: 0n, perToken: 0n }, inputTokens: 0n, outputPerToken: 0n, declaredCap: 0, maximumOutput: 0,
};

/** Admits it by every limit that counts requests. Hard budgets are the caller's to check: they refuse it. */
export function openUnread(engine: Engine, call: UnreadCall, then: (admission: Admission) => void): void {
  const { deployment, charges } = call;
  const facts = factsOf({ ...call, request: { model: call.model, stream: false, metadata: undefined } }, deployment, charges, 0);
  engine.books.open(ASK, facts, charges, (opening) => then(opening.kind === "open" ? { kind: "open", attempt: opening.attempt, deployment, price: undefined } : opening));
}

/** One entry, marked `unpriced` unless it cost nothing or a gateway said what it cost. */
export function closeUnread(engine: Engine, attempt: OpenAttempt, deployment: Deployment, outcome: UnreadOutcome, then: (settled: Settled) => void): void {
  const { status, httpStatus, free, said, startedMs } = outcome;
  const estimated: EstimateReason | null = free ? null : httpStatus === null ? "no_status" : "unpriced";
  const charge: Charge = {
    cost: 0n, estimated, status, httpStatus, lines: [], priceVersion: null, unpriced: !free, inputTokens: 0, outputTokens: 0, cachedTokens: 0,
    answeredModel: null, responseId: null, rawUsage: null, durationMs: Math.round(engine.clock.monotonic() - startedMs),
  };
  const settled: Settled = { attempt, deployment, charge: said === undefined ? charge : chargeAsSaid(charge, said) };
  engine.books.close(attempt, settled.charge, () => {
    engine.observer.settled(settled);
    then(settled);
  });
}
