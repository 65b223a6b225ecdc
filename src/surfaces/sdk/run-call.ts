import { TollgateError } from "../../base/errors.ts";
import type { Refusal } from "../../domain/limits/books.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import { scopeText } from "../../domain/scopes/scope.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import type { Dialect, DialectRequest } from "../../domain/upstream/dialect.ts";
import type { Call, Settled } from "../../engine/call.ts";
import { AttemptClient, type Outcome } from "./attempt-client.ts";
import { errorOfRefusal } from "./errors.ts";
import type { SdkPlane } from "./plane.ts";
import { isRetried, retryDelayMs } from "./retry.ts";

/** A call that is read, routed and knows who pays. */
export interface PreparedCall {
  readonly id: string;
  readonly route: string;
  readonly dialect: Dialect;
  readonly request: DialectRequest;
  readonly body: Uint8Array;
  readonly deployment: Deployment;
  /** Asked before each try, so that a budget that was raised meanwhile counts. */
  readonly charges: () => readonly ChargeSet[];
  readonly user: string | null;
  readonly tags: readonly string[];
  /** JSON text. */
  readonly metadata: string | null;
  readonly signal: AbortSignal | undefined;
  /** Of the monotonic clock. */
  readonly deadlineMs: number;
  readonly maxRetries: number;
  readonly onSettled?: ((settled: Settled) => void) | undefined;
  /** Told of each attempt that is about to be sent, and of what it came to. */
  readonly onSend?: (tries: number) => void;
  readonly onAnswer?: (tries: number, outcome: Outcome) => void;
}

/** An attempt that came to an answer, a stream or a failure that is not retried. */
export interface Ran {
  readonly client: AttemptClient;
  readonly outcome: Exclude<Outcome, { kind: "left" }>;
  /** Ends the watch over signal and deadline; called by itself once the attempt is settled. */
  readonly unwatch: () => void;
}

/**
 * One call through the engine: each try is an attempt with its own hold and entry. `attempts` gathers their
 * settlements, also when this rejects.
 * @throws BudgetExceededError, TollgateError, or the signal's reason
 */
export async function runCall(plane: SdkPlane, call: PreparedCall, attempts: Settled[]): Promise<Ran> {
  for (let tries = 1; ; tries += 1) {
    call.signal?.throwIfAborted();
    const client = await admit(plane, call, tries - 1);
    call.onSend?.(tries);
    const unwatch = watch(plane, call, client);
    const outcome = await client.outcome;
    if (outcome.kind !== "stream") {
      const settled = await client.settled;
      attempts.push(settled);
      call.onSettled?.(settled);
      unwatch();
      call.onAnswer?.(tries, outcome);
    }
    if (outcome.kind === "left") throw reasonOf(call.signal);
    const delayMs = delayBeforeNext(plane, call, tries, outcome, attempts[attempts.length - 1]);
    if (delayMs === undefined) return { client, outcome, unwatch };
    await pause(delayMs, call.signal);
  }
}

/** Milliseconds until another try, or `undefined` if there is none: no tries or no time left, or nothing to try again. */
function delayBeforeNext(plane: SdkPlane, call: PreparedCall, tries: number, outcome: Ran["outcome"], settled: Settled | undefined): number | undefined {
  if (tries > call.maxRetries || outcome.kind === "stream") return undefined;
  if (outcome.kind === "answer" && (outcome.status < 400 || !isRetried(outcome.status, outcome.headers))) return undefined;
  // A broken connection may be tried again, even where the provider may have worked: that attempt keeps its charge.
  if (outcome.kind === "failed" && (settled === undefined || !isLost(settled))) return undefined;
  const delayMs = retryDelayMs(tries, outcome.kind === "answer" ? outcome.headers : {}, plane.clock.now(), Math.random);
  return plane.clock.monotonic() + delayMs < call.deadlineMs ? delayMs : undefined;
}

/** No connection, or one that broke before any answer. */
function isLost({ charge }: Settled): boolean {
  return charge.status === "not_connected" || (charge.status === "cut_short" && charge.httpStatus === null);
}

/** Starts attempts until one is admitted; waits for money that others hold (`budget_held`), up to the call's deadline. */
async function admit(plane: SdkPlane, call: PreparedCall, attemptsBefore: number): Promise<AttemptClient> {
  const client = start(plane, call, attemptsBefore);
  const admission = await client.admission;
  if (admission.kind === "admitted") return client;
  if (admission.kind === "failed") throw admission.error;
  if (admission.refusal.outcome !== "budget_held") throw errorOfRefusal(admission.refusal);
  return waitForMoney(plane, call, attemptsBefore, admission.refusal);
}

