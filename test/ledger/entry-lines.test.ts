import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteStore } from "../../src/adapters/stores/sqlite/store.ts";
import { HandOver } from "../../src/app/gateway/hand-over.ts";
import type { FileJournal } from "../../src/adapters/journal/journal.ts";
import { ulidTime } from "../../src/base/ids.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-lines-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const START = Date.UTC(2026, 10, 24);

function entry(index: number, customer: string): Entry {
  const requestId = `${ulidTime(START + index)}${String(index).padStart(16, "0")}`;
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at: START + index, scopes: "global,key:K", keyId: "K", teamId: null, userId: null, customer, model: "m", provider: "p",
    upstreamModel: "m", deployment: "d", route: "chat", stream: false, tags: null, metadata: null, held: "9007199254740993", cost: "9007199254740993", overage: "0", estimated: null,
    status: "ok", httpStatus: 200, lines: null, priceVersion: "v", unpriced: true, inputTokens: 3, outputTokens: 4, cachedTokens: 0, answeredModel: null, responseId: `r${index}`, rawUsage: '{"a":"\\n"}', durationMs: 5,
  };
}

test("8.2 what the gate hands over as text is in the ledger member by member, whatever its texts contain and however often the buffer grew", async () => {
  const store = await openSqliteStore({ path: join(folder, "ledger.db"), onProblem: (error) => { throw error; } });
  const committed: number[] = [];
  const hand = new HandOver(store, { committed: (sequence: number) => committed.push(sequence) } as unknown as FileJournal);
  const names = ["plain", "line\nfeed \u0000 \"quoted\" \\", "größer €", "𝛑", "x".repeat(30_000)];
  const entries = Array.from({ length: 50 }, (_, index) => entry(index, names[index % names.length] as string));
  for (const [index, one] of entries.entries()) {
    hand.entry(one, index + 1, JSON.stringify(one));
    if (index % 20 === 7) hand.flush();
  }
  hand.flush();
  expect(await store.entries({ limit: 100, ascending: true })).toEqual(entries);
  expect(committed.at(-1)).toBe(50);
  await store.close();
});
