import { TollgateError } from "../../base/errors.ts";
import type { LedgerStore, StoredRecord } from "../../domain/ledger/store.ts";

export const SPEND_GROUPS = ["model", "provider", "team", "key", "user", "customer", "day"] as const;

export type SpendGroup = (typeof SPEND_GROUPS)[number];

type Totals = Awaited<ReturnType<LedgerStore["totals"]>>;
type Awaitable<Value> = Value | Promise<Value>;

/** What spend is read from: a store, or a file that is read beside one. */
export interface SpendReader {
  totals(query: Parameters<LedgerStore["totals"]>[0]): Awaitable<Totals>;
  totalsByPayer(payer: Parameters<LedgerStore["totalsByPayer"]>[0], from?: number, to?: number): Awaitable<Totals>;
  records(): Awaitable<readonly StoredRecord[]>;
}

export type SpendRow = Totals[number] & { readonly label?: string };

/** Sums of a period by one thing; groups that people have named carry that name. Admission times in [from, to). */
export async function spendOf(reader: SpendReader, by: SpendGroup, { from, to }: { readonly from?: number | undefined; readonly to?: number | undefined }): Promise<readonly SpendRow[]> {
  if (by === "model" || by === "provider" || by === "day") return await reader.totals({ by, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) });
  const rows = await reader.totalsByPayer(by, from, to);
  const labels = by === "key" || by === "team" || by === "user" ? labelsOf(await reader.records(), by) : new Map<string, string>();
  return rows.map((row) => {
    const label = labels.get(row.group);
    return label === undefined ? row : { ...row, label };
  });
}

/** By the id that entries carry: a key's own id, a team's or user's wire id. */
function labelsOf(records: readonly StoredRecord[], kind: "key" | "team" | "user"): Map<string, string> {
  const labels = new Map<string, string>();
  for (const record of records) {
    if (record.kind !== kind) continue;
    const { id, alias, keyName, teamId, userId } = JSON.parse(record.document) as { id: string; alias?: string; keyName?: string; teamId?: string; userId?: string };
    const label = alias ?? keyName;
    const name = kind === "key" ? id : kind === "team" ? teamId : userId;
    if (name !== undefined && label !== undefined) labels.set(name, label);
  }
  return labels;
}

/** Reads `by`, `from` and `to` of `/v1/tollgate/spend`. @throws TollgateError `invalid_request` */
export function spendQuery(query: URLSearchParams): { readonly by: SpendGroup; readonly from: number | undefined; readonly to: number | undefined } {
  const asked = query.get("by") ?? "model";
  const by = SPEND_GROUPS.find((group) => group === asked);
  if (by === undefined) throw new TollgateError("invalid_request", `by must be one of ${SPEND_GROUPS.join(", ")}.`, { param: "by" });
  return { by, from: instantOf(query, "from"), to: instantOf(query, "to") };
}

function instantOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const epochMs = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text);
  if (Number.isNaN(epochMs)) throw new TollgateError("invalid_request", `${name} must be an instant such as 2026-11-24T00:00:00Z.`, { param: name });
  return epochMs;
}
