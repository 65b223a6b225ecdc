import { capFieldOf, PROVIDERS, providerEntry, splitModel, type ProviderEntry } from "../../adapters/providers/registry.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import type { Host } from "../../surfaces/sdk/track/billable.ts";
import type { TrackedQuery } from "../../surfaces/sdk/plane.ts";

const NO_CHARGES: ChargeSet = { scopes: [], limits: [] };
const BY_HOST: ReadonlyMap<string, ProviderEntry> = new Map(PROVIDERS.flatMap((entry): [string, ProviderEntry][] => (entry.baseUrl === undefined ? [] : [[new URL(entry.baseUrl).host, entry]])));

/**
 * Whose price holds for a request of a program's own client: the provider at that host; on any other host the one that the
 * model names; else OpenAI's, whose language it speaks. The request goes where the program sends it.
 */
export function trackedRouteOf({ url, model, route }: TrackedQuery, prices: PriceBook, now: number): Deployment {
  const host = entryOfHost(url.host);
  const named = host === undefined ? splitModel(model) : undefined;
  const entry = host ?? named?.provider ?? (providerEntry("openai") as ProviderEntry);
  const listed = named?.model ?? model;
  return {
    id: `${entry.name}/${listed}`, modelName: model, provider: entry.name, model, origin: url.origin,
    paths: { chat_completions: "", embeddings: "", responses: "", [route]: `${url.pathname}${url.search}` }, headers: [],
    capField: capFieldOf(entry, url.href), supportsStreamOptions: host === undefined || entry.supportsStreamOptions, boundableParams: [],
    customPrice: listed === model ? undefined : prices.find(entry.name, listed, now),
    maximumOutput: listed === model ? undefined : prices.info(entry.name, listed)?.maximumOutput,
    charges: NO_CHARGES, simulated: false,
  };
}

/** Whose API stands at a host, as far as its name tells. */
export function hostKind(host: string): Host {
  const entry = entryOfHost(host);
  return entry === undefined ? "any" : entry.name === "openai" ? "openai" : "provider";
}

function entryOfHost(host: string): ProviderEntry | undefined {
  if (/\.(?:openai\.azure|cognitiveservices\.azure|services\.ai\.azure)\.com$/.test(host)) return providerEntry("azure");
  // Regional hosts, such as eu.api.openai.com.
  return BY_HOST.get(host) ?? (host.endsWith(".api.openai.com") ? providerEntry("openai") : undefined);
}
