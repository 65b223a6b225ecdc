import { CUSTOM_PRICE_FIELDS, UNSUPPORTED_PRICE_FIELDS } from "../../adapters/prices/custom-price.ts";
import { PROVIDER_PREFIXES, providerEntry, splitModel, type ProviderEntry } from "../../adapters/providers/registry.ts";
import type { ModelConfig, ProviderConfig } from "./config.ts";
import { SECTIONS } from "./fields.ts";
import { nearestName } from "../../base/nearest.ts";
import type { Section } from "./reader.ts";

const NAME_LENGTH_MAX = 256;
const PRICE_FIELDS: ReadonlySet<string> = new Set(CUSTOM_PRICE_FIELDS.filter((name) => !UNSUPPORTED_PRICE_FIELDS.includes(name)));

/** Reads `model_list`. Entries with problems are left out; the problems are in the findings. */
export function readModels(top: Section): readonly ModelConfig[] {
  const models: ModelConfig[] = [];
  const ids = new Set<string>();
  for (const entry of top.sections("model_list", SECTIONS.model)) {
    if (!entry.valid) continue;
    const params = entry.section("litellm_params", SECTIONS.params);
    const info = entry.section("model_info", SECTIONS.info);
    const modelName = entry.text("model_name");
    if (modelName === undefined || modelName === "" || modelName.length > NAME_LENGTH_MAX) entry.problem("model_name", `must be a name of 1 to ${NAME_LENGTH_MAX} characters.`);
    const target = readTarget(params);
    if (modelName === undefined || target === undefined) {
      readRest(params, info);
      continue;
    }
    const asked = info.text("id");
    if (asked !== undefined && ids.has(asked)) info.problem("id", "is used by another entry; budgets and limits need their own.");
    const id = asked ?? freeId(`${modelName}/${target.provider.name}/${target.model}`, ids);
    ids.add(id);
    models.push({ id, modelName, provider: target.provider.name, model: target.model, ...readRest(params, info) });
  }
  return models;
}

/** Reads `tollgate.providers`. */
export function readProviders(section: Section): Readonly<Record<string, ProviderConfig>> {
  const providers: [string, ProviderConfig][] = [];
  for (const name of section.names()) {
    const entry = providerEntry(name);
    const fields = section.section(name, SECTIONS.provider);
    if (entry === undefined) section.problem(name.slice(0, 60), unknownProvider(name));
    else providers.push([entry.name, optional({ apiKey: fields.secret("api_key"), apiBase: fields.url("api_base"), apiVersion: fields.text("api_version") })]);
  }
  return Object.fromEntries(providers);
}

function readTarget(params: Section): { readonly provider: ProviderEntry; readonly model: string } | undefined {
  const text = params.text("model");
  if (text === undefined || text === "" || text.length > NAME_LENGTH_MAX) {
    if (!params.has("model") || text !== undefined) params.problem("model", `must be "provider/model", such as openai/gpt-4o-mini.`);
    return undefined;
  }
  const named = params.text("custom_llm_provider");
  if (named !== undefined) {
    const provider = providerEntry(named);
    if (provider === undefined) params.problem("custom_llm_provider", unknownProvider(named));
    return provider === undefined ? undefined : { provider, model: text.startsWith(`${named}/`) ? text.slice(named.length + 1) : text };
  }
  const target = splitModel(text);
  if (target === undefined) params.problem("model", unknownProvider(text.split("/", 1)[0] as string));
  return target;
}

function unknownProvider(name: string): string {
  const near = nearestName(name, PROVIDER_PREFIXES);
  return `names no provider that Tollgate knows${near === undefined ? "" : `; did you mean "${near}"?`} Write "provider/model" with one of ${PROVIDER_PREFIXES.join(", ")}.`;
}

function readRest(params: Section, info: Section): Omit<ModelConfig, "id" | "modelName" | "provider" | "model"> {
  return {
    ...optional({
      baseModel: info.text("base_model"),
      apiKey: params.secret("api_key"),
      apiBase: params.has("api_base") ? params.url("api_base") : params.url("base_url"),
      apiVersion: params.text("api_version"),
      rpm: params.count("rpm"),
      tpm: params.count("tpm"),
      maxParallelRequests: params.count("max_parallel_requests"),
      maxBudgetNanoUsd: params.amount("max_budget"),
      budgetDuration: params.duration("budget_duration"),
      maxOutputTokens: info.has("max_output_tokens") ? info.count("max_output_tokens", 1) : info.count("max_tokens", 1),
      outputCapField: info.choice("output_cap_field", ["max_tokens", "max_completion_tokens"]),
      supportsStreamOptions: info.flag("supports_stream_options"),
    }),
    boundableParams: info.list("boundable_params"),
    priceFields: readPrices(params, info),
  };
}

/** `litellm_params` wins over `model_info`, as in LiteLLM. */
function readPrices(params: Section, info: Section): Readonly<Record<string, string>> {
  const prices: Record<string, string> = {};
  for (const section of [info, params]) {
    for (const name of section.names()) {
      if (!PRICE_FIELDS.has(name)) continue;
      const price = section.price(name);
      if (price !== undefined) prices[name] = price;
    }
  }
  return prices;
}

function freeId(wanted: string, taken: ReadonlySet<string>): string {
  let id = wanted;
  for (let count = 2; taken.has(id); count += 1) id = `${wanted}#${count}`;
  return id;
}

type Present<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

/** Leaves out what is not there. */
export function optional<Fields extends Record<string, unknown>>(fields: Fields): Present<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<Fields>;
}
