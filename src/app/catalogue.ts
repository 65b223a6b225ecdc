import { readCustomPrice } from "../adapters/prices/custom-price.ts";
import { authHeaders, capFieldOf, providerEntry, PROVIDERS, routesOf, splitModel, type ProviderEntry, type ProviderRoutes } from "../adapters/providers/registry.ts";
import { TollgateError } from "../base/errors.ts";
import { limitsOf } from "../domain/limits/compile-limits.ts";
import type { ChargeSet, Limit } from "../domain/limits/limit.ts";
import type { Price, PriceBook } from "../domain/pricing/price.ts";
import { GLOBAL_SCOPE, type Scope } from "../domain/scopes/scope.ts";
import type { Catalogue, Deployment } from "../domain/upstream/deployment.ts";
import type { Config, ModelConfig, ProviderConfig } from "./config/config.ts";
import type { Environment } from "./config/load-config.ts";

export interface CatalogueOptions {
  readonly config: Config;
  readonly book: PriceBook;
  readonly env: Environment;
  /** Base URL of the simulated provider, such as `http://127.0.0.1:4100/v1`. */
  readonly simulatedUrl?: string | undefined;
  /** Now, epoch milliseconds: which price a simulated model copies. */
  readonly at?: number;
}

const SIMULATED = [["openai", "gpt-4o-mini"], ["openai", "gpt-4o"], ["openai", "gpt-4.1-mini"], ["anthropic", "claude-sonnet-4-5"], ["gemini", "gemini-2.5-flash"], ["openai", "text-embedding-3-small"]] as const;
/** Beside the authorization, all that a provider is told about a request; nothing of the client's (GATE 9.3). */
const WIRE_HEADERS = ["content-type", "application/json", "accept-encoding", "identity"] as const;
const NO_DEPLOYMENTS: readonly Deployment[] = [];
const NO_ROUTES: ProviderRoutes = { origin: "", paths: { chat_completions: "", embeddings: "", responses: "" } };
/** Names come from clients: so many answers are remembered, then all are forgotten. */
const REMEMBERED_MAX = 1_024;
const NAME_LENGTH_MAX = 256;

/**
 * Which deployments serve a name: entries of `model_list` in their order, then `provider/*` entries, then
 * `provider/model` itself. The last needs a key of that provider: in `tollgate.providers`, or, as long as there is no
 * `model_list`, in the environment. A `model_list` is the operator's choice of models and limits; a key that happens to
 * be in the environment opens no way around it.
 *
 * @throws TollgateError `config_invalid` for deployments whose provider has no base URL
 * @example createCatalogue({ config, book, env: process.env }).deployments("gpt-4o-mini")[0]?.origin
 */
export function createCatalogue(options: CatalogueOptions): Catalogue & { limits(): readonly Limit[] } {
  return new ConfiguredCatalogue(options);
}

/** The limits of the whole gateway. */
export function globalCharges(config: Config): ChargeSet {
  return { scopes: [GLOBAL_SCOPE], limits: limitsOf({ scope: GLOBAL_SCOPE, ...config.globalBudget, ...policyOf(config) }) };
}

function policyOf(config: Config): Pick<Config, "tokenRateLimitType" | "timeZone" | "weekStart"> {
  return { tokenRateLimitType: config.tokenRateLimitType, timeZone: config.timeZone, weekStart: config.weekStart };
}

class ConfiguredCatalogue implements Catalogue {
  private readonly options: CatalogueOptions;
  private readonly at: number;
  /** The simulated provider, if it serves everything. */
  private readonly simulatedUrl: string | undefined;
  private readonly named = new Map<string, Deployment[]>();
  private readonly wild: ModelConfig[] = [];
  private found = new Map<string, readonly Deployment[]>();

  constructor(options: CatalogueOptions) {
    this.options = options;
    this.at = options.at ?? Date.now();
    if (options.config.simulated === "always" && options.simulatedUrl === undefined) {
      throw new TollgateError("config_invalid", "tollgate.simulated is always, and no simulated provider runs; real providers are not called in its place.", { param: "tollgate.simulated" });
    }
    this.simulatedUrl = this.simulates() ? options.simulatedUrl : undefined;
    const { models } = options.config;
    for (const model of models) {
      if (isWild(model)) this.wild.push(model);
      else this.add(this.configured(model, model.model));
    }
    if (models.length === 0 && this.simulatedUrl !== undefined) this.addSimulatedModels();
    this.checkBases();
  }