function waitForMoney(plane: SdkPlane, call: PreparedCall, attemptsBefore: number, refusal: Refusal): Promise<AttemptClient> {
  return new Promise((resolve, reject) => {
    let last = refusal;
    let over = false;
    let leaveQueue = (): void => {};
    const finish = (then: () => void): void => {
      over = true;
      leaveQueue();
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", onAbort);
      then();
    };
    const onAbort = (): void => finish(() => reject(reasonOf(call.signal)));
    const timer = setTimeout(() => finish(() => reject(errorOfRefusal(last))), Math.max(0, call.deadlineMs - plane.clock.monotonic()));
    call.signal?.addEventListener("abort", onAbort, { once: true });
    const queueFor = (scope: string): void => {
      leaveQueue = plane.held.wait(scope, async () => {
        if (over) return "left";
        let client: AttemptClient;
        try {
          client = start(plane, call, attemptsBefore);
        } catch (error) {
          finish(() => reject(error as Error));
          return "left";
        }
        const admission = await client.admission;
        if (over) {
          client.leave(false);
          return "left";
        }
        if (admission.kind === "admitted") finish(() => resolve(client));
        else if (admission.kind === "failed") finish(() => reject(admission.error));
        else if (admission.refusal.outcome !== "budget_held") finish(() => reject(errorOfRefusal(admission.refusal)));
        else {
          last = admission.refusal;
          const now = scopeText(last.limit.scope);
          if (now === scope) return "still_held";
          queueFor(now);
        }
        return "left";
      });
    };
    queueFor(scopeText(refusal.limit.scope));
  });
}

function start(plane: SdkPlane, call: PreparedCall, attemptsBefore: number): AttemptClient {
  const client: AttemptClient = new AttemptClient((attempt) => plane.watch.expect(attempt.facts.attemptId, (settled) => client.settledAs(settled)));
  try {
    client.handle = plane.engine.start(engineCall(plane, call, attemptsBefore), client);
  } catch (error) {
    throw forPrograms(error, call.request.model);
  }
  return client;
}

/** The engine speaks to operators of a gateway; a program has no model_list and no boundable_params. */
export function forPrograms(error: unknown, model: string): unknown {
  if (!(error instanceof TollgateError)) return error;
  const { code, param } = error;
  if (code === "cost_not_boundable" && param !== undefined && param !== "max_tokens") {
    return new TollgateError(code, `A hard budget applies, and the cost of "${param}" has no upper bound. Leave it out, or call where no hard budget applies.`, { param });
  }
  return code !== "unpriced" ? error : new TollgateError(code, `The model "${model}" has no price, and a hard budget applies. Use a model with a price, or give its prices to registerModel.`, { param: "model" });
}

/** A cap on calls has counted this call with its first try. */
function countedAlready(set: ChargeSet): ChargeSet {
  return set.limits.some(({ measure }) => measure === "requests") ? { ...set, limits: set.limits.filter(({ measure }) => measure !== "requests") } : set;
}

/** The call as the engine knows it. */
export function engineCall(plane: SdkPlane, call: PreparedCall, attemptsBefore: number): Call {
  const { id, request, dialect, body, deployment, route, user, tags, metadata } = call;
  return {
    requestId: id, at: plane.clock.now(), route, dialect, request, body, charges: attemptsBefore === 0 ? call.charges() : call.charges().map(countedAlready), deployments: [deployment],
    keyId: null, teamId: null, userId: null, customer: user, tags, metadata, attemptsBefore,
  };
}

/** Signal and deadline hold until the attempt is settled, for a stream too. */
function watch(plane: SdkPlane, call: PreparedCall, client: AttemptClient): () => void {
  const onAbort = (): void => client.leave(call.request.stream);
  const timer = setTimeout(() => client.handle?.expire(), Math.max(0, call.deadlineMs - plane.clock.monotonic()));
  const unwatch = (): void => {
    clearTimeout(timer);
    call.signal?.removeEventListener("abort", onAbort);
  };
  call.signal?.addEventListener("abort", onAbort, { once: true });
  if (call.signal?.aborted === true) onAbort();
  void client.settled.then(unwatch);
  return unwatch;
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new TollgateError("aborted", "The call was given up by its caller.", { cause: reason });
}

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
