import { isTrackedFetch } from "../../surfaces/sdk/track/track-fetch.ts";
import { track } from "../sdk.ts";

type Fetch = typeof globalThis.fetch;

/** The `fetch` of a client that the default instance tracks; one that is tracked already stays as it is. */
export function trackedFetch(given: unknown): Fetch {
  if (isTrackedFetch(given)) return given as Fetch;
  // Asked at each request, so that a test or a tracer may replace the global `fetch` at any time.
  return track<Fetch>(typeof given === "function" ? (given as Fetch) : (input, init) => globalThis.fetch(input, init));
}
