import { TollgateError } from "../../../base/errors.ts";
import type { CallKind } from "../call-kind.ts";
import type { CallType } from "../call-record.ts";
import { CHAT } from "../chat-kind.ts";
import type { TrackOptions } from "../context.ts";
import type { Cost } from "../cost.ts";
import { EMBEDDING } from "../embedding-kind.ts";
import type { SdkPlane } from "../plane.ts";
import { RESPONSES } from "../responses-kind.ts";
import { billable, type Billable } from "./billable.ts";
import { isMetered } from "./metering.ts";
import { bytesOf, methodOf, outgoing, urlOf, type Fetch, type Outgoing } from "./outgoing.ts";
import { errorResponse } from "./tracked-answer.ts";
import { chargesOf, payerOf, trackedCall, type Tracked } from "./tracked-call.ts";

const KINDS: Readonly<Record<CallType, CallKind<object, unknown>>> = {
  completion: CHAT as CallKind<object, unknown>, embedding: EMBEDDING as CallKind<object, unknown>, responses: RESPONSES as CallKind<object, unknown>,
};
const TRACKED = Symbol.for("tollgate.tracked@1");

/** What responses of tracked calls cost; kept as long as the program keeps the response. */
const costs = new WeakMap<Response, Promise<Cost>>();

export function trackedCost(response: Response): Promise<Cost> | undefined {
  return costs.get(response);
}

/**
 * A `fetch` that meters, prices and caps what it sends, and lets everything else pass untouched.
 * @param plane asked by the first billable request
 */
export function trackFetch(fetch: Fetch, plane: () => SdkPlane | Promise<SdkPlane>, wrapper: TrackOptions): Fetch {
  const tracked: Fetch = async (input, init) => {
    const url = urlOf(input);
    const what = url === undefined || isMetered() ? undefined : billable(methodOf(input, init), url.pathname);
    if (url === undefined || what === undefined) return fetch(input, init);
    init?.signal?.throwIfAborted();
    const opened = await plane();
    let sent: Outgoing;
    try {
      sent = outgoing(input, init, url);
    } catch (error) {
      if (error instanceof TollgateError) return errorResponse(error, url.href, opened.ids.next(opened.clock.now()));
      throw error;
    }
    if (what.kind === "unread" || sent.headers.has("content-encoding")) return unread(opened, what, fetch, input, init, sent, wrapper);
    const { response, cost }: Tracked = await trackedCall(opened, KINDS[what.type], fetch, sent, await bytesOf(input, init), wrapper);
    if (cost !== undefined) costs.set(response, cost);
    return response;
  };
  return Object.assign(tracked, { [TRACKED]: true });
}

/** It costs money, and nothing here bounds or prices it: refused under a hard budget (GATE 2.2), else it passes. */
async function unread(plane: SdkPlane, what: Billable, fetch: Fetch, input: Parameters<Fetch>[0], init: Parameters<Fetch>[1], sent: Outgoing, wrapper: TrackOptions): Promise<Response> {
  const id = plane.ids.next(plane.clock.now());
  const charges = chargesOf(plane, payerOf(plane, wrapper, sent.payer), "", id);
  if (!charges.some((set) => set.limits.some((limit) => limit.hard && limit.measure === "nanoUsd"))) return fetch(input, init);
  const name = what.kind === "unread" ? what.route : "a compressed body";
  return errorResponse(new TollgateError("cost_not_boundable", `A hard budget applies, and the cost of ${name} cannot be bounded. Send it through a fetch that is not tracked, or without a budget.`), sent.url.href, id);
}

export function isTrackedFetch(fetch: unknown): boolean {
  return typeof fetch === "function" && (fetch as unknown as Record<symbol, unknown>)[TRACKED] === true;
}
