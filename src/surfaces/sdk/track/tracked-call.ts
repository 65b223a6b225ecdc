import { TollgateError } from "../../../base/errors.ts";
import { assert } from "../../../base/assert.ts";
import type { ChargeSet } from "../../../domain/limits/limit.ts";
import { AttemptClient, type Outcome } from "../attempt-client.ts";
import type { CallKind } from "../call-kind.ts";
import { CallLog } from "../call-log.ts";
import { activeContext, mergePayers, type Payer, type TrackOptions } from "../context.ts";
import { costOfAttempts, type Cost } from "../cost.ts";
import { errorOfRefusal } from "../errors.ts";
import { checkTags, metadataText, providerErrorOf } from "../perform.ts";
import type { SdkPlane } from "../plane.ts";
import { forPrograms } from "../run-call.ts";
import { readNamed } from "./azure-model.ts";
import { asMetered } from "./metering.ts";
import type { Fetch, Outgoing } from "./outgoing.ts";
import { answerLike, bodyOf, brokenOff, errorResponse, refusalResponse } from "./tracked-answer.ts";
import { ToldEvents } from "./told-events.ts";
import { TRACKED_HEADER, TRACKED_ORIGIN } from "./tracked-sends.ts";

/** The longest that an answer may take, its reader included; the hold ends with it (GATE 7.4). */
const TIMEOUT_MS = 600_000;

export interface Tracked {
  readonly response: Response;
  /** `undefined` if nothing was sent. */
  readonly cost: Promise<Cost> | undefined;
}

/** Who pays for what a tracked `fetch` sends: headers of the request, then the context, then the wrapper, then the instance. */
export function payerOf(plane: SdkPlane, wrapper: Payer, request: Payer): Payer {
  return mergePayers(mergePayers(mergePayers(plane.defaults, wrapper), activeContext()?.payer ?? {}), request);
}

export function chargesOf(plane: SdkPlane, payer: Payer, model: string, id: string): readonly ChargeSet[] {
  return [...plane.payers.chargesOf(payer, model, undefined, id), ...(activeContext()?.charges ?? [])];
}

/**
 * One billable request of a tracked `fetch`: through the engine like every other call, sent by the program's own `fetch`.
 * @throws what the wrapped `fetch` throws, or the signal's reason
 */
export async function trackedCall<Answer extends object, Event>(plane: SdkPlane, kind: CallKind<Answer, Event>, fetch: Fetch, sent: Outgoing, body: Uint8Array, wrapper: TrackOptions): Promise<Tracked> {
  const id = plane.ids.next(plane.clock.now());
  const log = new CallLog(plane.callbacks, id, kind.type);
  const url = sent.url.href;
  const wire: Wire = { response: undefined, rejected: undefined, fail: undefined };
  const client: AttemptClient = new AttemptClient((attempt) => plane.watch.expect(attempt.facts.attemptId, (settled) => client.settledAs(settled)));
  try {
    const payer = payerOf(plane, wrapper, sent.payer);
    start(plane, kind, client, { id, sent, body, payer, fetch, wired: asTheWire(fetch, sent, wire), log, wholeOutput: wrapper.outputCap === false });
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    log.failed([], error);
    return { response: errorResponse(error, url, id), cost: undefined };
  }
  const unwatch = watch(plane, client, sent.signal, id, wire);
  const admission = await client.admission;
  if (admission.kind !== "admitted") {
    unwatch();
    sent.signal?.throwIfAborted();
    log.failed([], admission.kind === "refused" ? errorOfRefusal(admission.refusal) : admission.error);
    return { response: admission.kind === "refused" ? refusalResponse(admission.refusal, url, id) : errorResponse(admission.error, url, id, ["x-should-retry", "true"]), cost: undefined };
  }
  log.sending(1, []);
  const cost = client.settled.then((settled) => costOfAttempts(id, [settled], false));
  const outcome = await client.outcome;
  return { response: outcome.kind === "stream" ? streamed(kind, client, wire, log, sent.signal) : await plain(outcome, client, wire, log, sent.signal), cost };
}

/** What the wrapped `fetch` did. */
interface Wire {
  response: Response | undefined;
  rejected: { readonly reason: unknown } | undefined;
  /** Ends the stream that the program reads. */
  fail: ((reason: unknown) => void) | undefined;
}

/** The program's own request in place of the engine's: its address, headers and options around the engine's bytes. */
function asTheWire(fetch: Fetch, sent: Outgoing, wire: Wire): Fetch {
  return async (_, init) => {
    try {
      wire.response = await asMetered(() => sent.send(fetch, init?.body as Uint8Array, init?.signal as AbortSignal));
      return wire.response;
    } catch (error) {
      wire.rejected = { reason: error };
      throw error;
    }
  };
}

