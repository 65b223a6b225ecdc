import { authHeaders, capFieldOf, routesOf, providerEntry, PROVIDER_PREFIXES, splitModel, type ProviderEntry } from "../../adapters/providers/registry.ts";
import { TollgateError } from "../../base/errors.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import type { RouteQuery } from "../../surfaces/sdk/plane.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const NO_CHARGES: ChargeSet = { scopes: [], limits: [] };
const KEY = /^[\x21-\x7e]+$/;

/**
 * Where a model of a program is called: its provider's address and key from the call, else from the environment.
 * @throws TollgateError `unknown_model`, `missing_key`, `config_invalid`
 */
export function routeOf(query: RouteQuery, env: Environment): Deployment {
  const { provider: entry, model } = targetOf(query);
  const base = baseOf(entry, query, env);
  const key = query.apiKey ?? variable(entry.keyNames, env);
  if (!query.mocked && key === undefined && !entry.keyOptional && query.apiBase === undefined) {
    throw new TollgateError("missing_key", `No API key for ${entry.name}: set ${entry.keyNames.join(" or ")}, or pass apiKey.`, { param: "apiKey" });
  }
  if (key !== undefined && !KEY.test(key)) throw new TollgateError("invalid_request", `The API key for ${entry.name} has characters that no header can carry (a line break at its end?).`, { param: "apiKey" });
  const route = routesOf(entry, base, model, variable(entry.versionNames, env));
  return {
    id: `${entry.name}/${model}`,
    modelName: query.model,
    provider: entry.name,
    model,
    origin: route.origin,
    paths: route.paths,
    headers: authHeaders(entry, key),
    capField: capFieldOf(entry, base),
    supportsStreamOptions: entry.supportsStreamOptions,
    boundableParams: [],
    customPrice: undefined,
    maximumOutput: undefined,
    charges: NO_CHARGES,
    simulated: false,
  };
}

function targetOf(query: RouteQuery): { readonly provider: ProviderEntry; readonly model: string } {
  const target = splitModel(query.model);
  if (target !== undefined) return target;
  // An address of the program's own speaks OpenAI's language, whatever it calls its models.
  const openai = providerEntry("openai");
  if (query.apiBase !== undefined && openai !== undefined && query.model !== "") return { provider: openai, model: query.model };
  throw new TollgateError("unknown_model", `The model ${JSON.stringify(query.model.slice(0, 128))} names no known provider. Write provider/model, such as "openai/gpt-4o-mini"; providers: ${PROVIDER_PREFIXES.join(", ")}.`, { param: "model" });
}

function baseOf(entry: ProviderEntry, query: RouteQuery, env: Environment): string {
  const base = query.apiBase ?? variable(entry.baseNames, env) ?? entry.baseUrl ?? (query.mocked ? "http://localhost" : undefined);
  if (base === undefined) throw new TollgateError("config_invalid", `${entry.name} has no address of its own: set ${entry.baseNames.join(" or ")}, or pass apiBase.`, { param: "apiBase" });
  if (!URL.canParse(base) || !/^https?:/i.test(base)) throw new TollgateError("config_invalid", `${JSON.stringify(base.slice(0, 200))} is no http or https URL; apiBase is the provider's base URL, up to and with /v1.`, { param: "apiBase" });
  return base;
}

function variable(names: readonly string[], env: Environment): string | undefined {
  for (const name of names) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== "") return value;
  }
  return undefined;
}
