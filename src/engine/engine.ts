import type { Clock } from "../base/clock.ts";
import { TollgateError } from "../base/errors.ts";
import { InFlight } from "../base/in-flight.ts";
import type { AttemptFacts } from "../domain/ledger/entry.ts";
import type { Books, OpenAttempt, Refusal } from "../domain/limits/books.ts";
import type { ChargeSet } from "../domain/limits/limit.ts";
import type { Price, PriceBook } from "../domain/pricing/price.ts";
import { scopeText } from "../domain/scopes/scope.ts";
import { priceOf, type Deployment } from "../domain/upstream/deployment.ts";
import type { Upstream, UpstreamFailure } from "../domain/upstream/upstream.ts";
import { Attempt } from "./attempt.ts";
import type { Call, Client, EngineSettings, LeavePolicy, Settled } from "./call.ts";
import { askOf, isPriced, maximumOutputOf, refuseAbsurd } from "./estimate.ts";

/** Told what happened, for metrics and the log; must not throw. */
export interface Observer {
  refused(call: Call, refusal: Refusal): void;
  settled(settled: Settled): void;
  upstreamFailed(call: Call, deployment: Deployment, failure: UpstreamFailure): void;
}

/** A call under way, as its surface holds it. */
export interface CallHandle {
  pause(): void;
  resume(): void;
  /** The client is gone. */
  leave(policy?: LeavePolicy): void;
  /** The client's own time is up: the attempt ends and the hold is charged. */
  expire(): void;
}

export interface EngineOptions {
  readonly clock: Clock;
  readonly books: Books;
  readonly upstream: Upstream;
  readonly prices: PriceBook;
  readonly settings: EngineSettings;
  readonly observer: Observer;
}

/** What became of a request at the gate. */
export type Admission =
  | { readonly kind: "open"; readonly attempt: OpenAttempt; readonly deployment: Deployment; readonly price: Price | undefined }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "failed"; readonly error: TollgateError };

interface CallState {
  attempt: Attempt | undefined;
  gone: LeavePolicy | undefined;
  expired: boolean;
}

