import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { TollgateError } from "../../base/errors.ts";
import type { Price, Rate } from "../../domain/pricing/price.ts";
import { RateCollector, rateField, readRate } from "./litellm-fields.ts";

/** What a LiteLLM map says of one model. */
export interface LitellmEntry {
  /** `undefined` where the entry has no rate, or only zeros: there they mean unknown more often than free. */
  readonly price: Price | undefined;
  readonly maximumOutput: number | undefined;
  readonly contextWindow: number | undefined;
}

/** A LiteLLM price map, read and checked. */
export interface LitellmMap {
  /** `"litellm@"` and the first digits of the hash of its content. */
  readonly version: string;
  readonly size: number;
  /** What was rounded or left out, for the log. */
  readonly notes: readonly string[];
  /** The entry of a `litellm_provider` that lists one of these ids (lower case, without the provider's prefix). */
  find(provider: string, ids: readonly string[]): LitellmEntry | undefined;
}

const SIZE_MAX = 32 * 1024 * 1024;
const TIMEOUT_MS = 10_000;

/**
 * Reads a map in the shape of LiteLLM's `model_prices_and_context_window.json`.
 * @param json the parsed JSON object: key to `{ litellm_provider, input_cost_per_token, … }`
 * @throws TollgateError `price_map_invalid`, naming the entry and the field
 */
export function readLitellmMap(json: unknown): LitellmMap {
  const all = asObject(json);
  if (all === undefined) throw invalid("The price map must be a JSON object of models.");
  const byProvider = new Map<string, Map<string, LitellmEntry>>();
  const notes: string[] = [];
  const version = `litellm@${createHash("sha256").update(JSON.stringify(json)).digest("hex").slice(0, 12)}`;
  let size = 0;
  for (const [key, value] of Object.entries(all)) {
    if (key === "sample_spec") continue;
    const fields = asObject(value);
    if (fields === undefined) throw invalid(`The price map's entry ${JSON.stringify(key)} must be an object.`, key);
    const provider = fields.litellm_provider;
    if (typeof provider !== "string" || provider === "") {
      notes.push(`${key}: left out, it names no litellm_provider`);
      continue;
    }
    const model = (key.startsWith(`${provider}/`) ? key.slice(provider.length + 1) : key).toLowerCase();
    const entries = byProvider.get(provider) ?? new Map<string, LitellmEntry>();
    byProvider.set(provider, entries);
    // A provider may list a model with and without its prefix; the first one stands, as everywhere here: no silent change.
    if (entries.has(model)) continue;
    size += 1;
    entries.set(model, {
      price: readPrice(key, provider, model, fields, version, notes),
      maximumOutput: tokens(fields.max_output_tokens),
      contextWindow: tokens(fields.max_input_tokens),
    });
  }
  if (size === 0) throw invalid("The price map lists no model with a litellm_provider.");
  return {
    version,
    size,
    notes,
    find(provider, ids) {
      const entries = byProvider.get(provider);
      if (entries === undefined) return undefined;
      for (const id of ids) {
        const entry = entries.get(id);
        if (entry !== undefined) return entry;
      }
      return undefined;
    },
  };
}

function readPrice(key: string, provider: string, model: string, fields: Readonly<Record<string, unknown>>, version: string, notes: string[]): Price | undefined {
  const collector = new RateCollector();
  for (const [name, value] of Object.entries(fields)) {
    const field = rateField(name);
    if (field === undefined || value === null) continue;
    const amount = typeof value === "number" || typeof value === "string" ? readRate(String(value)) : undefined;
    if (amount === undefined) throw invalid(`The price map's entry ${JSON.stringify(key)} has ${name} = ${JSON.stringify(value)}; it must be a number from 0 up.`, `${key}.${name}`);
    if (amount.rounded) notes.push(`${key}: ${name} has more than 27 decimals and was rounded`);
    collector.add(field.dimension, field.aboveInputTokens, amount.rate);
  }
  const search = dearestSearch(key, fields.search_context_cost_per_query);
  if (search !== undefined) collector.add("web_search", undefined, search);
  if (Array.isArray(fields.tiered_pricing)) {
    // Rates by ranges of the input; half of a price is worse than none.
    notes.push(`${key}: left unpriced, tiered_pricing has no function yet`);
    return undefined;
  }
  if (collector.empty) return undefined;
  if (collector.free && !model.endsWith(":free")) {
    notes.push(`${key}: left unpriced, all its rates are zero`);
    return undefined;
  }
  return { version: `${version}/${key}`, provider, model, rates: collector.rates, tiers: collector.tiers };
}

/** One search costs by how much context it brings; usage does not say which, so the dearest holds. */
function dearestSearch(key: string, value: unknown): Rate | undefined {
  let dearest: Rate | undefined;
  for (const [size, usd] of Object.entries(asObject(value) ?? {})) {
    const amount = typeof usd === "number" ? readRate(String(usd)) : undefined;
    if (amount === undefined) throw invalid(`The price map's entry ${JSON.stringify(key)} has search_context_cost_per_query.${size} = ${JSON.stringify(usd)}; it must be a number from 0 up.`, key);
    const { rate } = amount;
    if (dearest === undefined || rate.pico * dearest.per > dearest.pico * rate.per) dearest = rate;
  }
  return dearest;
}

/**
 * Reads a map from a file or an `http(s)` URL. Redirects are not followed.
 * @throws TollgateError `price_map_invalid` if it cannot be read in time, is too large or is no such map
 */
export async function loadLitellmMap(source: string, options: { readonly timeoutMs?: number; readonly sizeMax?: number } = {}): Promise<LitellmMap> {
  const sizeMax = options.sizeMax ?? SIZE_MAX;
  const text = /^https?:\/\//i.test(source) ? await fetchText(source, options.timeoutMs ?? TIMEOUT_MS, sizeMax) : await readText(source, sizeMax);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(`The price map ${source} is not valid JSON.`, undefined, cause);
  }
  return readLitellmMap(json);
}

async function readText(path: string, sizeMax: number): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    if (size > sizeMax) throw tooLarge(path, sizeMax);
    return await file.readFile("utf8");
  } catch (cause) {
    if (cause instanceof TollgateError) throw cause;
    throw invalid(`The price map ${path} cannot be read: ${reason(cause)}.`, undefined, cause);
  }
}

async function fetchText(url: string, timeoutMs: number, sizeMax: number): Promise<string> {
  try {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(timeoutMs), headers: { accept: "application/json" } });
    if (!response.ok || response.body === null) throw invalid(`The price map ${url} answers with status ${response.status}.`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += chunk.byteLength;
      if (size > sizeMax) throw tooLarge(url, sizeMax);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } catch (cause) {
    if (cause instanceof TollgateError) throw cause;
    throw invalid(`The price map ${url} cannot be read within ${timeoutMs} ms: ${reason(cause)}.`, undefined, cause);
  }
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
}

function tooLarge(source: string, sizeMax: number): TollgateError {
  return invalid(`The price map ${source} is larger than ${sizeMax} bytes.`);
}

function invalid(message: string, param?: string, cause?: unknown): TollgateError {
  return new TollgateError("price_map_invalid", message, { ...(param === undefined ? {} : { param }), ...(cause === undefined ? {} : { cause }) });
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function tokens(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
