import type { Entry } from "../../../domain/ledger/entry.ts";

type Value = string | number | bigint | null;

/** Every member of an entry, in the order of the table's columns. */
const MEMBERS = [
  "id", "kind", "counter", "requestId", "attemptId", "at", "scopes", "keyId", "teamId", "userId", "customer", "model", "provider", "upstreamModel",
  "deployment", "route", "stream", "tags", "metadata", "held", "cost", "overage", "estimated", "status", "httpStatus", "lines",
  "priceVersion", "unpriced", "inputTokens", "outputTokens", "cachedTokens", "answeredModel", "responseId", "rawUsage", "durationMs", "saved",
] as const satisfies readonly (keyof Entry)[];

const AMOUNTS: ReadonlySet<string> = new Set(["held", "cost", "overage", "saved"]);

const columnOf = (member: string): string => member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export const INSERT_ENTRY = `INSERT INTO entries (${MEMBERS.map(columnOf).join(", ")}) VALUES (${MEMBERS.map(() => "?").join(", ")}) ON CONFLICT (id) DO NOTHING`;

/** Amounts are read as text: a JavaScript number would lose what is beyond 2^53. */
export const SELECT_ENTRY = `SELECT ${MEMBERS.map((member) => `${AMOUNTS.has(member) ? `CAST(${columnOf(member)} AS TEXT)` : columnOf(member)} AS ${member}`).join(", ")} FROM entries`;

/** The values of an entry in the order of `INSERT_ENTRY`. Amounts go as text; the column makes exact integers of them. */
export function valuesOf(entry: Entry): Value[] {
  return [
    entry.id, entry.kind, entry.counter, entry.requestId, entry.attemptId, entry.at, entry.scopes, entry.keyId, entry.teamId, entry.userId, entry.customer,
    entry.model, entry.provider, entry.upstreamModel, entry.deployment, entry.route, entry.stream ? 1 : 0, entry.tags, entry.metadata,
    entry.held, entry.cost, entry.overage, entry.estimated, entry.status, entry.httpStatus, entry.lines, entry.priceVersion,
    entry.unpriced ? 1 : 0, entry.inputTokens, entry.outputTokens, entry.cachedTokens, entry.answeredModel, entry.responseId,
    entry.rawUsage, entry.durationMs, entry.saved ?? null,
  ];
}

/** An entry as it was written, from a row of `SELECT_ENTRY`. */
export function entryOfRow(row: object): Entry {
  const { saved, ...found } = row as Omit<Entry, "stream" | "unpriced" | "saved"> & { stream: number; unpriced: number; saved: string | null };
  const entry: Entry = { ...found, stream: found.stream === 1, unpriced: found.unpriced === 1 };
  return saved === null ? entry : { ...entry, saved };
}
