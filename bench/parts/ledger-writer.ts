// What the writer thread spends on an entry: commits of realistic entries, in CPU microseconds per entry.
// Usage: node bench/parts/ledger-writer.ts [entries per commit]
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { ulidTime } from "../../src/base/ids.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";

const perCommit = Number(process.argv[2] ?? 1_000);
const COMMITS = 40;
const SCOPES = "global,team:01JDTEAM00000000000000TEAM,member:01JDMEMBER0000000000MEMBER,key:01JDKEY0000000000000000KEY,deployment:gpt-4o-mini/0";

function entry(index: number): Entry {
  const at = 1_790_000_000_000 + Math.floor(index / 8);
  const requestId = `${ulidTime(at)}${String(index).padStart(16, "0")}`;
  return {
    id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at, scopes: SCOPES,
    keyId: "01JDKEY0000000000000000KEY", teamId: "01JDTEAM00000000000000TEAM", userId: "01JDUSER00000000000000USER", customer: null,
    model: "gpt-4o-mini", provider: "openai", upstreamModel: "gpt-4o-mini", deployment: "gpt-4o-mini/0", route: "chat_completions",
    stream: false, tags: null, metadata: null, held: "414450", cost: "90900", overage: "0", estimated: null, status: "ok", httpStatus: 200,
    lines: '[{"dimension":"input","quantity":214,"rate":"150000","per":"1","pico":"32100000"},{"dimension":"output","quantity":98,"rate":"600000","per":"1","pico":"58800000"}]',
    priceVersion: "genai-prices@0.1.8/openai/gpt-4o-mini", unpriced: false, inputTokens: 214, outputTokens: 98, cachedTokens: 0,
    answeredModel: "gpt-4o-mini-2024-07-18", responseId: "chatcmpl-simulated0000000000000000",
    rawUsage: '{"prompt_tokens":214,"completion_tokens":98,"total_tokens":312,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}',
    durationMs: 412,
  };
}

const folder = mkdtempSync(join(tmpdir(), "tollgate-writer-"));
const path = join(folder, "ledger.db");
const database = openForWriting(path);
const writer = new LedgerWriter(database);
const costs: number[] = [];
for (let commit = 0; commit < COMMITS; commit += 1) {
  const text = Array.from({ length: perCommit }, (_, index) => `${JSON.stringify(entry(commit * perCommit + index))}\n`).join("");
  const lines = { bytes: new TextEncoder().encode(text), count: perCommit };
  const before = process.cpuUsage();
  writer.write([{ entries: [], lines, balances: [], lastSequence: commit }]);
  const { user, system } = process.cpuUsage(before);
  costs.push((user + system) / perCommit);
}
database.close();
costs.sort((a, b) => a - b);
const mean = costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
process.stdout.write(`${perCommit} entries per commit: ${mean.toFixed(1)} µs CPU per entry on average, ${(costs[COMMITS / 2] ?? 0).toFixed(1)} in the median; ${(statSync(path).size / perCommit / COMMITS).toFixed(0)} bytes on disk per entry\n`);
rmSync(folder, { recursive: true, force: true });
