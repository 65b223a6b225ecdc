import type { Entry } from "../src/domain/ledger/entry.ts";
import { LedgerWriter } from "../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../src/adapters/stores/sqlite/schema.ts";
import { ulidTime } from "../src/base/ids.ts";

export const END = Date.UTC(2026, 10, 24, 13, 7);
const BATCH = 1_000;
const DAYS = 90;

let seed = 7;
const random = (below: number): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor((seed / 2_147_483_648) * below);
};
/** Few are busy: the square of a uniform number. */
const skewed = (below: number): number => Math.floor((random(1_000) / 1_000) ** 2 * below);

function entry(index: number, rows: number): Entry {
  const at = Math.floor(END - ((rows - index) * DAYS * 86_400_000) / rows);
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  const key = `01JDBENCHKEY${String(skewed(24)).padStart(14, "0")}`;
  const model = `model-${skewed(8)}`;
  const cost = String(100_000 + random(9_000_000));
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: `global,key:${key},deployment:${model}`, keyId: key, teamId: null, userId: null, customer: `user-${skewed(300)}`,
    model, provider: index % 3 === 0 ? "anthropic" : "openai", upstreamModel: model, deployment: model, route: "chat_completions", stream: false, tags: JSON.stringify([`tag-${skewed(12)}`]), metadata: null, held: cost, cost, overage: "0",
    estimated: null, status: random(50) === 0 ? "upstream_error" : "ok", httpStatus: 200, lines: null, priceVersion: "bench", unpriced: false, inputTokens: random(2_000), outputTokens: random(900), cachedTokens: 0,
    answeredModel: null, responseId: null, rawUsage: null, durationMs: 900,
  } as unknown as Entry;
}

/** Writes a ledger of ninety days: 300 users, 24 keys, 12 tags, 8 models. @returns rows a second */
export function writeQuarter(path: string, rows: number): number {
  const database = openForWriting(path);
  const writer = new LedgerWriter(database);
  const began = performance.now();
  for (let first = 0; first < rows; first += BATCH) {
    writer.write([{ entries: Array.from({ length: Math.min(BATCH, rows - first) }, (_, i) => entry(first + i, rows)), balances: [], lastSequence: first + 1 }]);
  }
  database.close();
  return (rows * 1_000) / (performance.now() - began);
}