interface Start {
  readonly id: string;
  readonly sent: Outgoing;
  readonly body: Uint8Array;
  readonly payer: Payer;
  readonly fetch: Fetch;
  /** `fetch` as the engine uses it. */
  readonly wired: Fetch;
  readonly log: CallLog;
  readonly wholeOutput: boolean;
}

function start<Answer, Event>(plane: SdkPlane, kind: CallKind<Answer, Event>, client: AttemptClient, { id, sent, body: given, payer, fetch, wired, log, wholeOutput }: Start): void {
  checkTags(payer.tags);
  const dialect = plane.dialects[kind.type];
  const { request, body } = readNamed(dialect, given, sent.url.pathname);
  const params = plane.callbacks.any ? (JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>) : {};
  log.set({ model: request.model, messages: kind.input(params), payer, stream: request.stream }, false);
  const deployment = { ...plane.trackedRoute({ url: sent.url, model: request.model, route: kind.route }), origin: TRACKED_ORIGIN, headers: [TRACKED_HEADER, id] };
  plane.tracked.add(id, { origin: sent.url.origin, upstream: plane.upstreamOver(wired, (path, signal) => asMetered(() => sent.ask(fetch, path, signal))) });
  try {
    client.handle = plane.engine.start({
      requestId: id, at: plane.clock.now(), route: kind.route, dialect, request, body, charges: chargesOf(plane, payer, request.model, id), deployments: [deployment],
      keyId: null, teamId: null, userId: null, customer: payer.user ?? null, tags: payer.tags ?? [], metadata: metadataText(payer.metadata), ...(wholeOutput ? { wholeOutput } : {}),
    }, client);
  } catch (error) {
    plane.tracked.remove(id);
    throw forPrograms(error, request.model);
  }
}

/** The caller's signal and the longest time hold from the admission on, until the attempt is in the books. */
function watch(plane: SdkPlane, client: AttemptClient, signal: AbortSignal | undefined, id: string, wire: Wire): () => void {
  const onAbort = (): void => {
    client.leave(wire.response !== undefined);
    wire.fail?.(signal?.reason);
  };
  const timer: unknown = setTimeout(() => client.handle?.expire(), TIMEOUT_MS);
  // A program that is done does not wait for an answer that nobody reads.
  (timer as { unref?: () => void }).unref?.();
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  const unwatch = (): void => {
    clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
    signal?.removeEventListener("abort", onAbort);
    plane.tracked.remove(id);
  };
  void client.settled.then(unwatch);
  return unwatch;
}

async function plain(outcome: Exclude<Outcome, { kind: "stream" }>, client: AttemptClient, wire: Wire, log: CallLog, signal: AbortSignal | undefined): Promise<Response> {
  const attempts = [await client.settled];
  if (outcome.kind === "left") {
    log.failed(attempts, signal?.reason);
    throw signal?.reason;
  }
  if (outcome.kind === "answer") {
    assert(wire.response !== undefined, "an answer came from somewhere");
    const response = answerLike(wire.response, outcome.body);
    if (log.listens) tellPlain(log, attempts, outcome);
    return response;
  }
  log.failed(attempts, outcome.error);
  if (wire.rejected !== undefined) throw wire.rejected.reason;
  throw brokenOff(outcome.error);
}

function tellPlain(log: CallLog, attempts: Parameters<CallLog["failed"]>[0], { status, headers, body }: Extract<Outcome, { kind: "answer" }>): void {
  const text = new TextDecoder().decode(body);
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text) as unknown;
  } catch {
    // Told as text.
  }
  log.answered(attempts, parsed);
  if (status >= 300) log.failed(attempts, providerErrorOf(status, headers, parsed));
  else log.succeeded(attempts, typeof parsed === "object" && parsed !== null ? parsed : { body: parsed });
}

function streamed<Answer extends object, Event>(kind: CallKind<Answer, Event>, client: AttemptClient, wire: Wire, log: CallLog, signal: AbortSignal | undefined): Response {
  assert(wire.response !== undefined, "a stream came from somewhere");
  const told = new ToldEvents(kind, log);
  const body = bodyOf(client, {
    bytes(chunk) {
      if (log.listens) told.push(chunk);
    },
    over(error) {
      if (!log.listens) return;
      void client.settled.then((settled) => {
        const left = settled.charge.status === "client_gone" ? (signal?.reason ?? new TollgateError("aborted", "The stream was left before its end; its cost stands.")) : undefined;
        told.end(settled, error ?? left);
      });
    },
  });
  wire.fail = body.fail;
  if (signal?.aborted === true) body.fail(signal.reason);
  return answerLike(wire.response, body.stream);
}