  deployments(modelName: string): readonly Deployment[] {
    const known = this.named.get(modelName) ?? this.found.get(modelName);
    if (known !== undefined) return known;
    if (modelName === "" || modelName.length > NAME_LENGTH_MAX) return NO_DEPLOYMENTS;
    const deployments = this.search(modelName);
    if (this.found.size >= REMEMBERED_MAX) this.found = new Map();
    this.found.set(modelName, deployments);
    return deployments;
  }

  modelNames(): readonly string[] {
    return [...this.named.keys()];
  }

  /** Of every deployment in the configuration, wildcards included; what is called directly has none of its own. */
  limits(): readonly Limit[] {
    const wild = this.wild.map((model) => this.configured(model, "*"));
    return [...[...this.named.values()].flat(), ...wild].flatMap((deployment) => deployment.charges.limits);
  }

  private add(deployment: Deployment): void {
    const deployments = this.named.get(deployment.modelName);
    if (deployments === undefined) this.named.set(deployment.modelName, [deployment]);
    else deployments.push(deployment);
  }

  private simulates(): boolean {
    const { config } = this.options;
    if (config.simulated !== "auto") return config.simulated === "always";
    return config.models.length === 0 && Object.keys(config.providers).length === 0 && !PROVIDERS.some((entry) => this.fromEnvironment(entry));
  }

  /** The environment gives what a direct call to this provider needs. */
  private fromEnvironment(entry: ProviderEntry): boolean {
    return this.variable(entry.keyOptional ? entry.baseNames : entry.keyNames) !== undefined;
  }

  private variable(names: readonly string[]): string | undefined {
    const { config, env } = this.options;
    for (const name of names) {
      const value = (Object.hasOwn(config.environment, name) ? config.environment[name] : env[name])?.trim();
      if (value !== undefined && value !== "") return value;
    }
    return undefined;
  }

  private search(modelName: string): readonly Deployment[] {
    const matches = this.wild.filter((model) => modelName.length > model.modelName.length - 1 && modelName.startsWith(model.modelName.slice(0, -1)));
    if (matches.length > 0) return matches.map((model) => this.configured({ ...model, modelName }, modelName.slice(model.modelName.length - 1)));
    const direct = this.simulatedUrl === undefined ? this.direct(modelName) : undefined;
    return direct === undefined ? NO_DEPLOYMENTS : [direct];
  }

  private direct(modelName: string): Deployment | undefined {
    const target = modelName.includes("/") ? splitModel(modelName) : undefined;
    if (target === undefined) return undefined;
    const { config, book } = this.options;
    const { provider: entry, model } = target;
    const open = providerConfig(config, entry.name) !== undefined || (config.models.length === 0 && this.fromEnvironment(entry));
    const base = this.baseOf(entry, undefined);
    if (!open || base === undefined) return undefined;
    if (!entry.keyOptional && this.keyOf(entry, undefined) === undefined) return undefined;
    // A client chooses this name: only those with a price get a counter of their own.
    const id = book.find(entry.name, model, this.at) === undefined ? `${entry.name}/*` : `${entry.name}/${model}`;
    return this.configured({ id, modelName, provider: entry.name, model, priceFields: {}, boundableParams: [] }, model);
  }

