import { createHash } from "node:crypto";
import { readCustomPrice } from "../adapters/prices/custom-price.ts";
import { authHeaders, capFieldOf, chatRoute, splitModel, type ProviderEntry } from "../adapters/providers/registry.ts";
import { limitsOf } from "../domain/limits/compile-limits.ts";
import type { ChargeSet, Limit } from "../domain/limits/limit.ts";
import type { Price, PriceBook } from "../domain/pricing/price.ts";
import { GLOBAL_SCOPE, type Scope } from "../domain/scopes/scope.ts";
import type { Catalogue, Deployment } from "../domain/upstream/deployment.ts";
import type { Config, ModelEntry, ProviderAccess } from "./config/config.ts";

export interface CatalogueOptions {
  readonly config: Config;
  readonly book: PriceBook;
  /** Base URL of our own simulated provider, such as `http://127.0.0.1:4001/v1`. */
  readonly simulatedUrl?: string | undefined;
  /** Dates the prices that are copied: those of simulated models and of `base_model`. */
  readonly now?: number;
}

/** Names that are simulated where nothing else is configured. */
export const SIMULATED_NAMES: readonly string[] = ["gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "gpt-4.1", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-2.5-flash"];

/** Names come from clients: answers are remembered for at most this many, then all are forgotten. */
const REMEMBERED_MAX = 10_000;
const NAME_LENGTH_MAX = 256;
const SIMULATED = "simulated/";
const NOTHING: readonly Deployment[] = [];

/** Which deployments serve which name. Hosts and keys come from the configuration alone, never from a request (GATE 10.2). */
export function createCatalogue(options: CatalogueOptions): Catalogue {
  return new ConfiguredCatalogue(options);
}

interface Placed {
  readonly entry: ModelEntry;
  readonly id: string;
}

class ConfiguredCatalogue implements Catalogue {
  private readonly options: CatalogueOptions;
  private readonly now: number;
  private readonly named = new Map<string, Deployment[]>();
  /** By provider and model: what a direct name means when it is configured, so that it cannot pass a deployment's limits by. */
  private readonly byModel = new Map<string, Deployment[]>();
  private readonly wildcards: Placed[] = [];
  private readonly simulates: boolean;
  private readonly remembered = new Map<string, readonly Deployment[]>();

  constructor(options: CatalogueOptions) {
    this.options = options;
    this.now = options.now ?? Date.now();
    const { config } = options;
    for (const placed of placeEntries(config.models)) {
      if (placed.entry.modelName.endsWith("*")) this.wildcards.push(placed);
      else this.addNamed(placed);
    }
    this.wildcards.sort((a, b) => b.entry.modelName.length - a.entry.modelName.length);
    const reachable = [...config.providers.values()].some(({ apiKey, apiBase }) => apiKey !== undefined || apiBase !== undefined);
    this.simulates = options.simulatedUrl !== undefined && (config.simulated === "always" || (config.simulated === "auto" && config.models.length === 0 && !reachable));
    if (this.simulates) for (const name of SIMULATED_NAMES) this.addSimulated(name);
  }

  deployments(modelName: string): readonly Deployment[] {
    const named = this.named.get(modelName) ?? this.remembered.get(modelName);
    if (named !== undefined) return named;
    if (modelName.length === 0 || modelName.length > NAME_LENGTH_MAX) return NOTHING;
    const found = this.find(modelName);
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
    this.remembered.set(modelName, found);
    return found;
  }

  modelNames(): readonly string[] {
    return [...this.named.keys()];
  }

  private addNamed({ entry, id }: Placed): void {
    const deployment = this.configured(entry, id, entry.modelName, entry.model);
    if (deployment === undefined) return;
    push(this.named, entry.modelName, deployment);
    push(this.byModel, `${deployment.provider}/${deployment.model}`, deployment);
  }

  private addSimulated(name: string): void {
    if (this.named.has(name)) return;
    const deployment = this.simulated(name, name, `simulated/${name}`);
    if (deployment?.customPrice !== undefined) this.named.set(name, [deployment]);
  }

  private find(name: string): readonly Deployment[] {
    const matching = this.wildcards.filter(({ entry }) => name.startsWith(entry.modelName.slice(0, -1)));
    const longest = matching[0]?.entry.modelName;
    const wild = matching.filter(({ entry }) => entry.modelName === longest).flatMap(({ entry, id }) => {
      const rest = name.slice(entry.modelName.length - 1);
      return rest === "" ? [] : (this.configured(entry, id, name, entry.model.replace("*", () => rest)) ?? []);
    });
    if (wild.length > 0) return wild;
    if (name.startsWith(SIMULATED)) return (this.simulates ? list(this.simulated(name, name.slice(SIMULATED.length), name)) : NOTHING);
    return this.options.config.directModels ? this.direct(name) : NOTHING;
  }

  private direct(name: string): readonly Deployment[] {
    const split = splitModel(name);
    if (split === undefined) return NOTHING;
    const { provider, model } = split;
    const configured = this.byModel.get(`${provider.name}/${model}`);
    if (configured !== undefined) return configured;
    const access = this.accessOf(provider, undefined);
    if (access.apiKey === undefined && !(provider.keyOptional && access.apiBase !== undefined)) return NOTHING;
    const id = `${provider.name}/${model}`;
    return list(this.build({ id, name, provider, model, access, entry: undefined, charges: charges(scopeOf(id, name), []) }));
  }

