import type { Deployment } from "../../domain/upstream/deployment.ts";

/** What is known about one OpenAI-compatible provider. */
export interface ProviderEntry {
  /** Our name, as in the price book; the prefix of `provider/model`. */
  readonly name: string;
  /** Other prefixes that mean the same, LiteLLM's spelling among them. */
  readonly aliases: readonly string[];
  /** Base URL without a trailing slash; `undefined` if the operator must name it. */
  readonly baseUrl: string | undefined;
  /** Environment variables of the key and of the base URL, the first that is set wins. */
  readonly keyNames: readonly string[];
  readonly baseNames: readonly string[];
  readonly versionNames: readonly string[];
  readonly auth: "bearer" | "api-key";
  /** Answers without a key, such as a server of the operator's own. */
  readonly keyOptional: boolean;
  readonly capField: "max_tokens" | "max_completion_tokens";
  /** `false`: it rejects `stream_options`, or reports usage in streams without being asked. */
  readonly supportsStreamOptions: boolean;
}

/** Where a provider answers, route by route. */
export interface ProviderRoutes {
  readonly origin: string;
  readonly paths: Deployment["paths"];
}

const BEARER = { aliases: [], baseNames: [], versionNames: [], auth: "bearer", keyOptional: false, capField: "max_tokens", supportsStreamOptions: true } as const;