/** The one flow: estimate, admit, call, price, settle. Every route of every surface comes through `start`. */
export class Engine {
  readonly clock: Clock;
  readonly books: Books;
  readonly upstream: Upstream;
  readonly prices: PriceBook;
  readonly settings: EngineSettings;
  readonly observer: Observer;
  private readonly attempts = new InFlight<Attempt>();
  private onIdle: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.clock = options.clock;
    this.books = options.books;
    this.upstream = options.upstream;
    this.prices = options.prices;
    this.settings = options.settings;
    this.observer = options.observer;
  }

  /**
   * Starts a call; the client is answered by events.
   * @throws TollgateError `unpriced`, `cost_not_boundable` before anything is held
   */
  start(call: Call, client: Client): CallHandle {
    const state: CallState = { attempt: undefined, gone: undefined, expired: false };
    this.admit(call, (admission) => this.sendAdmitted(call, client, admission, state));
    return {
      pause: () => state.attempt?.pause(),
      resume: () => state.attempt?.resume(),
      leave: (policy = this.settings.onDisconnect) => {
        state.gone = policy;
        state.attempt?.leave(policy);
      },
      expire: () => {
        state.expired = true;
        state.attempt?.expire("timeout");
      },
    };
  }

  /** Gives up attempts that have passed their deadline. Called about once a second. */
  tick(): void {
    const now = this.clock.monotonic();
    this.attempts.forEach((attempt) => {
      if (now >= attempt.deadlineMs) attempt.expire("timeout");
    });
  }

  /** Resolves by `then` once no attempt is open. */
  whenIdle(then: () => void): void {
    if (this.attempts.size === 0) then();
    else this.onIdle = then;
  }

  /** Ends everything that is still open and charges the holds (GATE 5.7). */
  cancelAll(): void {
    this.attempts.forEach((attempt) => attempt.expire("shutdown"));
  }

  get inFlight(): number {
    return this.attempts.size;
  }

  /** An attempt is settled. */
  finished(attempt: Attempt, settled: Settled): void {
    this.attempts.delete(attempt);
    this.observer.settled(settled);
    if (this.attempts.size === 0 && this.onIdle !== undefined) {
      this.onIdle();
      this.onIdle = undefined;
    }
  }

  /**
   * Estimates and admits; what is admitted is held until somebody settles it. A deployment whose own limit refuses
   * gives way to the next (GATE 7.3).
   * @throws TollgateError `unpriced`, `cost_not_boundable`, `invalid_request` before anything is held
   */
  admit(call: Call, then: (admission: Admission) => void, index = 0): void {
    const deployment = call.deployments[index] as Deployment;
    const charges = [...call.charges, deployment.charges];
    const price = priceOf(deployment, this.prices, call.at);
    const hard = charges.some((set) => set.limits.some((limit) => limit.hard && limit.measure === "nanoUsd"));
    this.check(call, deployment, hard, isPriced(call.request, price));
    const ask = askOf(call.request, deployment, this.prices, price, call.wholeOutput);
    if (!hard) refuseAbsurd(ask);
    this.books.open(ask, factsOf(call, deployment, charges, index), charges, (opening) => {
      if (opening.kind === "open") {
        then({ kind: "open", attempt: opening.attempt, deployment, price });
        return;
      }
      if (opening.kind === "refused") {
        if (opening.refusal.limit.scope.kind === "deployment" && index + 1 < call.deployments.length) {
          this.admitNext(call, then, index + 1);
          return;
        }
        this.observer.refused(call, opening.refusal);
      }
      then(opening);
    });
  }

  private admitNext(call: Call, then: (admission: Admission) => void, index: number): void {
    try {
      this.admit(call, then, index);
    } catch (error) {
      if (!(error instanceof TollgateError)) throw error;
      then({ kind: "failed", error });
    }
  }

  private sendAdmitted(call: Call, client: Client, admission: Admission, state: CallState): void {
    if (admission.kind === "failed") client.failed(admission.error, undefined);
    else if (admission.kind === "refused") client.refused(admission.refusal);
    else {
      const attempt = new Attempt(this, call, client, admission.deployment, admission.attempt, admission.price);
      state.attempt = attempt;
      this.attempts.add(attempt);
      client.admitted?.(admission.attempt);
      if (state.gone !== undefined || state.expired) attempt.neverSend(state.gone !== undefined);
      else attempt.begin();
    }
  }

  /** What no hold could cover is refused before anything is held (GATE 2.2, 2.3). */
  private check(call: Call, deployment: Deployment, hard: boolean, priced: boolean): void {
    if (!priced && (hard || this.settings.unpriced !== "allow")) {
      throw new TollgateError("unpriced", `The model "${call.request.model}" has no price${hard ? ", and a hard budget applies" : ""}. Set input_cost_per_token and output_cost_per_token for it in model_list, or use a priced model.`, { param: "model" });
    }
    if (!hard) return;
    if (call.wholeOutput === true && call.request.declaredCap === undefined && maximumOutputOf(deployment, this.prices) === undefined) {
      throw new TollgateError("cost_not_boundable", `A hard budget applies, no output cap may be added, and the most that "${call.request.model}" can answer is unknown. Send max_tokens, or let the budget set the cap.`, { param: "max_tokens" });
    }
    const unbounded = call.request.unbounded(deployment.boundableParams);
    if (unbounded !== undefined) {
      throw new TollgateError("cost_not_boundable", `A hard budget applies, and the cost of "${unbounded}" has no upper bound. Leave it out, or have the operator add it to boundable_params of the deployment.`, { param: unbounded });
    }
  }
}

/** What of a call goes into its facts. */
type CallFacts = Omit<Call, "dialect" | "request" | "body" | "deployments"> & { readonly request: Pick<Call["request"], "model" | "stream" | "metadata"> };

/** Who and what an attempt is for. */
export function factsOf(call: CallFacts, deployment: Deployment, charges: readonly ChargeSet[], index: number): AttemptFacts {
  const scopes: string[] = [];
  for (const set of charges) for (const scope of set.scopes) scopes.push(scopeText(scope));
  return {
    requestId: call.requestId,
    attemptId: `${call.requestId}.${String((call.attemptsBefore ?? 0) + index + 1).padStart(2, "0")}`,
    at: call.at,
    scopes,
    keyId: call.keyId,
    teamId: call.teamId,
    userId: call.userId,
    customer: call.customer,
    model: call.request.model,
    provider: deployment.provider,
    upstreamModel: deployment.model,
    deployment: deployment.id,
    route: call.route,
    stream: call.request.stream,
    tags: call.tags,
    metadata: call.metadata === undefined ? (call.request.metadata ?? null) : call.metadata,
  };
}
