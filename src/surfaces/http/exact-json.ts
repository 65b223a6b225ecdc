import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";

/** A number that JSON is to carry with exactly these digits. */
export class ExactNumber {
  /** Decimal text that is valid JSON. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Writes JSON in which a `bigint` is nano-dollars, printed as a decimal number that no float has touched. */
export function exactJson(value: unknown): string {
  if (typeof value === "bigint") return formatNanoUsd(value);
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map((one) => exactJson(one ?? null)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${exactJson(member)}`).join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}

const MONEY = ["max_budget", "soft_budget", "spend", "max_budget_in_team", "cost", "reset_to"];

/**
 * Reads a body; amounts of money keep the digits they were sent with, as text.
 * @throws TollgateError `invalid_json`, `invalid_request`, `forbidden_member`
 */
export function readExactJson(source: string): Record<string, unknown> {
  let plain: unknown;
  let exact: unknown;
  try {
    plain = JSON.parse(source);
    const digits = (key: string, value: unknown, context?: { source?: string }): unknown => {
      if (key === "__proto__") throw new TollgateError("forbidden_member", "The body has a member named __proto__. Leave it out.");
      return typeof value === "number" ? context?.source : value;
    };
    exact = JSON.parse(source, digits as Parameters<typeof JSON.parse>[1]);
  } catch (error) {
    if (error instanceof TollgateError) throw error;
    throw new TollgateError("invalid_json", "The body is not valid JSON.", { cause: error });
  }
  if (typeof plain !== "object" || plain === null || Array.isArray(plain)) throw new TollgateError("invalid_request", "The body must be a JSON object.");
  const body = plain as Record<string, unknown>;
  for (const field of MONEY) if (typeof body[field] === "number") body[field] = (exact as Record<string, unknown>)[field];
  for (const field of ["budget_limits", "model_max_budget"]) if (field in body) body[field] = (exact as Record<string, unknown>)[field];
  return body;
}
