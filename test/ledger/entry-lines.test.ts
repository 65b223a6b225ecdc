import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteStore } from "../../src/adapters/stores/sqlite/store.ts";
import { HandOver, type HandOverStore } from "../../src/app/gateway/hand-over.ts";
import type { FileJournal } from "../../src/adapters/journal/journal.ts";
import { ulidTime } from "../../src/base/ids.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { forEachEntry } from "../../src/domain/ledger/entry-lines.ts";
import type { Batch } from "../../src/domain/ledger/store.ts";

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

test("8.2 memory that the writer shares is written again only once its entries are committed, and is then used again", () => {
  const sent: Batch[] = [];
  let commit: (sequence: number) => void = () => {};
  const store = { write: (batch: Batch) => sent.push(batch), onCommitted: (listener: typeof commit) => { commit = listener; }, history: {} } as unknown as HandOverStore;
  const hand = new HandOver(store, { committed: () => {} } as unknown as FileJournal);
  const handOver = (sequence: number): Batch => {
    hand.entry(entry(sequence, "c"), sequence, JSON.stringify(entry(sequence, "c")));
    hand.flush();
    return sent.at(-1) as Batch;
  };
  const read = ({ lines }: Batch): Entry[] => {
    const entries: Entry[] = [];
    if (lines !== undefined) forEachEntry(lines, (bytes) => (start, end) => Buffer.from(bytes).toString("utf8", start, end), (one) => entries.push(one));
    return entries;
  };
  const memoryOf = ({ lines }: Batch): ArrayBufferLike | undefined => lines?.bytes.buffer;
  const [first, second, replayed] = [handOver(1), handOver(2), handOver(2)];
  commit(1);
  const third = handOver(3);
  expect(memoryOf(third)).toBe(memoryOf(first));
  commit(2);
  const [fourth, fifth] = [handOver(4), handOver(5)];
  expect(memoryOf(fourth)).toBe(memoryOf(second));
  expect([replayed, third, fourth, fifth].map((batch) => read(batch).map(({ at }) => at - START))).toEqual([[2], [3], [4], [5]]);
  expect(memoryOf(third)).toBeInstanceOf(SharedArrayBuffer);
});
