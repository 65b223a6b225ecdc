import type { Entry, EntryLine } from "../../src/domain/ledger/entry.ts";
import type { Arrivals, CostSource, EntriesPage, EntriesQuery, SumsQuery } from "../../src/domain/analytics/source.ts";
import { matches } from "../../src/domain/analytics/dimension.ts";
import { Groups, inCostOrder } from "../../src/domain/analytics/groups.ts";
import { sumsOfEntry } from "../../src/domain/analytics/sums.ts";
import { ulidTime } from "../../src/base/ids.ts";
import { costOf } from "../../src/domain/pricing/cost.ts";
import type { Dimension } from "../../src/domain/usage/usage.ts";
import { createPriceBook } from "../../src/adapters/prices/price-book.ts";

export const BOOK = createPriceBook();
export const START = Date.parse("2026-10-01T00:00:00Z");

let counter = 0;

/** An entry as the gate writes it: its cost is the price of its usage unless another one is given. */
export function entry(at: number, model: string, usage: Partial<Record<Dimension, number>>, more: Partial<Entry> & { try?: number } = {}): Entry {
  const lines = Object.entries(usage).map(([dimension, quantity]) => ({ dimension: dimension as Dimension, quantity }));
  const price = BOOK.find("openai", model, at);
  if (price === undefined) throw new Error(`The test's model ${model} has no price.`);
  const cost = costOf(price, lines);
  if ("unpriced" in cost) throw new Error(`${model} has no price for ${cost.unpriced}`);
  const { try: attempt = 1, ...members } = more;
  if (attempt === 1) counter += 1;
  const requestId = `${ulidTime(at)}${String(counter).padStart(16, "0")}`;
  const written: EntryLine[] = cost.lines.map((line) => ({ dimension: line.dimension, quantity: line.quantity, rate: String(line.rate.pico), per: String(line.rate.per), pico: String(line.pico) }));
  const inputTokens = (usage.input ?? 0) + (usage.cache_read ?? 0);
  return {
    id: `${requestId}.0${attempt}`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.0${attempt}`, at, scopes: "global", keyId: null, teamId: null, userId: null, customer: null, model, provider: "openai",
    upstreamModel: model, deployment: "d", route: "chat_completions", stream: false, tags: null, metadata: null, held: String(cost.nanoUsd * 4n), cost: String(cost.nanoUsd), overage: "0", estimated: null, status: "ok", httpStatus: 200,
    lines: JSON.stringify(written), priceVersion: price.version, unpriced: false, inputTokens, outputTokens: usage.output ?? 0, cachedTokens: usage.cache_read ?? 0, answeredModel: model, responseId: null, rawUsage: null, durationMs: 5,
    ...members,
  } as Entry;
}

/** A ledger in memory, as a source of costs. */
export function sourceOf(entries: readonly Entry[]): CostSource {
  const sorted = [...entries].sort((a, b) => (a.id < b.id ? -1 : 1));
  const within = ({ from = 0, to = Infinity, filter = {} }: EntriesQuery | SumsQuery): Entry[] => sorted.filter((one) => one.kind !== "adjustment" && one.at >= from && one.at < to && matches(one, filter));
  return {
    sums: async (query) => {
      const groups = new Groups();
      for (const one of within(query)) groups.add(query.by === "model" ? one.model : null, sumsOfEntry(one));
      return inCostOrder(groups);
    },
    entries: async (query): Promise<EntriesPage> => {
      const rest = within(query).filter((one) => query.after === undefined || one.id > query.after);
      const page = rest.slice(0, query.limit);
      return { entries: page, next: rest.length > page.length ? (page.at(-1) as Entry).id : null };
    },
    arrivals: async (): Promise<Arrivals> => ({ entries: [], position: 0, missed: false }),
    names: async () => new Map(),
    close: async () => {},
  };
}

export function nano(exact: string): bigint {
  const negative = exact.startsWith("-");
  const [whole = "0", rest = ""] = exact.replace("-", "").split(".");
  const value = BigInt(whole) * 1_000_000_000n + BigInt(rest.padEnd(9, "0"));
  return negative ? -value : value;
}
