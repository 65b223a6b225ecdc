import { TollgateError } from "../../../base/errors.ts";
import { readSeconds, type ResponseCache } from "../../../domain/cache/response-cache.ts";

/** What one call asks of the cache. */
export interface CacheOptions {
  /** How long the answer of this call lasts, in seconds; the cache's own `ttlSeconds` if absent. */
  ttlSeconds?: number | undefined;
  /** An answer older than this is not taken, however long it lasts. */
  maxAgeSeconds?: number | undefined;
  /** `false`: the provider is asked, whatever is kept; its answer replaces it. */
  read?: boolean | undefined;
  /** `false`: the answer is not kept. */
  write?: boolean | undefined;
  /** `false`: does not wait for an identical call that is under way. */
  share?: boolean | undefined;
  /** Answers of one namespace are never given to another: a tenant, a user, a version of your prompts. */
  namespace?: string | undefined;
}

/** `false`: neither asked nor told. `true`: as the instance's cache does by itself. */
export type CacheChoice = boolean | CacheOptions;

/** What a call asks of the cache, read. */
export interface CacheUse {
  readonly store: ResponseCache;
  readonly ttlMs: number;
  readonly maxAgeMs: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly share: boolean;
  readonly namespace: string;
}

const NAMESPACE_LENGTH_MAX = 256;
const NAMES: ReadonlySet<string> = new Set<keyof CacheOptions>(["ttlSeconds", "maxAgeSeconds", "read", "write", "share", "namespace"]);

/**
 * The call's own wishes over those around it.
 * @param around of the instance, then of contexts, the outermost first
 * @returns `undefined`: this call has nothing to do with a cache
 * @throws TollgateError `invalid_request`, `unknown_field`; `config_invalid` where a call asks for a cache that is not there
 */
export function readCacheUse(store: ResponseCache | undefined, own: CacheChoice | undefined, around: readonly (CacheChoice | undefined)[]): CacheUse | undefined {
  const asked = optionsOf(own, "cache");
  if (store === undefined) {
    if (asked === undefined || asked === false) return undefined;
    throw new TollgateError("config_invalid", "This instance has no cache. Give it one: createTollgate({ cache: new MemoryCache() }), or tollgate.cache = new MemoryCache().", { param: "cache" });
  }
  let isOn = true;
  let options: CacheOptions = {};
  for (const choice of [...around.map((one) => optionsOf(one, "cache")), asked]) {
    if (choice === undefined) continue;
    isOn = choice !== false;
    options = { ...options, ...choice };
  }
  if (!isOn) return undefined;
  const { ttlSeconds = store.ttlSeconds ?? Infinity, maxAgeSeconds = Infinity, read = true, write = true, share = true, namespace = "" } = options;
  return { store, ttlMs: readSeconds(ttlSeconds, "cache.ttlSeconds") * 1_000, maxAgeMs: maxAgeSeconds * 1_000, read, write, share: share && read && write, namespace };
}

/** @throws TollgateError `invalid_request`, `unknown_field` */
export function checkCacheChoice(choice: CacheChoice | undefined, param: string): void {
  optionsOf(choice, param);
}

/** Only what is said, so that what is `undefined` does not hide a default. */
function optionsOf(choice: CacheChoice | undefined, param: string): CacheOptions | false | undefined {
  if (choice === undefined || choice === false) return choice;
  if (choice === true) return {};
  if (typeof choice !== "object" || choice === null || Array.isArray(choice)) throw new TollgateError("invalid_request", `${param} must be true, false, or options such as { ttlSeconds: 600 }.`, { param });
  const options: CacheOptions = {};
  for (const [name, value] of Object.entries(choice)) {
    if (!NAMES.has(name)) throw new TollgateError("unknown_field", `${param}.${name.slice(0, 64)} is not known. Known are ${[...NAMES].join(", ")}.`, { param: `${param}.${name.slice(0, 64)}` });
    if (value === undefined) continue;
    check(name as keyof CacheOptions, value, `${param}.${name}`);
    Object.assign(options, { [name]: value });
  }
  return options;
}

function check(name: keyof CacheOptions, value: unknown, param: string): void {
  if (name === "ttlSeconds" || name === "maxAgeSeconds") readSeconds(value, param);
  else if (name === "namespace") {
    if (typeof value !== "string" || value.length > NAMESPACE_LENGTH_MAX) throw new TollgateError("invalid_request", `${param} must be a text of at most ${NAMESPACE_LENGTH_MAX} characters.`, { param });
  } else if (typeof value !== "boolean") throw new TollgateError("invalid_request", `${param} must be true or false.`, { param });
}

/** @throws TollgateError `invalid_request` for what is no cache */
export function checkCache(cache: ResponseCache | undefined | null): ResponseCache | undefined {
  if (cache === undefined || cache === null) return undefined;
  if (typeof cache !== "object" || typeof cache.get !== "function" || typeof cache.set !== "function") throw new TollgateError("invalid_request", "cache must be a MemoryCache, a SqliteCache, or an object with get and set.", { param: "cache" });
  return cache;
}
