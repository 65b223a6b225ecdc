import { formatNanoUsd } from "../../base/money.ts";
import type { OpenAttempt, Refusal } from "../../domain/limits/books.ts";
import type { Limit } from "../../domain/limits/limit.ts";
import type { ScopeKind } from "../../domain/scopes/scope.ts";
import type { Deployment } from "../../domain/upstream/deployment.ts";
import type { Settled, UpstreamHeaders } from "../../engine/call.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { retrySeconds } from "./refusal.ts";

/** What never passes from a provider to a client (GATE 9.3), and what describes the hop, not the answer. */
const WITHHELD = new Set(["set-cookie", "set-cookie2", "connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "trailer", "proxy-authenticate", "proxy-connection", "date"]);

/** A provider's headers as a flat list. Ours are said by us alone, even where the provider is a gateway like this one. */
export function upstreamHeaders(upstream: UpstreamHeaders): string[] {
  const list: string[] = [];
  for (const name in upstream) {
    const value = upstream[name];
    if (value === undefined || WITHHELD.has(name) || (name.startsWith("x-") && (name.startsWith("x-litellm-") || name.startsWith("x-tollgate-")))) continue;
    if (typeof value === "string") list.push(name, value);
    else for (const one of value) list.push(name, one);
  }
  return list;
}

/** LiteLLM's words for the scopes of rate limits. */
const DESCRIPTOR: Readonly<Partial<Record<ScopeKind, string>>> = { key: "api_key", member: "team_member", customer: "end_user" };

export function descriptorOf(limit: Limit): string {
  return DESCRIPTOR[limit.scope.kind] ?? limit.scope.kind;
}

/** LiteLLM's words for what a rate limit counts. */
export function rateKindOf(limit: Limit): "requests" | "tokens" | "max_parallel_requests" {
  if (limit.measure === "slots") return "max_parallel_requests";
  return limit.measure === "requests" ? "requests" : "tokens";
}

interface RateNames {
  readonly limit: string;
  readonly remaining: string;
  readonly cap: string;
  /** LiteLLM's second name for a key's limit on one model. */
  readonly ofModel: string | undefined;
}

/** Limits are compiled once per key, so their names are made once. */
const rateNames = new WeakMap<Limit, RateNames>();

function namesOf(limit: Limit): RateNames {
  let names = rateNames.get(limit);
  if (names === undefined) {
    const prefix = `x-ratelimit-${limit.model === undefined ? "" : "model_per_"}${limit.model === undefined ? descriptorOf(limit) : limit.scope.kind}`;
    const kind = rateKindOf(limit);
    const ofModel = limit.model === undefined || limit.scope.kind !== "key" ? undefined : `x-litellm-key-remaining-${kind}-${headerToken(limit.model)}`;
    names = { limit: `${prefix}-limit-${kind}`, remaining: `${prefix}-remaining-${kind}`, cap: limit.cap.toString(), ofModel };
    rateNames.set(limit, names);
  }
  return names;
}

function headerToken(model: string): string {
  return model.replaceAll(/[^A-Za-z0-9._-]/g, "-");
}

/** Identities are compiled once per key and version, and so is what is said of them. */
const ofKey = new WeakMap<Identity, readonly string[]>();
const NONE: readonly string[] = [];

/** LiteLLM's headers for the limits of the key itself. */
export function keyHeaders(identity: Identity): readonly string[] {
  const { key } = identity;
  if (key === undefined) return NONE;
  let list = ofKey.get(identity);
  if (list === undefined) {
    list = [
      ...(key.maxBudget === undefined ? [] : ["x-litellm-key-max-budget", formatNanoUsd(BigInt(key.maxBudget))]),
      ...(key.rpm === undefined ? [] : ["x-litellm-key-rpm-limit", String(key.rpm)]),
      ...(key.tpm === undefined ? [] : ["x-litellm-key-tpm-limit", String(key.tpm)]),
    ];
    ofKey.set(identity, list);
  }
  return list;
}

/** What an admission says of itself: the deployment, the caps, where the limits stand with this request counted. */
export function admittedHeaders(attempt: OpenAttempt, deployment: Deployment): string[] {
  const list = ["x-litellm-model-id", deployment.id, "x-litellm-model-group", deployment.modelName];
  if (attempt.payerSpent !== undefined) list.push("x-litellm-key-spend", formatNanoUsd(attempt.payerSpent));
  for (const { limit, remaining } of attempt.rates) {
    const names = namesOf(limit);
    const rest = remaining > 0n ? remaining.toString() : "0";
    list.push(names.limit, names.cap, names.remaining, rest);
    if (names.ofModel !== undefined) list.push(names.ofModel, rest);
  }
  if (attempt.sendCap !== undefined) list.push("x-tollgate-output-cap", String(attempt.sendCap));
  if (attempt.softCrossed.length > 0) list.push("x-tollgate-soft-budget", attempt.softCrossed.map((limit) => limit.scope.kind).join(","));
  if (deployment.simulated) list.push("x-tollgate-simulated", "true");
  return list;
}

export function costHeaders(settled: Settled): string[] {
  const { charge, attempt } = settled;
  const headers = ["x-litellm-response-cost", formatNanoUsd(charge.cost), "x-litellm-response-duration-ms", String(charge.durationMs), "x-tollgate-held", formatNanoUsd(attempt.hold.nanoUsd)];
  if (charge.estimated !== null) headers.push("x-tollgate-estimated", charge.estimated);
  if (charge.unpriced) headers.push("x-tollgate-unpriced", "true");
  return headers;
}

/** GATE 4.1 to 4.4: whether and when to try again, and for rates where the limit stands. */
export function refusalHeaders(refusal: Refusal): string[] {
  const { outcome, limit } = refusal;
  // A rate of zero lets nothing through, however long one waits.
  const forGood = outcome === "budget_exceeded" || outcome === "request_exceeds_tpm" || (outcome === "rate_limited" && limit.cap === 0n);
  const headers = ["x-should-retry", forGood ? "false" : "true"];
  if (outcome === "budget_held") headers.push("retry-after", "1");
  if (outcome === "rate_limited" || outcome === "request_exceeds_tpm") {
    const names = namesOf(limit);
    const rest = limit.cap - refusal.spent - refusal.held;
    headers.push(names.limit, names.cap, names.remaining, rest > 0n ? rest.toString() : "0", "rate_limit_type", rateKindOf(limit));
  }
  if (outcome === "rate_limited") headers.push("retry-after", String(retrySeconds(refusal)));
  return headers;
}

const UNPRINTABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** Without the headers that HTTP cannot carry. */
export function printableHeaders(flat: readonly string[]): string[] {
  const list: string[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = flat[index] as string;
    const value = flat[index + 1] as string;
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name) && !UNPRINTABLE.test(value)) list.push(name, value);
  }
  return list;
}
