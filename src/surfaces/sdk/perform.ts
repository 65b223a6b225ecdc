import { TollgateError } from "../../base/errors.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import type { Settled, UpstreamHeaders } from "../../engine/call.ts";
import { cachedCall, type CachedCall } from "./cache/cached-call.ts";
import { readCacheUse } from "./cache/cache-options.ts";
import { clientOfCached } from "./cache/cached-answer.ts";
import { providerBody, type CallOptions } from "./call-options.ts";
import type { CallKind } from "./call-kind.ts";
import type { AttemptClient } from "./attempt-client.ts";
import { CallLog } from "./call-log.ts";
import { activeContext, mergePayers, type Payer } from "./context.ts";
import { costOfAttempts, type Cost } from "./cost.ts";
import { BudgetExceededError, ProviderError } from "./errors.ts";
import { MeteredStream } from "./metered-stream.ts";
import { MOCK_HEADER, MOCK_ORIGIN } from "./mock-answers.ts";
import type { SdkPlane } from "./plane.ts";
import { runCall, type PreparedCall, type Ran } from "./run-call.ts";

const TIMEOUT_MS = 600_000;
const MAX_RETRIES = 2;
const METADATA_BYTES_MAX = 16_384;
const TAGS_MAX = 64;
const TAG_BYTES_MAX = 256;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export type Params = Readonly<Record<string, unknown>> & CallOptions & { readonly model?: unknown; readonly stream?: boolean | null | undefined; readonly mockResponse?: unknown };

/** What another surface adds to a call. */
export interface Extra {
  /** Further scopes that are charged and limits that apply, such as those of a `BudgetManager`. */
  readonly charges?: readonly ChargeSet[];
  /** Told each settlement, also of a call that fails. */
  readonly onSettled?: (settled: Settled) => void;
}

/**
 * One call of any kind: input callbacks, who pays, the route, the engine, the answer with its cost, callbacks.
 * @throws BudgetExceededError, ProviderError, TollgateError, or the signal's reason
 */
export async function perform<Answer extends object, Event>(plane: SdkPlane, kind: CallKind<Answer, Event>, given: Params, extra: Extra = {}): Promise<(Answer & { cost: Cost }) | MeteredStream<Event, Answer>> {
  const id = plane.ids.next(plane.clock.now());
  const log = new CallLog(plane.callbacks, id, kind.type);
  const attempts: Settled[] = [];
  let cached: CachedCall | undefined;
  try {
    if (typeof given !== "object" || given === null) throw new TollgateError("invalid_request", "A call takes one object of parameters, such as { model, messages }.");
    const startedMs = plane.clock.monotonic();
    const payerOf = (params: Params): Payer => mergePayers(mergePayers(plane.defaults, activeContext()?.payer ?? {}), params);
    const describe = (params: Params): void => log.set({ model: String(params.model), messages: kind.input(params), payer: payerOf(params), stream: params.stream === true }, params.mockResponse !== undefined);
    let params = given;
    describe(params);
    params.signal?.throwIfAborted();
    for (const callback of [...plane.callbacks.input]) {
      const patch = await plane.callbacks.patch(callback, log.record([], null, undefined), log.startTime);
      if (patch === undefined) continue;
      params = { ...params, ...patch };
      describe(params);
    }
    const call = prepare(plane, kind, params, payerOf(params), { id, startedMs, extra, log, attempts });
    const mocked = params.mockResponse !== undefined;
    const costOf = (): Cost => costOfAttempts(id, attempts, mocked);
    cached = cacheFor(plane, params, call);
    const found = await cached?.find(call.signal, call.deadlineMs);
    if (found !== undefined) {
      const client = await clientOfCached(plane, call, found.stored, attempts);
      if (found.answer === undefined) return meteredStream(client, kind, call, attempts, costOf, log, extra, undefined);
      return finished(kind.finish, found.answer as Answer, costOf, log, attempts);
    }
    if (mocked) plane.mocks.add(id, (body) => kind.mock(params.mockResponse, JSON.parse(decoder.decode(body)) as Record<string, unknown>, id, plane.clock.now()));
    let ran: Ran;
    try {
      ran = await runCall(plane, call, attempts);
    } finally {
      plane.mocks.remove(id);
    }
    if (call.request.stream || ran.outcome.kind === "stream") return await streamOf(ran, kind, call, attempts, costOf, log, extra, cached);
    const plain = answerOf<Answer>(ran.outcome);
    const settled = attempts[attempts.length - 1];
    if (settled !== undefined && ran.outcome.kind === "answer") cached?.keep(ran.outcome.body, plain, settled);
    return finished(kind.finish, plain, costOf, log, attempts);
  } catch (error) {
    cached?.failed(error);
    log.failed(attempts, error);
    throw error;
  }
}

