import { isTrackedFetch, trackFetch } from "../../surfaces/sdk/track/track-fetch.ts";
import { defaultTollgate } from "../sdk.ts";
import { hostKind } from "./tracked-route.ts";

type Fetch = typeof globalThis.fetch;

/** The `fetch` of a client that the default instance tracks; one that is tracked already stays as it is. */
export function trackedFetch(given: unknown): Fetch {
  if (isTrackedFetch(given)) return given as Fetch;
  // Asked at each request, so that a test or a tracer may replace the global `fetch` at any time.
  const fetch: Fetch = typeof given === "function" ? (given as Fetch) : (input, init) => globalThis.fetch(input, init);
  return trackFetch(fetch, { call: (run) => defaultTollgate().call(run), hostKind }, {}, true);
}