  private configured(model: ModelConfig, upstreamModel: string): Deployment {
    const { config, book } = this.options;
    const entry = providerEntry(model.provider) as ProviderEntry;
    const base = this.simulatedUrl ?? this.baseOf(entry, model.apiBase);
    const routes = base === undefined ? NO_ROUTES : this.routesOf(entry, base, model, upstreamModel);
    const listed = model.baseModel ?? upstreamModel;
    const scope: Scope = { kind: "deployment", id: model.id, label: model.modelName };
    return {
      id: model.id,
      modelName: model.modelName,
      provider: this.simulatedUrl === undefined ? entry.name : "simulated",
      model: upstreamModel,
      origin: routes.origin,
      paths: routes.paths,
      headers: [...(this.simulatedUrl === undefined ? authHeaders(entry, this.keyOf(entry, model.apiKey)) : []), ...WIRE_HEADERS],
      capField: model.outputCapField ?? (base === undefined ? entry.capField : capFieldOf(entry, base)),
      supportsStreamOptions: model.supportsStreamOptions ?? (this.simulatedUrl !== undefined || entry.supportsStreamOptions),
      boundableParams: model.boundableParams,
      customPrice: this.priceOf(model, upstreamModel),
      maximumOutput: model.maxOutputTokens ?? book.info(entry.name, listed)?.maximumOutput,
      charges: { scopes: [scope], limits: limitsOf({ ...model, model: undefined, scope, ...policyOf(config) }) },
      simulated: this.simulatedUrl !== undefined,
    };
  }

  private routesOf(entry: ProviderEntry, base: string, model: ModelConfig, upstreamModel: string): ProviderRoutes {
    const { config } = this.options;
    if (this.simulatedUrl !== undefined) return routesOf(providerEntry("vllm") as ProviderEntry, base, upstreamModel);
    return routesOf(entry, base, upstreamModel, model.apiVersion ?? providerConfig(config, entry.name)?.apiVersion ?? this.variable(entry.versionNames));
  }

  /** The configured price; else a copy of the list's where the book would not find it under the deployment's names. */
  private priceOf(model: ModelConfig, upstreamModel: string): Price | undefined {
    const { book } = this.options;
    const custom = readCustomPrice(model.priceFields, { id: model.id, provider: model.provider, model: upstreamModel });
    const listed = custom ?? (model.baseModel === undefined && this.simulatedUrl === undefined ? undefined : book.find(model.provider, model.baseModel ?? upstreamModel, this.at));
    if (listed === undefined || this.simulatedUrl === undefined) return listed;
    return { ...listed, version: `simulated/${listed.version}`, provider: "simulated" };
  }

  private baseOf(entry: ProviderEntry, configured: string | undefined): string | undefined {
    const base = configured ?? providerConfig(this.options.config, entry.name)?.apiBase ?? this.variable(entry.baseNames) ?? entry.baseUrl;
    return base !== undefined && URL.canParse(base) && /^https?:/i.test(base) ? base : undefined;
  }

  private keyOf(entry: ProviderEntry, configured: string | undefined): string | undefined {
    const key = configured ?? providerConfig(this.options.config, entry.name)?.apiKey ?? this.variable(entry.keyNames);
    return key !== undefined && /^[\x21-\x7e]+$/.test(key) ? key : undefined;
  }

  private addSimulatedModels(): void {
    for (const [provider, model] of SIMULATED) {
      if (this.options.book.find(provider, model, this.at) === undefined) continue;
      this.add(this.configured({ id: `simulated/${model}`, modelName: model, provider, model, priceFields: {}, boundableParams: [] }, model));
    }
  }

  private checkBases(): void {
    const deployments = [...[...this.named.values()].flat(), ...this.wild.map((model) => this.configured(model, "any"))];
    const missing = deployments.filter((deployment) => deployment.origin === "");
    if (missing.length === 0) return;
    const problems = missing.map(({ modelName, provider }) => {
      const names = providerEntry(provider)?.baseNames ?? [];
      return `model_list ${JSON.stringify(modelName)}: ${provider} needs an http or https api_base${names.length === 0 ? "" : ` (or ${names.join(", ")} in the environment)`}.`;
    });
    throw new TollgateError("config_invalid", `The configuration has deployments without an address:\n${problems.map((problem) => `- ${problem}`).join("\n")}`, { details: { problems } });
  }
}

function isWild(model: ModelConfig): boolean {
  return model.model === "*" && model.modelName.endsWith("*");
}

/** Own members only: a provider's name never reaches a prototype. */
function providerConfig(config: Config, name: string): ProviderConfig | undefined {
  return Object.hasOwn(config.providers, name) ? config.providers[name] : undefined;
}
