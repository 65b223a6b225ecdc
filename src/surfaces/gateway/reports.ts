import { formatDecimal, formatNanoUsd } from "../../base/money.ts";
import { TollgateError } from "../../base/errors.ts";
import { isFailure } from "../../domain/analytics/sums.ts";
import type { Entry, EntryLine } from "../../domain/ledger/entry.ts";
import type { EntryFilter, LedgerStore } from "../../domain/ledger/store.ts";
import type { RefusalRecord } from "./metrics.ts";

/** A number written with exactly these digits: JSON text that no float has touched. */
function exact(nano: string): string {
  return formatNanoUsd(BigInt(nano));
}

/** LiteLLM's names for our routes. */
const CALL_TYPES: ReadonlyMap<string, string> = new Map([["chat_completions", "acompletion"], ["embeddings", "aembedding"], ["responses", "aresponses"]]);

/** Rows that are read, and held in memory, at a time. */
const PAGE_ROWS = 1_000;

/** Every row of `/spend/logs` that a filter lets through, however many there are: JSON text, page by page, newest first. */
export async function* spendLogs(store: LedgerStore, filter: EntryFilter, tokenOf: (keyId: string | null) => string | undefined): AsyncGenerator<string> {
  let before: string | undefined;
  for (let opening = "["; ; opening = ",") {
    const entries = await store.entries({ ...filter, ...(before === undefined ? {} : { before }), limit: PAGE_ROWS });
    const rows = entries.map((entry) => spendLogRow(entry, tokenOf(entry.keyId))).join(",");
    const last = entries.length < PAGE_ROWS;
    if (rows !== "" || opening === "[") yield opening + rows;
    if (last) break;
    before = entries.at(-1)?.id;
  }
  yield "]";
}

/**
 * One row of `/spend/logs` under LiteLLM's names. `request_id` is the provider's response id where there is one,
 * `api_key` the token of the key, which outlives it as our own id.
 */
function spendLogRow(entry: Entry, token: string | undefined): string {
  const row = JSON.stringify({
    request_id: entry.responseId ?? entry.requestId, call_type: CALL_TYPES.get(entry.route.replace(/^hold:/, "")) ?? entry.route, api_key: token ?? entry.keyId, user: entry.userId, team_id: entry.teamId,
    end_user: entry.customer, model: entry.upstreamModel, model_group: entry.model, model_id: entry.deployment, custom_llm_provider: entry.provider,
    total_tokens: entry.inputTokens + entry.outputTokens, prompt_tokens: entry.inputTokens, completion_tokens: entry.outputTokens,
    startTime: new Date(entry.at).toISOString(), endTime: new Date(entry.at + entry.durationMs).toISOString(),
    cache_hit: entry.status === "cached" ? "True" : "False", request_tags: entry.tags === null ? [] : JSON.parse(entry.tags), metadata: entry.metadata === null ? {} : JSON.parse(entry.metadata),
    status: isFailure(entry.status) ? "failure" : "success",
    tollgate: { request_id: entry.requestId, entry_id: entry.id, key_id: entry.keyId, kind: entry.kind, status: entry.status, estimated: entry.estimated, held: exact(entry.held), overage: exact(entry.overage), unpriced: entry.unpriced },
  });
  return `{"spend":${exact(entry.cost)},${row.slice(1)}`;
}

/** One request with all its entries, and the refusal if there was one. A key that asks sees what its own request cost, and nothing of others. */
export async function requestDetails(store: LedgerStore, requestId: string, refusal: RefusalRecord | undefined, askingKeyId?: string): Promise<string> {
  const entries = await store.entries({ requestId, limit: 100, ascending: true });
  if (askingKeyId !== undefined) return ownRequest(requestId, entries.filter((entry) => entry.keyId === askingKeyId));
  if (entries.length === 0 && refusal === undefined) throw new TollgateError("not_found", `No request ${requestId} is in the ledger. Use the id of the x-litellm-call-id header.`);
  const total = entries.reduce((sum, entry) => sum + BigInt(entry.cost), 0n);
  return JSON.stringify({
    request_id: requestId,
    cost: formatNanoUsd(total),
    entries: entries.map(entryDetails),
    refusal: refusal === undefined ? null : {
      outcome: refusal.refusal.outcome, scope: refusal.refusal.limit.scope.kind, scope_id: refusal.refusal.limit.scope.label,
      limit: refusal.refusal.limit.cap.toString(), spent: refusal.refusal.spent.toString(), held: refusal.refusal.held.toString(), measure: refusal.refusal.limit.measure,
    },
  });
}

function ownRequest(requestId: string, entries: readonly Entry[]): string {
  if (entries.length === 0) throw new TollgateError("not_found", `No request ${requestId} of this key is in the ledger. Use the id of the x-litellm-call-id header.`);
  const cost = formatNanoUsd(entries.reduce((sum, entry) => sum + BigInt(entry.cost), 0n));
  const shown = entries.map(entryDetails).map(({ id, kind, at, model, route, status, estimated, unpriced, inputTokens, outputTokens, cachedTokens, cost: own, held, overage, lines }) => ({
    id, kind, at, model, route, status, estimated, unpriced, inputTokens, outputTokens, cachedTokens, cost: own, held, overage, lines,
  }));
  return JSON.stringify({ request_id: requestId, cost, entries: shown });
}

function entryDetails(entry: Entry): Record<string, unknown> {
  const lines = entry.lines === null ? [] : (JSON.parse(entry.lines) as EntryLine[]);
  return {
    ...entry, cost: exact(entry.cost), held: exact(entry.held), overage: exact(entry.overage), at: new Date(entry.at).toISOString(),
    tags: entry.tags === null ? [] : JSON.parse(entry.tags), metadata: entry.metadata === null ? null : JSON.parse(entry.metadata),
    rawUsage: entry.rawUsage === null ? null : shownUsage(entry.rawUsage),
    lines: lines.map((line) => ({ dimension: line.dimension, quantity: line.quantity, rate: formatDecimal(BigInt(line.rate), 12), per: Number(line.per), cost: formatDecimal(BigInt(line.pico), 12) })),
  };
}

/** A provider's usage object; as text if it is nested so deep that it could not be written again. */
function shownUsage(raw: string): unknown {
  const usage: unknown = JSON.parse(raw);
  try {
    JSON.stringify(usage);
    return usage;
  } catch {
    return raw;
  }
}

const CALL_ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** Reads the filter of `/spend/logs`; a request is found by its `x-litellm-call-id` or by the provider's response id. @throws TollgateError `invalid_request` */
export function spendLogFilter(query: URLSearchParams, hashToKeyId: (text: string) => string | undefined): EntryFilter {
  const filter: { -readonly [K in keyof EntryFilter]: EntryFilter[K] } = { limit: PAGE_ROWS };
  const key = query.get("api_key");
  if (key !== null) filter.keyId = hashToKeyId(key) ?? key;
  const request = query.get("request_id");
  if (request !== null) filter[CALL_ID.test(request) ? "requestId" : "responseId"] = request;
  const user = query.get("user_id");
  if (user !== null) filter.userId = user;
  const start = query.get("start_date");
  if (start !== null) filter.from = dateOf(start, "start_date");
  const end = query.get("end_date");
  // The end day is included whole.
  if (end !== null) filter.to = dateOf(end, "end_date") + (end.length === 10 ? 86_400_000 : 0);
  return filter;
}

function dateOf(text: string, param: string): number {
  const epochMs = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text);
  if (Number.isNaN(epochMs)) throw new TollgateError("invalid_request", `${param} must be a date such as 2026-11-24.`, { param });
  return epochMs;
}