/** What the call has to do with the cache, if anything. */
function cacheFor(plane: SdkPlane, params: Params, call: PreparedCall): CachedCall | undefined {
  const use = readCacheUse(plane.cache(), params.cache, [plane.defaults.cache, ...(activeContext()?.cache ?? [])]);
  if (use === undefined) return undefined;
  const { id, route, request, dialect, deployment, body } = call;
  const { provider, model, origin, paths } = deployment;
  return cachedCall(use, { route, stream: request.stream, provider, model, address: `${origin}${paths[dialect.route]}`, headers: params.extraHeaders ?? {}, mock: params.mockResponse, body }, {
    clock: plane.clock,
    told: (error) => plane.callbacks.told(error, { callback: "cache", callId: id }),
    outlast: (work) => plane.callbacks.outlast(work, id),
  });
}

function finished<Answer extends object>(finish: ((answer: Answer) => Answer) | undefined, plain: Answer, costOf: () => Cost, log: CallLog, attempts: readonly Settled[]): Answer & { cost: Cost } {
  const answer = Object.assign(finish === undefined ? plain : finish(plain), { cost: costOf() });
  log.succeeded(attempts, answer);
  return answer;
}

interface Preparation {
  readonly id: string;
  readonly startedMs: number;
  readonly extra: Extra;
  readonly log: CallLog;
  readonly attempts: Settled[];
}

function prepare<Answer, Event>(plane: SdkPlane, kind: CallKind<Answer, Event>, params: Params, payer: Payer, { id, startedMs, extra, log, attempts }: Preparation): PreparedCall {
  const dialect = plane.dialects[kind.type];
  const { defaults } = plane;
  if (typeof params.model !== "string") throw new TollgateError("invalid_request", 'model must be a text such as "openai/gpt-4o-mini".', { param: "model" });
  checkTags(payer.tags);
  const mocked = params.mockResponse !== undefined;
  const query = { type: kind.type, model: params.model, apiKey: params.apiKey ?? defaults.apiKey, apiBase: params.apiBase ?? defaults.apiBase, mocked };
  const route = plane.route(query);
  const content = providerBody(params);
  if (payer.user !== undefined && (params.forwardUser ?? defaults.forwardUser) === true) content[userFieldOf(route)] = payer.user;
  const body = bytesOf(content);
  const request = dialect.read(body);
  const context = activeContext();
  // Read once, so that wrong amounts are told before anything waits.
  plane.payers.chargesOf(payer, query.model, params.maxBudget, id);
  return {
    id, route: kind.route, dialect, request, body,
    deployment: mocked ? { ...route, origin: MOCK_ORIGIN, headers: [MOCK_HEADER, id] } : withHeaders(route, params.extraHeaders),
    charges: () => [...plane.payers.chargesOf(payer, query.model, params.maxBudget, id), ...(context?.charges ?? []), ...(extra.charges ?? [])],
    user: payer.user ?? null,
    tags: payer.tags ?? [],
    metadata: metadataText(payer.metadata),
    signal: params.signal,
    deadlineMs: startedMs + positive(params.timeoutMs ?? defaults.timeoutMs ?? TIMEOUT_MS, "timeoutMs"),
    maxRetries: mocked ? 0 : positive(params.maxRetries ?? defaults.maxRetries ?? MAX_RETRIES, "maxRetries"),
    onSettled: extra.onSettled,
    onSend: (tries) => log.sending(tries, attempts),
    onAnswer: (_tries, outcome) => {
      if (outcome.kind === "answer") log.answered(attempts, parsedOr(decoder.decode(outcome.body)));
      else if (outcome.kind === "failed") log.answered(attempts, { error: { code: outcome.error.code, message: outcome.error.message } });
    },
  };
}

async function streamOf<Answer extends object, Event>(ran: Ran, kind: CallKind<Answer, Event>, call: PreparedCall, attempts: Settled[], costOf: () => Cost, log: CallLog, extra: Extra, cached: CachedCall | undefined): Promise<(Answer & { cost: Cost }) | MeteredStream<Event, Answer>> {
  const { client, outcome } = ran;
  if (outcome.kind !== "stream") {
    // Asked for a stream and answered at once: the same events, from the whole answer.
    const events = kind.eventsOf(answerOf<Answer>(outcome));
    for (const event of events) client.bytes(encoder.encode(`data: ${JSON.stringify(event)}\n\n`));
    client.end(undefined);
  }
  const stream = meteredStream(client, kind, call, attempts, costOf, log, extra, cached);
  // A provider that streams although it was not asked: the caller gets what it asked for.
  if (call.request.stream) return stream;
  // Those who wait for the same answer are not kept waiting for one that is not kept as they want it.
  cached?.failed(undefined);
  return stream.finalResponse();
}