  private configured(entry: ModelEntry, id: string, name: string, target: string): Deployment | undefined {
    const scope = scopeOf(id, entry.modelName);
    const limits = limitsOf({ ...clock(this.options.config), scope, rpm: entry.rpm, tpm: entry.tpm, maxParallelRequests: entry.maxParallelRequests, maxBudgetNanoUsd: entry.maxBudget, budgetDuration: entry.budgetDuration });
    if (target.startsWith(SIMULATED)) {
      const simulated = this.simulated(name, target.slice(SIMULATED.length), id);
      return simulated && { ...simulated, charges: charges(scope, limits), customPrice: this.priceOf(entry, id, "simulated", simulated.model) ?? simulated.customPrice };
    }
    const split = splitModel(target);
    if (split === undefined) return undefined;
    const access = this.accessOf(split.provider, entry.access);
    return this.build({ id, name, provider: split.provider, model: split.model, access, entry, charges: charges(scope, limits) });
  }

  private accessOf(provider: ProviderEntry, said: ProviderAccess | undefined): ProviderAccess {
    const known = this.options.config.providers.get(provider.name);
    return { apiKey: said?.apiKey ?? known?.apiKey, apiBase: said?.apiBase ?? known?.apiBase ?? provider.baseUrl, apiVersion: said?.apiVersion ?? known?.apiVersion };
  }

  private build(parts: { id: string; name: string; provider: ProviderEntry; model: string; access: ProviderAccess; entry: ModelEntry | undefined; charges: ChargeSet }): Deployment | undefined {
    const { id, name, provider, model, access, entry } = parts;
    if (access.apiBase === undefined) return undefined;
    const route = chatRoute(provider, access.apiBase, model, access.apiVersion);
    const organization = entry?.organization === undefined ? [] : ["openai-organization", entry.organization];
    return {
      id, modelName: name, provider: provider.name, model, origin: route.origin, chatPath: route.path,
      headers: [...authHeaders(provider, access.apiKey), ...organization],
      capField: entry?.outputCapField ?? capFieldOf(provider, access.apiBase),
      supportsStreamOptions: entry?.supportsStreamOptions ?? provider.supportsStreamOptions,
      boundableParams: entry?.boundableParams ?? [],
      customPrice: entry && this.priceOf(entry, id, provider.name, model),
      maximumOutput: entry?.maximumOutput ?? this.options.book.info(provider.name, bareName(entry?.baseModel) ?? model)?.maximumOutput,
      charges: parts.charges, simulated: false,
    };
  }

  /** The price in the configuration, else that of the `base_model` it names. */
  private priceOf(entry: ModelEntry, id: string, provider: string, model: string): Price | undefined {
    const custom = readCustomPrice(entry.prices, { id, provider, model });
    const base = bareName(entry.baseModel);
    return custom ?? (base === undefined ? undefined : this.options.book.find(provider, base, this.now));
  }

  /** Priced as the model that it plays. */
  private simulated(name: string, model: string, id: string): Deployment | undefined {
    const { simulatedUrl, book } = this.options;
    const real = splitModel(model);
    if (simulatedUrl === undefined) return undefined;
    const url = new URL(simulatedUrl);
    const price = real && book.find(real.provider.name, real.model, this.now);
    return {
      id, modelName: name, provider: "simulated", model, origin: url.origin, chatPath: `${url.pathname.replace(/\/+$/, "")}/chat/completions`,
      headers: [], capField: "max_tokens", supportsStreamOptions: true, boundableParams: [],
      customPrice: price && { ...price, version: `simulated/${price.version}` },
      maximumOutput: real && book.info(real.provider.name, real.model)?.maximumOutput,
      charges: charges(scopeOf(id, name), []), simulated: true,
    };
  }
}

/** The limits of scope `global`; it is charged always. */
export function globalCharges(config: Config): ChargeSet {
  const common = { ...clock(config), scope: GLOBAL_SCOPE };
  const limits = config.globalBudgets.flatMap(({ maxBudget, budgetDuration }) => limitsOf({ ...common, maxBudgetNanoUsd: maxBudget, budgetDuration }));
  const soft = config.globalSoftBudget;
  if (soft !== undefined) limits.push(...limitsOf({ ...common, softBudgetNanoUsd: soft.maxBudget, budgetDuration: soft.budgetDuration }));
  limits.push(...limitsOf({ ...common, maxParallelRequests: config.globalMaxParallelRequests }));
  return charges(GLOBAL_SCOPE, limits);
}

function clock(config: Config): Pick<Config, "tokenRateLimitType" | "timeZone" | "weekStart"> {
  return { tokenRateLimitType: config.tokenRateLimitType, timeZone: config.timeZone, weekStart: config.weekStart };
}

function charges(scope: Scope, limits: readonly Limit[]): ChargeSet {
  return { scopes: [scope], limits };
}

function scopeOf(id: string, label: string): Scope {
  return { kind: "deployment", id, label };
}

/** Ids that stay when the process starts again and when other entries come or go. */
function placeEntries(entries: readonly ModelEntry[]): Placed[] {
  const equals = new Map<string, number>();
  return entries.map((entry) => {
    const split = splitModel(entry.model);
    const identity = JSON.stringify([entry.modelName, split?.provider.name ?? "", split?.model ?? entry.model, entry.access.apiBase ?? ""]);
    const index = equals.get(identity) ?? 0;
    equals.set(identity, index + 1);
    return { entry, id: entry.id ?? createHash("sha256").update(`${identity}#${index}`).digest("hex").slice(0, 26) };
  });
}

function bareName(model: string | undefined): string | undefined {
  return model === undefined ? undefined : (splitModel(model)?.model ?? model);
}

function list(deployment: Deployment | undefined): readonly Deployment[] {
  return deployment === undefined ? NOTHING : [deployment];
}

function push(map: Map<string, Deployment[]>, name: string, deployment: Deployment): void {
  const known = map.get(name);
  if (known === undefined) map.set(name, [deployment]);
  else known.push(deployment);
}