export const PROVIDERS: readonly ProviderEntry[] = [
  { ...BEARER, name: "openai", baseUrl: "https://api.openai.com/v1", keyNames: ["OPENAI_API_KEY"], baseNames: ["OPENAI_BASE_URL", "OPENAI_API_BASE"], capField: "max_completion_tokens" },
  { ...BEARER, name: "azure", baseUrl: undefined, keyNames: ["AZURE_API_KEY"], baseNames: ["AZURE_API_BASE"], versionNames: ["AZURE_API_VERSION"], auth: "api-key", capField: "max_completion_tokens" },
  { ...BEARER, name: "anthropic", baseUrl: "https://api.anthropic.com/v1", keyNames: ["ANTHROPIC_API_KEY"] },
  { ...BEARER, name: "gemini", aliases: ["google"], baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai", keyNames: ["GEMINI_API_KEY", "GOOGLE_API_KEY"] },
  { ...BEARER, name: "mistral", baseUrl: "https://api.mistral.ai/v1", keyNames: ["MISTRAL_API_KEY"], supportsStreamOptions: false },
  { ...BEARER, name: "groq", baseUrl: "https://api.groq.com/openai/v1", keyNames: ["GROQ_API_KEY"], capField: "max_completion_tokens" },
  { ...BEARER, name: "deepseek", baseUrl: "https://api.deepseek.com/v1", keyNames: ["DEEPSEEK_API_KEY"] },
  { ...BEARER, name: "xai", aliases: ["x-ai"], baseUrl: "https://api.x.ai/v1", keyNames: ["XAI_API_KEY"] },
  { ...BEARER, name: "together", aliases: ["together_ai"], baseUrl: "https://api.together.xyz/v1", keyNames: ["TOGETHER_API_KEY", "TOGETHERAI_API_KEY"] },
  { ...BEARER, name: "openrouter", baseUrl: "https://openrouter.ai/api/v1", keyNames: ["OPENROUTER_API_KEY"] },
  { ...BEARER, name: "fireworks_ai", aliases: ["fireworks"], baseUrl: "https://api.fireworks.ai/inference/v1", keyNames: ["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"] },
  { ...BEARER, name: "perplexity", baseUrl: "https://api.perplexity.ai", keyNames: ["PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"], supportsStreamOptions: false },
  { ...BEARER, name: "cerebras", baseUrl: "https://api.cerebras.ai/v1", keyNames: ["CEREBRAS_API_KEY"], capField: "max_completion_tokens" },
  { ...BEARER, name: "cohere", aliases: ["cohere_chat"], baseUrl: "https://api.cohere.ai/compatibility/v1", keyNames: ["COHERE_API_KEY"] },
  { ...BEARER, name: "moonshot", aliases: ["moonshotai"], baseUrl: "https://api.moonshot.ai/v1", keyNames: ["MOONSHOT_API_KEY"] },
  { ...BEARER, name: "minimax", baseUrl: "https://api.minimax.io/v1", keyNames: ["MINIMAX_API_KEY"] },
  { ...BEARER, name: "novita", baseUrl: "https://api.novita.ai/v3/openai", keyNames: ["NOVITA_API_KEY"] },
  { ...BEARER, name: "zai", baseUrl: "https://api.z.ai/api/paas/v4", keyNames: ["ZAI_API_KEY"] },
  { ...BEARER, name: "baseten", baseUrl: "https://inference.baseten.co/v1", keyNames: ["BASETEN_API_KEY"] },
  { ...BEARER, name: "deepinfra", baseUrl: "https://api.deepinfra.com/v1/openai", keyNames: ["DEEPINFRA_API_KEY"] },
  { ...BEARER, name: "nvidia_nim", baseUrl: "https://integrate.api.nvidia.com/v1", keyNames: ["NVIDIA_NIM_API_KEY"], baseNames: ["NVIDIA_NIM_API_BASE"] },
  { ...BEARER, name: "openai_like", aliases: ["custom_openai"], baseUrl: undefined, keyNames: ["OPENAI_LIKE_API_KEY"], baseNames: ["OPENAI_LIKE_API_BASE"], keyOptional: true },
  { ...BEARER, name: "ollama", aliases: ["ollama_chat"], baseUrl: undefined, keyNames: ["OLLAMA_API_KEY"], baseNames: ["OLLAMA_API_BASE"], keyOptional: true },
  { ...BEARER, name: "vllm", aliases: ["hosted_vllm"], baseUrl: undefined, keyNames: ["HOSTED_VLLM_API_KEY"], baseNames: ["HOSTED_VLLM_API_BASE"], keyOptional: true },
];

const BY_PREFIX: ReadonlyMap<string, ProviderEntry> = new Map(
  PROVIDERS.flatMap((entry) => [entry.name, ...entry.aliases].map((name): [string, ProviderEntry] => [name, entry])),
);

/** Model names that need no prefix, as in LiteLLM. */
const UNPREFIXED: readonly (readonly [RegExp, string])[] = [
  [/^(gpt-|chatgpt-|o[1-9](-|$))/, "openai"],
  [/^claude-/, "anthropic"],
  [/^gemini-/, "gemini"],
];

/** Every prefix that a configuration may use, sorted. */
export const PROVIDER_PREFIXES: readonly string[] = [...BY_PREFIX.keys()].sort();

/** The provider by its name or alias. @example providerEntry("together_ai")?.name // "together" */
export function providerEntry(prefix: string): ProviderEntry | undefined {
  return BY_PREFIX.get(prefix);
}

/**
 * Splits LiteLLM's `model` into provider and the provider's own name.
 * @returns `undefined` if no provider is named and none follows from the name
 * @example splitModel("openrouter/openai/gpt-4o") // { provider: openrouter, model: "openai/gpt-4o" }
 */
export function splitModel(text: string): { readonly provider: ProviderEntry; readonly model: string } | undefined {
  const slash = text.indexOf("/");
  if (slash > 0 && slash < text.length - 1) {
    const provider = BY_PREFIX.get(text.slice(0, slash));
    return provider === undefined ? undefined : { provider, model: text.slice(slash + 1) };
  }
  const name = UNPREFIXED.find(([pattern]) => pattern.test(text))?.[1];
  const provider = name === undefined ? undefined : BY_PREFIX.get(name);
  return provider === undefined ? undefined : { provider, model: text };
}

/** The provider's default version of an API that has versions. */
const AZURE_VERSION = "2024-10-21";

/**
 * Where the provider answers. The host comes from the configuration alone; the model is escaped. A provider without
 * some route says so itself, and what it refuses costs nothing.
 * @param baseUrl an absolute http(s) URL
 * @example routesOf(openai, "https://api.openai.com/v1", "gpt-4o-mini").paths.chat_completions // "/v1/chat/completions"
 */
export function routesOf(entry: ProviderEntry, baseUrl: string, model: string, apiVersion?: string): ProviderRoutes {
  const url = new URL(baseUrl);
  const base = url.pathname.replace(/\/+$/, "");
  if (entry.name === "azure") return { origin: url.origin, paths: azurePaths(base, model, apiVersion ?? AZURE_VERSION) };
  // LiteLLM's own Ollama route is named by the bare host; the compatible one is under /v1.
  const root = entry.name === "ollama" && base === "" ? "/v1" : base;
  const path = (name: string): string => `${root}/${name}${url.search}`;
  return { origin: url.origin, paths: { chat_completions: path("chat/completions"), embeddings: path("embeddings"), responses: path("responses") } };
}

/** Azure names the deployment in the path, except for responses, which its newer surface serves without a version. */
function azurePaths(base: string, model: string, apiVersion: string): Deployment["paths"] {
  const path = (name: string): string => `${base}/openai/deployments/${encodeURIComponent(model)}/${name}?api-version=${encodeURIComponent(apiVersion)}`;
  return { chat_completions: path("chat/completions"), embeddings: path("embeddings"), responses: `${base}/openai/v1/responses` };
}

/** The flat header list that authorises us. */
export function authHeaders(entry: ProviderEntry, apiKey: string | undefined): readonly string[] {
  if (apiKey === undefined) return [];
  return entry.auth === "api-key" ? ["api-key", apiKey] : ["authorization", `Bearer ${apiKey}`];
}

/**
 * The member in which an added output cap is said. A server that only speaks OpenAI's dialect may ignore the newer
 * name, and an ignored cap bounds nothing.
 */
export function capFieldOf(entry: ProviderEntry, baseUrl: string): ProviderEntry["capField"] {
  if (entry.name !== "openai") return entry.capField;
  return new URL(baseUrl).hostname === "api.openai.com" ? entry.capField : "max_tokens";
}
