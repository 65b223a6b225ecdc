import { formatDecimal, formatNanoUsd, parseDecimal, parseNanoUsd } from "../../base/money.ts";
import type { Entry, EntryLine } from "../ledger/entry.ts";
import type { CostGroup } from "./source.ts";

/** How groups and entries look between a gateway and whoever asks it. Dollars are exact decimal text here; both ends keep every digit. */
export interface GroupRow {
  readonly group: string | null;
  readonly label?: string | undefined;
  /** By time only: ISO instants. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Nano-dollars, which the surface prints as an exact decimal number. */
  readonly cost?: bigint | number | undefined;
  readonly cost_exact: string;
  readonly requests: number;
  readonly failed_requests: number;
  readonly estimated_entries: number;
  readonly unpriced_entries: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cached_tokens: number;
  /** Absent in the answers of older gateways. */
  readonly cache_hits?: number;
  readonly saved_exact?: string;
}

export function rowOfGroup(group: CostGroup, label: string | undefined): GroupRow {
  const { span, costNanoUsd } = group;
  return {
    group: group.group, label, from: span && isoOf(span.start), to: span && isoOf(span.end), cost: costNanoUsd, cost_exact: formatNanoUsd(costNanoUsd),
    requests: group.requests, failed_requests: group.failed, estimated_entries: group.estimated, unpriced_entries: group.unpriced,
    input_tokens: group.inputTokens, output_tokens: group.outputTokens, cached_tokens: group.cachedTokens,
    cache_hits: group.hits, saved_exact: formatNanoUsd(group.savedNanoUsd),
  };
}

export function groupOfRow(row: GroupRow): CostGroup {
  const sums = {
    requests: row.requests, failed: row.failed_requests, estimated: row.estimated_entries, unpriced: row.unpriced_entries,
    inputTokens: row.input_tokens, outputTokens: row.output_tokens, cachedTokens: row.cached_tokens, costNanoUsd: nanoOf(row.cost_exact),
    hits: row.cache_hits ?? 0, savedNanoUsd: nanoOf(row.saved_exact ?? "0"),
  };
  const span = row.from === undefined || row.to === undefined ? {} : { span: { start: Date.parse(row.from), end: Date.parse(row.to) } };
  return { group: row.group, ...span, ...sums };
}

type Row = Readonly<Record<string, unknown>>;

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** An entry with names and values that people read: instants, dollars, and JSON where the ledger has its text. */
export function rowOfEntry(entry: Entry): Row {
  const row: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(entry)) row[snake(name)] = value;
  return {
    ...row, at: isoOf(entry.at), cost: formatNanoUsd(BigInt(entry.cost)), held: formatNanoUsd(BigInt(entry.held)), overage: formatNanoUsd(BigInt(entry.overage)),
    ...(entry.saved === undefined ? {} : { saved: formatNanoUsd(BigInt(entry.saved)) }),
    scopes: entry.scopes.split(","), tags: jsonOr(entry.tags, []), metadata: jsonOr(entry.metadata, null), raw_usage: jsonOr(entry.rawUsage, null),
    lines: (jsonOr(entry.lines, []) as readonly EntryLine[]).map((line) => ({ dimension: line.dimension, quantity: line.quantity, rate: formatDecimal(BigInt(line.rate), 12), per: line.per, cost: formatDecimal(BigInt(line.pico), 12) })),
  };
}

export function entryOfRow(row: Row): Entry {
  const entry: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row)) entry[camel(name)] = value;
  const lines = row["lines"] as readonly { dimension: string; quantity: number; rate: string; per: string; cost: string }[];
  return {
    ...entry, at: Date.parse(row["at"] as string), cost: String(nanoOf(row["cost"])), held: String(nanoOf(row["held"])), overage: String(nanoOf(row["overage"])),
    ...(row["saved"] === undefined ? {} : { saved: String(nanoOf(row["saved"])) }),
    scopes: (row["scopes"] as string[]).join(","), tags: textOr(row["tags"]), metadata: textOr(row["metadata"]), rawUsage: textOr(row["raw_usage"]),
    lines: textOr(lines.map((line) => ({ dimension: line.dimension, quantity: line.quantity, rate: picoOf(line.rate), per: line.per, pico: picoOf(line.cost) }))),
  } as unknown as Entry;
}

function isoOf(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

function nanoOf(text: unknown): bigint {
  const nano = typeof text === "string" ? parseNanoUsd(text, "exact") : undefined;
  if (nano === undefined) throw new TypeError(`${String(text)} is no amount.`);
  return nano;
}

function picoOf(text: string): string {
  const pico = parseDecimal(text, 12, "exact");
  if (pico === undefined) throw new TypeError(`${text} is no amount.`);
  return pico.toString();
}

function jsonOr<Default>(text: string | null, otherwise: Default): unknown {
  return text === null ? otherwise : (JSON.parse(text) as unknown);
}

/** What the ledger has `null` for is an empty list or `null` here. */
function textOr(value: unknown): string | null {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0) ? null : JSON.stringify(value);
}
