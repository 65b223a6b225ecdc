import { isObject, type JsonObject } from "./json.ts";
import { COUNTED_DEPTH } from "./scan.ts";

/* What the dialects' lists of bounded things (GATE 2.2) have in common. */

/** Another tier has other prices. */
export function unboundedTier(tier: unknown, boundable: readonly string[]): string | undefined {
  if (tier === null || tier === "auto" || tier === "default") return undefined;
  return vouched(`service_tier=${shown(tier)}`, boundable);
}

/** The first tool of a type that is not known to cost no more than its bytes and the output cap. */
export function unboundedTool(tools: unknown, known: ReadonlySet<unknown>, boundable: readonly string[]): string | undefined {
  if (!Array.isArray(tools)) return vouched("tools", boundable);
  for (let index = 0; index < tools.length; index++) {
    const tool: unknown = tools[index];
    const type = isObject(tool) ? tool["type"] : undefined;
    if (known.has(type)) continue;
    const path = vouched(`tools[${index}]${typeof type === "string" ? `.type=${shown(type)}` : ""}`, boundable);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** `undefined` if the operator vouches for the path: as it is, without its indices, or `service_tier` whatever its value. */
export function vouched(path: string, boundable: readonly string[]): string | undefined {
  if (boundable.length === 0) return path;
  const plain = path.startsWith("service_tier=") ? "service_tier" : path.replaceAll(/\[\d+\]/g, "");
  return boundable.includes(plain) || boundable.includes(path) ? undefined : path;
}

/** Names come from outside and go into messages and headers: short, and nothing but plain characters. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? value : typeof value;
  return text.slice(0, 64).replaceAll(/[^\x21-\x7e]/g, "?");
}

/** Members of a parsed value, to the depth that the scanner counts. Fewer than it counted means that one stands twice. */
export function countMembers(value: unknown, depth = 1): number {
  if (typeof value !== "object" || value === null || depth > COUNTED_DEPTH) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object") count += countMembers(item, depth + 1);
    return count;
  }
  for (const name in value) {
    count++;
    const inner = (value as JsonObject)[name];
    if (typeof inner === "object") count += countMembers(inner, depth + 1);
  }
  return count;
}
