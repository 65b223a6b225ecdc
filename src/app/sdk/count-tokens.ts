import { providerEntry } from "../../adapters/providers/registry.ts";
import { TollgateError } from "../../base/errors.ts";
import type { Target } from "../../surfaces/sdk/costs/cost-functions.ts";
import type { Environment } from "./route.ts";

interface Options {
  readonly apiKey?: string | undefined;
  readonly apiBase?: string | undefined;
}

type Message = { readonly role?: unknown; readonly content?: unknown };

const TIMEOUT_MS = 30_000;

/**
 * Asks Anthropic or Gemini for the tokens of messages; both count for nothing.
 * @throws TollgateError `invalid_request` for other providers, `missing_key`, `upstream_unreachable`, `upstream_refused`
 */
export async function askProvider(target: Target, messages: readonly unknown[], options: Options, env: Environment): Promise<number> {
  const { provider, model } = target;
  if (provider !== "anthropic" && provider !== "gemini") throw new TollgateError("invalid_request", `${provider} has no counter that could be asked; countTokens is for anthropic and gemini.`, { param: "countTokens" });
  const key = options.apiKey ?? providerEntry(provider)?.keyNames.map((name) => env[name]?.trim()).find((value) => value !== undefined && value !== "");
  if (key === undefined) throw new TollgateError("missing_key", `No API key for ${provider}: set ${providerEntry(provider)?.keyNames.join(" or ") ?? "its variable"}, or pass apiKey.`, { param: "apiKey" });
  const said = provider === "anthropic"
    ? await post(`${options.apiBase ?? "https://api.anthropic.com/v1"}/messages/count_tokens`, { "x-api-key": key, "anthropic-version": "2023-06-01" }, forAnthropic(model, messages))
    : await post(`${options.apiBase ?? "https://generativelanguage.googleapis.com/v1beta"}/models/${encodeURIComponent(model)}:countTokens`, { "x-goog-api-key": key }, forGemini(messages));
  const tokens = said["input_tokens"] ?? said["totalTokens"];
  if (!Number.isSafeInteger(tokens) || (tokens as number) < 0) throw new TollgateError("upstream_failed", `${provider} answered without a count of tokens.`);
  return tokens as number;
}

function forAnthropic(model: string, messages: readonly unknown[]): object {
  const all = messages as readonly Message[];
  const system = all.filter(({ role }) => role === "system").map(({ content }) => textOf(content)).join("\n");
  return { model, messages: all.filter(({ role }) => role !== "system"), ...(system === "" ? {} : { system }) };
}

function forGemini(messages: readonly unknown[]): object {
  return { contents: (messages as readonly Message[]).map(({ role, content }) => ({ role: role === "assistant" ? "model" : "user", parts: [{ text: textOf(content) }] })) };
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? (content as readonly { text?: unknown }[]).map(({ text }) => (typeof text === "string" ? text : "")).join("") : "";
}

async function post(url: string, headers: Record<string, string>, body: object): Promise<Readonly<Record<string, unknown>>> {
  let response: Response;
  try {
    response = await fetch(url, { method: "POST", redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS), headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) });
  } catch (cause) {
    throw new TollgateError("upstream_unreachable", "The provider's counter could not be reached. Nothing was charged; try again.", { cause });
  }
  const text = await response.text();
  if (!response.ok) throw new TollgateError("upstream_refused", `The provider's counter answered ${response.status}: ${text.slice(0, 500)}`);
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new TollgateError("upstream_failed", "The provider's counter answered no JSON.", { cause });
  }
}
