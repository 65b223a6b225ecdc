import { TollgateError } from "../../../base/errors.ts";
import type { CallKind } from "../call-kind.ts";
import type { CallType } from "../call-record.ts";
import { CHAT } from "../chat-kind.ts";
import type { TrackOptions } from "../context.ts";
import type { Cost } from "../cost.ts";
import { EMBEDDING } from "../embedding-kind.ts";
import type { SdkPlane } from "../plane.ts";
import { RESPONSES } from "../responses-kind.ts";
import { billable, type Billable, type Host } from "./billable.ts";
import { isMetered } from "./metering.ts";
import { bytesOf, methodOf, outgoing, signalOf, urlOf, type Fetch, type FetchInit, type FetchInput, type Outgoing } from "./outgoing.ts";
import { errorResponse } from "./tracked-answer.ts";
import { trackedCall, type Tracked } from "./tracked-call.ts";
import { unreadCall } from "./unread.ts";

const KINDS: Readonly<Record<CallType, CallKind<object, unknown>>> = {
  completion: CHAT as CallKind<object, unknown>, embedding: EMBEDDING as CallKind<object, unknown>, responses: RESPONSES as CallKind<object, unknown>,
};
const TRACKED = Symbol.for("tollgate.tracked@1");

/** What responses of tracked calls cost; kept as long as the program keeps the response. */
const costs = new WeakMap<Response, Promise<Cost>>();

export function trackedCost(response: Response): Promise<Cost> | undefined {
  return costs.get(response);
}

/** What a tracked `fetch` needs of its instance. */
export interface TrackingInstance {
  /** Work on the books, which are opened by the first billable request and stay open until it is done. */
  call<T>(run: (plane: SdkPlane) => Promise<T>): Promise<T>;
  hostKind(host: string): Host;
}

/**
 * A `fetch` that meters, prices and caps what it sends, and lets everything else pass untouched.
 * @param ofClient it belongs to a provider's client: whatever it sends may cost money
 */
export function trackFetch(fetch: Fetch, instance: TrackingInstance, wrapper: TrackOptions, ofClient = false): Fetch {
  const tracked: Fetch = async (input, init) => {
    const url = urlOf(input);
    const what = url === undefined || isMetered() ? undefined : billable(methodOf(input, init), url.pathname, hostOf(instance, url, ofClient));
    if (url === undefined || what === undefined) return fetch(input, init);
    signalOf(input, init)?.throwIfAborted();
    return instance.call((plane) => send(plane, what, fetch, input, init, url, wrapper));
  };
  return Object.assign(tracked, { [TRACKED]: true });
}

function hostOf(instance: TrackingInstance, url: URL, ofClient: boolean): Host {
  const host = instance.hostKind(url.host);
  return ofClient && host === "any" ? "provider" : host;
}

async function send(plane: SdkPlane, what: Billable, fetch: Fetch, input: FetchInput, init: FetchInit | undefined, url: URL, wrapper: TrackOptions): Promise<Response> {
  let sent: Outgoing;
  try {
    sent = outgoing(input, init, url);
  } catch (error) {
    if (error instanceof TollgateError) return errorResponse(error, url.href, plane.ids.next(plane.clock.now()));
    throw error;
  }
  const isRead = what.kind === "read" && !sent.headers.has("content-encoding");
  const { response, cost }: Tracked = isRead
    ? await trackedCall(plane, KINDS[what.type], fetch, sent, await bytesOf(input, init, sent.signal), wrapper)
    : await unreadCall(plane, { route: what.kind === "unread" ? what.route : `compressed_${KINDS[what.type].route}`, fetch, input, init, sent, wrapper });
  if (cost !== undefined) costs.set(response, cost);
  return response;
}

export function isTrackedFetch(fetch: unknown): boolean {
  return typeof fetch === "function" && (fetch as unknown as Record<symbol, unknown>)[TRACKED] === true;
}
