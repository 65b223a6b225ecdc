import { TollgateError } from "../../../base/errors.ts";
import type { JsonObject } from "./json.ts";

/** An escape of one of the letters of `__proto__`: `_ p r t o`. */
const ESCAPED_LETTER = /\\u00(?:5[fF]|7[024]|6[fF])/;

/**
 * Refuses an own member named `__proto__` at any depth (GATE 10.2). The text tells cheaply that there is none; only a
 * body that mentions the name, or could spell it with escapes, is walked.
 * @throws TollgateError `forbidden_member`
 */
export function refuseProtoMembers(text: string, parsed: JsonObject): void {
  if (!text.includes("__proto__") && !(text.includes("\\u00") && ESCAPED_LETTER.test(text))) return;
  const path = findProto(parsed, "");
  if (path !== undefined) {
    throw new TollgateError("forbidden_member", `The body has a member named __proto__ at ${path}; remove it.`, { param: path });
  }
}

function findProto(value: object, path: string): string | undefined {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      const found = typeof item === "object" && item !== null ? findProto(item, `${path}[${index}]`) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const before = path === "" ? "" : `${path}.`;
  if (Object.hasOwn(value, "__proto__")) return `${before}__proto__`.slice(-200);
  for (const name in value) {
    const inner = (value as JsonObject)[name];
    const found = typeof inner === "object" && inner !== null ? findProto(inner, `${before}${name}`) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
