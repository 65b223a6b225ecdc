import type { Usd } from "./amounts.ts";
import type { CacheChoice } from "./cache/cache-options.ts";
import type { Payer } from "./context.ts";

/** What every call of Tollgate takes beside the provider's own parameters; none of it is sent. */
export interface CallOptions extends Payer {
  /** Instead of the provider's environment variable, such as `OPENAI_API_KEY`. */
  apiKey?: string | undefined;
  /** Base URL instead of `OPENAI_BASE_URL` and the like, up to and with `/v1`. */
  apiBase?: string | undefined;
  /** Gives the call up; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** The whole call in milliseconds: waiting for held money, all tries, a stream's end. 600,000 if absent. */
  timeoutMs?: number | undefined;
  /** Further tries after the first, for no connection, 408, 409, 429 and 5xx; 2 if absent. */
  maxRetries?: number | undefined;
  /** Dollars that this call may cost at most, all tries together. */
  maxBudget?: Usd | undefined;
  /** Also tells the provider the `user`, as `safety_identifier` (OpenAI, Azure), else as `user`. */
  forwardUser?: boolean | undefined;
  /** What this call asks of the instance's cache; `false`: nothing. @example { ttlSeconds: 600, namespace: "tenant-7" } */
  cache?: CacheChoice | undefined;
  /** Members of the provider's own that the types do not know; sent as they are. */
  extraBody?: Readonly<Record<string, unknown>> | undefined;
  /** Further headers to the provider. */
  extraHeaders?: Readonly<Record<string, string>> | undefined;
}

/** Names of `CallOptions` and of what else stays here. */
const OURS: ReadonlySet<string> = new Set<keyof CallOptions | "mockResponse">([
  "user", "tags", "metadata", "session", "apiKey", "apiBase", "signal", "timeoutMs", "maxRetries", "maxBudget", "forwardUser", "cache",
  "extraBody", "extraHeaders", "mockResponse",
]);

/** The provider's body: everything that is not ours. */
export function providerBody(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(params)) if (!OURS.has(name) && value !== undefined) body[name] = value;
  return { ...body, ...(params["extraBody"] as object | undefined) };
}
