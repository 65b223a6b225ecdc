import { formatNanoUsd } from "../../base/money.ts";
import type { Entry } from "../../domain/ledger/entry.ts";

export type ColumnKind = "text" | "time" | "count" | "number" | "flag" | "usd";

/** One column of an export. Amounts are nano-dollars (`bigint`) until a format writes them. */
export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly of: (entry: Entry) => string | number | bigint | boolean | null;
}

const column = (name: string, kind: ColumnKind, of: Column["of"]): Column => ({ name, kind, of });

export const COLUMNS: readonly Column[] = [
  column("id", "text", (entry) => entry.id),
  column("request_id", "text", (entry) => entry.requestId),
  column("time", "time", (entry) => entry.at),
  column("kind", "text", (entry) => entry.kind),
  column("model", "text", (entry) => entry.model),
  column("provider", "text", (entry) => entry.provider),
  column("upstream_model", "text", (entry) => entry.upstreamModel),
  column("answered_model", "text", (entry) => entry.answeredModel),
  column("deployment", "text", (entry) => entry.deployment),
  column("route", "text", (entry) => entry.route),
  column("stream", "flag", (entry) => entry.stream),
  column("user", "text", (entry) => entry.customer),
  column("key_id", "text", (entry) => entry.keyId),
  column("team_id", "text", (entry) => entry.teamId),
  column("internal_user", "text", (entry) => entry.userId),
  column("tags", "text", (entry) => entry.tags),
  column("status", "text", (entry) => entry.status),
  column("http_status", "count", (entry) => entry.httpStatus),
  column("input_tokens", "count", (entry) => entry.inputTokens),
  column("cached_tokens", "count", (entry) => entry.cachedTokens),
  column("output_tokens", "count", (entry) => entry.outputTokens),
  column("cost_usd", "usd", (entry) => BigInt(entry.cost)),
  column("held_usd", "usd", (entry) => BigInt(entry.held)),
  column("overage_usd", "usd", (entry) => BigInt(entry.overage)),
  column("estimated", "text", (entry) => entry.estimated),
  column("unpriced", "flag", (entry) => entry.unpriced),
  column("price_version", "text", (entry) => entry.priceVersion),
  column("duration_ms", "number", (entry) => entry.durationMs),
  column("response_id", "text", (entry) => entry.responseId),
  column("saved_usd", "usd", (entry) => (entry.saved === undefined ? null : BigInt(entry.saved))),
  column("metadata", "text", (entry) => entry.metadata),
];

/** Quantities and rates of an entry, as JSON text; only on demand, since they double a file. */
export const LINES_COLUMN: Column = column("lines", "text", (entry) => entry.lines);

/** A value as text, exact. */
export function textOf(kind: ColumnKind, value: string | number | bigint | boolean | null): string {
  if (value === null) return "";
  if (kind === "usd") return formatNanoUsd(value as bigint);
  if (kind === "time") return new Date(value as number).toISOString();
  return String(value);
}

/** Takes entries in batches; the file is whole once `end` returns. */
export interface EntryWriter {
  /** @returns bytes written so far */
  write(entries: readonly Entry[]): Promise<number>;
  end(): Promise<number>;
}

/** Where a format's bytes go, in order. */
export type Sink = (bytes: Uint8Array) => Promise<void>;
