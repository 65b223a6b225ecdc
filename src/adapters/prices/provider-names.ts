/** How one provider is called here, in the price book and in LiteLLM's price map. */
interface ProviderNames {
  /** Names accepted in a configuration; the first is ours, the rest are LiteLLM's spelling. */
  readonly names: readonly string[];
  /** The id in `@pydantic/genai-prices`, if it is listed there. */
  readonly book?: string;
  /** `litellm_provider` values; a key's prefix is the same word. Empty: prices of the map are not believed. */
  readonly litellm: readonly string[];
}

const PROVIDERS: readonly ProviderNames[] = [
  { names: ["openai"], book: "openai", litellm: ["openai", "text-completion-openai"] },
  { names: ["azure"], book: "azure", litellm: ["azure", "azure_text"] },
  { names: ["azure_ai"], litellm: ["azure_ai"] },
  { names: ["anthropic"], book: "anthropic", litellm: ["anthropic"] },
  { names: ["gemini", "google"], book: "google", litellm: ["gemini"] },
  { names: ["vertex_ai"], book: "google", litellm: ["vertex_ai", "vertex_ai-language-models", "vertex_ai-anthropic_models"] },
  { names: ["bedrock", "aws"], book: "aws", litellm: ["bedrock", "bedrock_converse"] },
  { names: ["mistral"], book: "mistral", litellm: ["mistral", "codestral"] },
  { names: ["groq"], book: "groq", litellm: ["groq"] },
  { names: ["deepseek"], book: "deepseek", litellm: ["deepseek"] },
  { names: ["xai", "x-ai"], book: "x-ai", litellm: ["xai"] },
  { names: ["together", "together_ai"], book: "together", litellm: ["together_ai"] },
  { names: ["openrouter"], book: "openrouter", litellm: ["openrouter"] },
  { names: ["fireworks_ai", "fireworks"], book: "fireworks", litellm: ["fireworks_ai"] },
  { names: ["perplexity"], book: "perplexity", litellm: ["perplexity"] },
  { names: ["cerebras"], book: "cerebras", litellm: ["cerebras"] },
  { names: ["cohere", "cohere_chat"], book: "cohere", litellm: ["cohere", "cohere_chat"] },
  { names: ["moonshot", "moonshotai"], book: "moonshotai", litellm: ["moonshot"] },
  { names: ["minimax"], book: "minimax", litellm: ["minimax"] },
  { names: ["voyage", "voyageai"], book: "voyageai", litellm: ["voyage"] },
  { names: ["novita"], book: "novita", litellm: ["novita"] },
  { names: ["zai"], book: "zai", litellm: ["zai"] },
  { names: ["baseten"], book: "baseten", litellm: ["baseten"] },
  { names: ["cloudflare"], book: "cloudflare", litellm: ["cloudflare"] },
  { names: ["ovhcloud"], book: "ovhcloud", litellm: ["ovhcloud"] },
  // On the operator's own machines nobody bills per token: no list price, and LiteLLM's zeros are no price either.
  { names: ["ollama", "ollama_chat"], litellm: [] },
  { names: ["vllm", "hosted_vllm"], litellm: [] },
];

const BY_NAME: ReadonlyMap<string, ProviderNames> = new Map(
  PROVIDERS.flatMap((provider) => provider.names.map((name): [string, ProviderNames] => [name, provider])),
);

/** Ids of `@pydantic/genai-prices` that go into the compiled book, sorted. */
export const BOOK_PROVIDERS: readonly string[] = [...new Set(PROVIDERS.flatMap((provider) => provider.book ?? []))].sort();

/** The provider's id in the compiled book and in the supplement; `undefined` if it has no list prices there. */
export function bookProvider(name: string): string | undefined {
  return BY_NAME.get(name)?.book;
}

/** The `litellm_provider` values whose prices hold for a provider; an unknown provider goes by its own name. */
export function litellmProviders(name: string): readonly string[] {
  return BY_NAME.get(name)?.litellm ?? [name];
}

/** Our name of a provider of the compiled book; the first of those that share its prices. */
export function providerOfBook(book: string): string | undefined {
  return PROVIDERS.find((provider) => provider.book === book)?.names[0];
}
