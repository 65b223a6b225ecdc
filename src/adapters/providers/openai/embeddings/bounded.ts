import type { JsonObject } from "../json.ts";
import { shown, unboundedTier, vouched } from "../unbounded.ts";

/** What changes neither the number of input tokens nor their price (GATE 2.2). */
const MEMBERS: ReadonlySet<string> = new Set([
  "model", "input", "dimensions", "encoding_format", "user", "metadata", "tags", "input_type", "truncate",
  "output_dtype", "output_dimension",
]);

/**
 * The path of the first thing without an upper bound, or `undefined`: a member that is not known, or an input that is
 * neither text nor token ids, such as an image's address.
 */
export function findUnbounded(body: JsonObject, boundable: readonly string[]): string | undefined {
  for (const name in body) {
    const value = body[name];
    const path = name === "input" ? unboundedInput(value, boundable)
      : name === "service_tier" ? unboundedTier(value, boundable)
      : value === null || MEMBERS.has(name) ? undefined
      : vouched(shown(name), boundable);
    if (path !== undefined) return path;
  }
  return undefined;
}

function unboundedInput(input: unknown, boundable: readonly string[]): string | undefined {
  if (!Array.isArray(input)) return typeof input === "string" ? undefined : vouched("input", boundable);
  for (let index = 0; index < input.length; index++) {
    const item: unknown = input[index];
    if (typeof item === "string" || typeof item === "number" || isTokens(item)) continue;
    const path = vouched(`input[${index}]`, boundable);
    if (path !== undefined) return path;
  }
  return undefined;
}

function isTokens(item: unknown): boolean {
  return Array.isArray(item) && item.every((token) => typeof token === "number");
}
