import { TollgateError } from "../../../base/errors.ts";
import type { TrackOptions } from "../context.ts";
import { trackFetch, type TrackingInstance } from "./track-fetch.ts";
import type { Fetch } from "./outgoing.ts";

/** What OpenAI's clients have in common, of every major and of Azure. */
interface ClientWithOptions {
  withOptions(options: { fetch: Fetch } & Readonly<Record<string, unknown>>): unknown;
}

/**
 * Wraps a `fetch`, or a client of the `openai` package (Azure's too), so that what it sends is metered, priced and capped.
 * @throws TollgateError `invalid_request` for anything else
 */
export function trackAnything<T>(target: T, instance: TrackingInstance, options: TrackOptions): T {
  if (typeof target === "function" && !isClass(target)) return trackFetch(target as unknown as Fetch, instance, options) as unknown as T;
  if (isClient(target)) return target.withOptions({ ...carriedOver(target), fetch: trackFetch(fetchOf(target), instance, options, true) }) as T;
  throw new TollgateError("invalid_request", "track takes a fetch or a client of the openai package.");
}

function isClient(target: unknown): target is ClientWithOptions {
  return typeof target === "object" && target !== null && typeof (target as Partial<ClientWithOptions>).withOptions === "function";
}

function isClass(target: unknown): boolean {
  return typeof target === "function" && /^class\b/.test(Function.prototype.toString.call(target));
}

/** What the `withOptions` of `openai` 6 forgets: Azure's version and deployment, and a key that is asked for at each request. */
function carriedOver(client: object): Readonly<Record<string, unknown>> {
  const { _options: options, apiVersion, deploymentName: deployment } = client as { _options?: { apiKey?: unknown }; apiVersion?: unknown; deploymentName?: unknown };
  return { ...(typeof options?.apiKey === "function" ? { apiKey: options.apiKey } : {}), ...(typeof apiVersion === "string" ? { apiVersion, deployment } : {}) };
}

/** The `fetch` that the client was made with; the program's own if it was made with none. */
function fetchOf(client: object): Fetch {
  const { _options: options, fetch } = client as { _options?: { fetch?: unknown }; fetch?: unknown };
  for (const one of [options?.fetch, fetch]) if (typeof one === "function") return one as Fetch;
  return (input, init) => globalThis.fetch(input, init);
}
