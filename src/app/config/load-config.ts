import { existsSync, readFileSync } from "node:fs";
import { PROVIDER_PREFIXES, providerEntry, splitModel } from "../../adapters/providers/registry.ts";
import { TollgateError } from "../../base/errors.ts";
import type { WeekDay } from "../../domain/windows/window.ts";
import { DEFAULTS, type BudgetLimit, type Config, type ModelEntry, type ProviderAccess } from "./config.ts";
import { BUDGET_LIMIT, GENERAL, INFO, LITELLM, MODEL, PARAMS, PRICE_FIELDS, PROVIDER, ROOT, ROUTER, TOLLGATE } from "./fields.ts";
import { nearestName } from "./nearest.ts";
import { Reader } from "./read-block.ts";
import { readTree, type Tree, type TreeMap } from "./yaml-tree.ts";

export interface ConfigSource {
  /** Default: `tollgate.yaml` in the working directory, where there is one. */
  readonly file?: string | undefined;
  /** Instead of a file. */
  readonly text?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_FILE = "tollgate.yaml";

/**
 * Reads a configuration in LiteLLM's shape with our own block `tollgate`.
 * @throws TollgateError `config_unreadable`; `config_invalid`, whose message lists every problem with its path
 * @example loadConfig({ text: "litellm_settings: { max_budget: 10 }", env: {} }).globalBudgets // [{ maxBudget: 10_000_000_000n, … }]
 */
export function loadConfig(source: ConfigSource): Config {
  const file = source.text === undefined ? (source.file ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined)) : undefined;
  const text = source.text ?? (file === undefined ? "" : readText(file));
  const problems: string[] = [];
  const tree = readTree(text, (sentence) => problems.push(sentence));
  if (problems.length > 0) throw invalid(problems, file);
  const environment = new Map(Object.entries(source.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  const reader = new Reader(environment);
  const root = reader.map(tree, "the configuration");
  reader.block(root, "", ROOT);
  for (const [name, value] of reader.map(root.get("environment_variables"), "environment_variables")) {
    const set = value === null ? undefined : reader.text(typeof value === "boolean" ? String(value) : value, `environment_variables.${name}`);
    if (set !== undefined) environment.set(name, set);
  }
  const config = readRoot(reader, root, file);
  if (reader.problems.length > 0) throw invalid(reader.problems, file);
  return config;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new TollgateError("config_unreadable", `The configuration ${JSON.stringify(file)} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"}). Name an existing file with --config.`, { cause: error });
  }
}

function invalid(problems: readonly string[], file: string | undefined): TollgateError {
  const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
  return new TollgateError("config_invalid", `The configuration${file === undefined ? "" : ` ${JSON.stringify(file)}`} has ${count}:\n${problems.map((problem) => `- ${problem}`).join("\n")}`, { details: { problems } });
}

function readRoot(reader: Reader, root: TreeMap, file: string | undefined): Config {
  const block = (name: string): TreeMap => reader.map(root.get(name), name);
  const general = reader.block(block("general_settings"), "general_settings", GENERAL);
  const litellm = reader.block(block("litellm_settings"), "litellm_settings", LITELLM);
  reader.block(block("router_settings"), "router_settings", ROUTER);
  const own = reader.block(block("tollgate"), "tollgate", TOLLGATE);
  const providers = readProviders(reader, reader.map(block("tollgate").get("providers"), "tollgate.providers"));
  const models = readModels(reader, reader.list(root.get("model_list"), "model_list"), providers, general.max_parallel_requests);
  const environment = reader.environment;
  return {
    file, models, providers,
    masterKey: environment.get("TOLLGATE_MASTER_KEY") || environment.get("LITELLM_MASTER_KEY") || general.master_key,
    globalBudgets: readBudgets(reader, litellm.max_budget, litellm.budget_duration, block("litellm_settings").get("budget_limits")),
    globalSoftBudget: litellm.soft_budget === undefined ? undefined : { maxBudget: litellm.soft_budget, budgetDuration: litellm.budget_duration },
    globalMaxParallelRequests: general.global_max_parallel_requests,
    customerMaxBudget: litellm.max_end_user_budget,
    timeZone: litellm.timezone ?? DEFAULTS.timeZone,
    weekStart: own.week_start === undefined ? DEFAULTS.weekStart : (TOLLGATE.supported.week_start.words.indexOf(own.week_start as "sunday") as WeekDay),
    tokenRateLimitType: (general.token_rate_limit_type as Config["tokenRateLimitType"] | undefined) ?? DEFAULTS.tokenRateLimitType,
    budgetExceededStatus: litellm.budget_exceeded_status_code === undefined ? DEFAULTS.budgetExceededStatus : (Number(litellm.budget_exceeded_status_code) as Config["budgetExceededStatus"]),
    requireAuthForMetrics: general.require_auth_for_metrics_endpoint ?? litellm.require_auth_for_metrics_endpoint ?? DEFAULTS.requireAuthForMetrics,
    unpriced: (own.unpriced as Config["unpriced"] | undefined) ?? DEFAULTS.unpriced,
    onDisconnect: (own.on_disconnect as Config["onDisconnect"] | undefined) ?? DEFAULTS.onDisconnect,
    drainMs: own.drain_ms ?? DEFAULTS.drainMs,
    requestTimeoutMs: own.request_timeout_ms ?? DEFAULTS.requestTimeoutMs,
    idleTimeoutMs: own.idle_timeout_ms ?? DEFAULTS.idleTimeoutMs,
    shutdownMs: own.shutdown_ms ?? DEFAULTS.shutdownMs,
    bodyLimitBytes: own.body_limit_bytes ?? DEFAULTS.bodyLimitBytes,
    priceMap: own.price_map,
    logLevel: (own.log_level as Config["logLevel"] | undefined) ?? DEFAULTS.logLevel,
    simulated: (own.simulated as Config["simulated"] | undefined) ?? DEFAULTS.simulated,
    directModels: own.direct_models ?? DEFAULTS.directModels,
    customersPerMinute: own.customers_per_minute ?? DEFAULTS.customersPerMinute,
    warnings: reader.warnings,
  };
}

function readBudgets(reader: Reader, maxBudget: bigint | undefined, budgetDuration: string | undefined, list: Tree | undefined): BudgetLimit[] {
  const budgets: BudgetLimit[] = maxBudget === undefined ? [] : [{ maxBudget, budgetDuration }];
  for (const [index, item] of reader.list(list, "litellm_settings.budget_limits").entries()) {
    const path = `litellm_settings.budget_limits[${index}]`;
    const tree = reader.map(item, path);
    const limit = reader.block(tree, path, BUDGET_LIMIT);
    if (!tree.has("max_budget") || tree.get("max_budget") === null) reader.problem(`${path}.max_budget`, "is missing; say how many dollars the window may cost.");
    else if (limit.max_budget !== undefined) budgets.push({ maxBudget: limit.max_budget, budgetDuration: limit.budget_duration });
  }
  return budgets;
}

function readProviders(reader: Reader, tree: TreeMap): Map<string, ProviderAccess> {
  const first = (names: readonly string[]): string | undefined => names.map((name) => reader.environment.get(name)).find((value) => value !== undefined && value !== "");
  const providers = new Map<string, ProviderAccess>();
  for (const prefix of PROVIDER_PREFIXES) {
    const entry = providerEntry(prefix);
    if (entry === undefined || providers.has(entry.name)) continue;
    const baseName = entry.baseNames.find((name) => (reader.environment.get(name) ?? "") !== "");
    const base = baseName === undefined ? undefined : reader.value(reader.environment.get(baseName) ?? null, `environment variable ${baseName}`, { kind: "url" });
    providers.set(entry.name, { apiKey: first(entry.keyNames), apiBase: base as string | undefined, apiVersion: first(entry.versionNames) });
  }
  for (const [prefix, value] of tree) {
    const path = `tollgate.providers.${prefix}`;
    const said = reader.block(reader.map(value, path), path, PROVIDER);
    const entry = providerEntry(prefix);
    if (entry === undefined) {
      const near = nearestName(prefix, PROVIDER_PREFIXES);
      reader.problem(path, `unknown provider; ${near === undefined ? `known are ${PROVIDER_PREFIXES.join(", ")}.` : `did you mean "${near}"?`}`);
      continue;
    }
    const known = providers.get(entry.name);
    providers.set(entry.name, { apiKey: said.api_key ?? known?.apiKey, apiBase: said.api_base ?? known?.apiBase, apiVersion: said.api_version ?? known?.apiVersion });
  }
  return providers;
}

function readModels(reader: Reader, list: readonly Tree[], providers: ReadonlyMap<string, ProviderAccess>, defaultParallel: number | undefined): ModelEntry[] {
  const ids = new Set<string>();
  return list.flatMap((item, index) => {
    const path = `model_list[${index}]`;
    const entry = readModel(reader, reader.map(item, path), path, providers, defaultParallel);
    if (entry?.id !== undefined && ids.has(entry.id)) reader.problem(`${path}.model_info.id`, "another entry has the same id; deployments with one id would share their limits.");
    if (entry?.id !== undefined) ids.add(entry.id);
    return entry ?? [];
  });
}

function readModel(reader: Reader, tree: TreeMap, path: string, providers: ReadonlyMap<string, ProviderAccess>, defaultParallel: number | undefined): ModelEntry | undefined {
  const paramsPath = `${path}.litellm_params`;
  const infoPath = `${path}.model_info`;
  const paramsTree = reader.map(tree.get("litellm_params"), paramsPath);
  const infoTree = reader.map(tree.get("model_info"), infoPath);
  const { model_name: modelName } = reader.block(tree, path, MODEL);
  const params = reader.block(paramsTree, paramsPath, PARAMS, [PRICE_FIELDS]);
  const info = reader.block(infoTree, infoPath, INFO, [PRICE_FIELDS]);
  const prices = { ...readPrices(reader, infoTree, infoPath), ...readPrices(reader, paramsTree, paramsPath) };
  if (isAbsent(tree, "model_name")) reader.problem(`${path}.model_name`, "is missing; it is the name that clients use.");
  if (isAbsent(paramsTree, "model")) reader.problem(`${paramsPath}.model`, 'is missing; say "provider/model", such as openai/gpt-4o-mini.');
  if (modelName === undefined || params.model === undefined) return undefined;
  const said = { apiKey: params.api_key, apiBase: params.api_base ?? params.base_url, apiVersion: params.api_version };
  checkModel(reader, paramsPath, params.model, said, providers);
  return {
    modelName, model: params.model, access: said, organization: params.organization, rpm: params.rpm, tpm: params.tpm,
    maxParallelRequests: params.max_parallel_requests ?? defaultParallel,
    maxBudget: params.max_budget, budgetDuration: params.budget_duration,
    outputCapField: params.output_cap_field as ModelEntry["outputCapField"], supportsStreamOptions: params.supports_stream_options,
    boundableParams: params.boundable_params ?? [], prices, id: info.id, baseModel: info.base_model, maximumOutput: info.max_output_tokens ?? info.max_tokens,
  };
}

function isAbsent(tree: TreeMap, name: string): boolean {
  return (tree.get(name) ?? null) === null;
}

function readPrices(reader: Reader, tree: TreeMap, path: string): Record<string, string> {
  const prices: Record<string, string> = {};
  for (const [name, field] of Object.entries(PRICE_FIELDS.supported)) {
    const value = tree.has(name) ? reader.value(tree.get(name) ?? null, `${path}.${name}`, field) : undefined;
    if (typeof value === "string") prices[name] = value;
  }
  return prices;
}

function checkModel(reader: Reader, path: string, model: string, said: ProviderAccess, providers: ReadonlyMap<string, ProviderAccess>): void {
  // Under "*" the client's name says the provider.
  if (model === "*" || model.startsWith("simulated/")) return;
  const split = splitModel(model);
  if (split === undefined) {
    reader.problem(`${path}.model`, `names no known provider; say "provider/model" with one of ${PROVIDER_PREFIXES.join(", ")}.`);
    return;
  }
  const known = providers.get(split.provider.name);
  if ((said.apiBase ?? known?.apiBase ?? split.provider.baseUrl) === undefined) {
    reader.problem(`${path}.api_base`, `is missing; ${split.provider.name} has no address of its own.${split.provider.baseNames[0] === undefined ? "" : ` Say it here or in ${split.provider.baseNames[0]}.`}`);
  }
  if ((said.apiKey ?? known?.apiKey) === undefined && !split.provider.keyOptional && said.apiBase === undefined) {
    reader.warnings.push(`${path}.api_key is missing and ${split.provider.keyNames[0] ?? "no variable"} is not set; the provider will refuse requests.`);
  }
}
