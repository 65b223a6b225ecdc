import { TollgateError } from "../../../base/errors.ts";
import { saidInHeaders } from "../../../domain/upstream/said-cost.ts";
import type { Settled } from "../../../engine/call.ts";
import type { Admission } from "../../../engine/engine.ts";
import { closeUnread, openUnread, type UnreadOutcome } from "../../../engine/unread.ts";
import type { UnreadResponse } from "../call-record.ts";
import { CallLog } from "../call-log.ts";
import type { TrackOptions } from "../context.ts";
import { costOfAttempts } from "../cost.ts";
import { errorOfRefusal } from "../errors.ts";
import { checkTags, metadataText, providerErrorOf } from "../perform.ts";
import type { SdkPlane } from "../plane.ts";
import { asMetered } from "./metering.ts";
import type { Fetch, FetchInit, FetchInput, Outgoing } from "./outgoing.ts";
import { errorResponse, refusalResponse } from "./tracked-answer.ts";
import { chargesOf, payerOf, type Tracked } from "./tracked-call.ts";

const MODEL_READ_MAX = 1024 * 1024;

interface Given {
  readonly route: string;
  readonly fetch: Fetch;
  readonly input: FetchInput;
  readonly init: FetchInit | undefined;
  readonly sent: Outgoing;
  readonly wrapper: TrackOptions;
}

/**
 * It costs money, and nothing here bounds or prices it: refused under a hard budget (GATE 2.2, 2.3). Else it is sent as it is, and its attempt
 * stands in the books, marked as unpriced.
 * @throws what the wrapped `fetch` throws
 */
export async function unreadCall(plane: SdkPlane, given: Given): Promise<Tracked> {
  const { route, sent, wrapper } = given;
  const at = plane.clock.now();
  const id = plane.ids.next(at);
  const log = new CallLog(plane.callbacks, id, "unread");
  const model = modelOf(given) ?? route;
  const refused = (error: TollgateError, response: Response): Tracked => {
    log.failed([], error);
    return { response, cost: undefined };
  };
  let admission: Admission;
  try {
    const payer = payerOf(plane, wrapper, sent.payer);
    checkTags(payer.tags);
    const metadata = metadataText(payer.metadata);
    log.set({ model, messages: undefined, payer, stream: false }, false);
    const charges = chargesOf(plane, payer, model, id);
    if (charges.some((set) => set.limits.some((limit) => limit.hard && limit.measure === "nanoUsd"))) {
      throw new TollgateError("cost_not_boundable", `A hard budget applies, and the cost of ${route} cannot be bounded. Send it through a fetch or client that is not tracked, or without a budget.`);
    }
    const deployment = plane.trackedRoute({ url: sent.url, model, route });
    admission = await new Promise((resolve) => openUnread(plane.engine, {
      requestId: id, at, route, model, deployment, charges, keyId: null, teamId: null, userId: null, customer: payer.user ?? null, tags: payer.tags ?? [], metadata,
    }, resolve));
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    return refused(error, errorResponse(error, sent.url.href, id));
  }
  if (admission.kind === "failed") return refused(admission.error, errorResponse(admission.error, sent.url.href, id, ["x-should-retry", "true"]));
  if (admission.kind === "refused") return refused(errorOfRefusal(admission.refusal), refusalResponse(admission.refusal, sent.url.href, id));
  return send(plane, given, id, log, admission);
}

async function send(plane: SdkPlane, { route, fetch, input, init, sent }: Given, id: string, log: CallLog, { attempt, deployment }: Extract<Admission, { kind: "open" }>): Promise<Tracked> {
  const startedMs = plane.clock.monotonic();
  const close = (outcome: Omit<UnreadOutcome, "startedMs">): Promise<Settled> => new Promise((resolve) => closeUnread(plane.engine, attempt, deployment, { ...outcome, startedMs }, resolve));
  log.sending(1, []);
  let response: Response;
  try {
    response = await asMetered(() => sent.pass(fetch, input, init));
  } catch (error) {
    const gone = sent.signal?.aborted === true;
    log.failed([await close({ status: gone ? "client_gone" : "cut_short", httpStatus: null, free: false, said: undefined })], error);
    throw error;
  }
  const { status } = response;
  const ok = status < 400;
  const settled = await close({ status: ok ? "ok" : "upstream_error", httpStatus: status, free: !ok, said: saidInHeaders(Object.fromEntries(response.headers)) });
  const cost = costOfAttempts(id, [settled], false);
  if (ok) log.succeeded([settled], { status, route, cost } satisfies UnreadResponse);
  else log.failed([settled], providerErrorOf(status, Object.fromEntries(response.headers), response.statusText));
  return { response, cost: Promise.resolve(cost) };
}

/** The model that a body names, where looking costs nothing. */
function modelOf({ init }: Given): string | undefined {
  const body: unknown = init?.body;
  let model: unknown;
  if (body instanceof FormData) model = body.get("model");
  else if (typeof body === "string" && body.length <= MODEL_READ_MAX) {
    try {
      model = (JSON.parse(body) as { model?: unknown } | null)?.model;
    } catch {
      // Then it has none.
    }
  }
  return typeof model === "string" && model !== "" && model.length <= 256 ? model : undefined;
}