function meteredStream<Answer extends object, Event>(client: AttemptClient, kind: CallKind<Answer, Event>, call: PreparedCall, attempts: Settled[], costOf: () => Cost, log: CallLog, extra: Extra, cached: CachedCall | undefined): MeteredStream<Event, Answer> {
  const stream: MeteredStream<Event, Answer> = new MeteredStream<Event, Answer>(client, kind.fold(), {
    check: refuseErrorEvent,
    costOf: (settled) => {
      if (attempts[attempts.length - 1] !== settled) {
        attempts.push(settled);
        extra.onSettled?.(settled);
      }
      return costOf();
    },
    onEvent: (event, data) => {
      cached?.note(data);
      log.event(event);
    },
    onOver: ({ answer, error }) => {
      if (answer === undefined) log.failed(attempts, error);
      else log.succeeded(attempts, answer);
      const settled = attempts[attempts.length - 1];
      if (answer !== undefined && settled !== undefined && call.request.stream) cached?.keepStream(answer, settled);
    },
  }, () => (call.signal?.aborted === true ? call.signal.reason : new TollgateError("aborted", "The stream was left before its end; its cost stands.")));
  return stream;
}

function answerOf<Answer>(outcome: Exclude<Ran["outcome"], { kind: "stream" }>): Answer {
  if (outcome.kind === "failed") throw outcome.error;
  const { status, headers, body } = outcome;
  // The provider may be a Tollgate gateway, whose refusals are ours.
  const parsed = parsedOr(decoder.decode(body));
  if (status >= 300 && status < 400) throw new TollgateError("upstream_failed", `The provider answered with status ${status}, a redirect, which is not followed. Check apiBase: is it the provider's API, up to and with /v1?`);
  if (status >= 400) throw BudgetExceededError.from(parsed) ?? providerErrorOf(status, headers, parsed);
  if (typeof parsed !== "object" || parsed === null) throw new TollgateError("upstream_failed", "The provider's answer is no JSON object. Check apiBase: is it the provider's API, up to and with /v1?");
  return parsed as Answer;
}

/** A provider's answer of 4xx or 5xx as an error. */
export function providerErrorOf(status: number, headers: UpstreamHeaders, body: unknown): ProviderError {
  const said = (body as { error?: { message?: unknown } } | undefined)?.error?.message ?? (body as { message?: unknown } | undefined)?.message ?? body;
  return new ProviderError(status, headers as Record<string, string>, body, `The provider answered ${status}: ${(typeof said === "string" ? said : JSON.stringify(said)).slice(0, 1_000)}`);
}

function refuseErrorEvent(event: unknown): void {
  if (typeof event !== "object" || event === null) throw new TollgateError("upstream_failed", "The provider's stream has an event that is no JSON object.");
  const { error: said, type } = event as { error?: { message?: unknown } | null; type?: unknown };
  const error = said ?? (type === "error" ? (event as { message?: unknown }) : undefined);
  if (error !== undefined) throw new ProviderError(200, {}, event, `The provider ended its stream with an error: ${String(error.message ?? JSON.stringify(error)).slice(0, 1_000)}`);
}

function userFieldOf(deployment: Deployment): string {
  return deployment.provider === "openai" || deployment.provider === "azure" ? "safety_identifier" : "user";
}

function withHeaders(deployment: Deployment, headers: Readonly<Record<string, string>> | undefined): Deployment {
  return headers === undefined ? deployment : { ...deployment, headers: [...deployment.headers, ...Object.entries(headers).flat()] };
}

function bytesOf(content: Record<string, unknown>): Uint8Array {
  try {
    return encoder.encode(JSON.stringify(content));
  } catch (cause) {
    throw new TollgateError("invalid_request", `The parameters cannot be written as JSON: ${(cause as Error).message}.`, { cause });
  }
}

/** @throws TollgateError `invalid_request` */
export function checkTags(tags: unknown): void {
  if (tags === undefined) return;
  if (!Array.isArray(tags) || tags.length > TAGS_MAX || tags.some((tag) => typeof tag !== "string" || tag === "" || !tag.isWellFormed() || encoder.encode(tag).length > TAG_BYTES_MAX)) {
    throw new TollgateError("invalid_request", `tags must be a list of at most ${TAGS_MAX} texts, each of 1 to ${TAG_BYTES_MAX} bytes.`, { param: "tags" });
  }
}

/** @throws TollgateError `invalid_request` */
export function metadataText(metadata: Payer["metadata"]): string | null {
  if (metadata === undefined) return null;
  let text: string | undefined;
  try {
    text = JSON.stringify(metadata);
  } catch {
    text = undefined;
  }
  if (typeof metadata !== "object" || text === undefined || encoder.encode(text).length > METADATA_BYTES_MAX) {
    throw new TollgateError("invalid_request", `metadata must be an object that JSON can carry, of at most ${METADATA_BYTES_MAX} bytes.`, { param: "metadata" });
  }
  return text;
}

function positive(value: number, param: string): number {
  if (typeof value !== "number" || Number.isNaN(value) || value < 0) throw new TollgateError("invalid_request", `${param} must be a number from 0 up.`, { param });
  return Math.min(value, 2_147_483_647);
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
