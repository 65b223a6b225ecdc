import type { CostFilter, Dimension } from "../../../domain/analytics/dimension.ts";
import type { Arrivals, CostGroup, CostSource, EntriesPage, EntriesQuery, Name, SumsQuery } from "../../../domain/analytics/source.ts";
import { entryOfRow, groupOfRow, type GroupRow } from "../../../domain/analytics/wire.ts";
import { ask, type GatewayAddress } from "./ask.ts";

type EntryRow = Parameters<typeof entryOfRow>[0];

/**
 * The costs in a gateway's books, over its routes.
 * @throws TollgateError `gateway_unreachable`, or what the gateway answers, under its own code
 */
export class GatewayCosts implements CostSource {
  private readonly address: GatewayAddress;

  constructor(address: GatewayAddress) {
    this.address = address;
  }

  async sums({ from, to, by, filter, timeZone, weekStart }: SumsQuery): Promise<readonly CostGroup[]> {
    const query = filtered(filter);
    query.set("by", snake(by));
    bounded(query, from, to);
    if (timeZone !== undefined) query.set("time_zone", timeZone);
    if (weekStart !== undefined) query.set("week_start", String(weekStart));
    const { rows } = await this.ask<{ rows: readonly GroupRow[] }>("costs", query);
    return rows.map(groupOfRow);
  }

  async entries({ from, to, filter, requestId, after, order, limit }: EntriesQuery): Promise<EntriesPage> {
    const query = filtered(filter);
    bounded(query, from ?? (to === undefined ? undefined : 0), to);
    if (requestId !== undefined) query.set("request_id", requestId);
    if (after !== undefined) query.set("after", after);
    if (order !== undefined) query.set("order", order);
    query.set("limit", String(limit));
    const { entries, next } = await this.ask<{ entries: readonly EntryRow[]; next: string | null }>("entries", query);
    return { entries: entries.map(entryOfRow), next };
  }

  async arrivals(after?: number): Promise<Arrivals> {
    const query = new URLSearchParams(after === undefined ? {} : { after: String(after) });
    const { entries, position, missed } = await this.ask<{ entries: readonly EntryRow[]; position: number; missed: boolean }>("arrivals", query);
    return { entries: entries.map(entryOfRow), position, missed };
  }

  async names(dimension: Dimension): Promise<ReadonlyMap<string, Name>> {
    const { labels } = await this.ask<{ labels: readonly { id: string; label: string; wire_id?: string }[] }>("labels", new URLSearchParams({ of: snake(dimension) }));
    return new Map(labels.map(({ id, label, wire_id: wireId }) => [id, { label, wireId }]));
  }

  async close(): Promise<void> {}

  private async ask<Answer>(route: string, query: URLSearchParams): Promise<Answer> {
    return (await ask(this.address, `/v1/tollgate/${route}?${query}`)) as Answer;
  }
}

function filtered(filter: CostFilter = {}): URLSearchParams {
  const query = new URLSearchParams();
  const without: string[] = [];
  for (const [dimension, wanted] of Object.entries(filter)) {
    if (wanted === null) without.push(snake(dimension));
    else if (wanted !== undefined) query.set(snake(dimension), wanted);
  }
  if (without.length > 0) query.set("without", without.join(","));
  return query;
}

function bounded(query: URLSearchParams, from: number | undefined, to: number | undefined): void {
  if (from !== undefined) query.set("from", new Date(from).toISOString());
  if (to !== undefined) query.set("to", new Date(to).toISOString());
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
