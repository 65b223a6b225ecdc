import { join } from "node:path";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { ulidTime } from "../../src/base/ids.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";

export const NOW = Date.parse("2026-11-02T15:30:00Z");

/** One entry a line: instant, user, tags, model, nano-dollars. Clocks fall back in New York on 1 November. */
const SCENARIO = `
2026-10-31T23:00:00Z ann a   m 1000000001
2026-11-01T03:59:59Z bob a,b m 2000000002
2026-11-01T05:30:00Z ann -   n 3
2026-11-01T06:30:00Z -   b   n 40993
2026-11-02T04:59:59Z bob -   m 50
2026-11-02T05:00:00Z ann a   m 700
`;

/** Writes a ledger into a folder and gives its path. */
export function writeLedger(folder: string, scenario = SCENARIO): string {
  const path = join(folder, "ledger.db");
  const entries = scenario.trim().split("\n").map((line, index): Entry => {
    const [instant = "", user = "", tags = "", model = "", cost = ""] = line.trim().split(/\s+/).map((part) => decodeURIComponent(part));
    const at = Date.parse(instant);
    const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
    return {
      id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: "global", keyId: null, teamId: null, userId: null, customer: user === "-" ? null : user, model, provider: "p", upstreamModel: model,
      deployment: "d", route: "chat", stream: false, tags: tags === "-" ? null : JSON.stringify(tags.split(",")), metadata: null, held: "0", cost, overage: "0", estimated: null, status: "ok", httpStatus: 200, lines: null, priceVersion: "v",
      unpriced: false, inputTokens: 100, outputTokens: 50, cachedTokens: 25, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5,
    } as unknown as Entry;
  });
  const database = openForWriting(path);
  new LedgerWriter(database).write([{ entries, balances: [], lastSequence: 1 }]);
  database.close();
  return path;
}
