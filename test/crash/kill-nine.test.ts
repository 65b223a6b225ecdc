import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readJournal } from "../../src/adapters/journal/journal.ts";
import type { JournalRecord } from "../../src/domain/ledger/entry.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";
import { seededRandom } from "../support/seeded-random.ts";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));
/** About what the load costs, so that the last rounds meet its end. */
const BUDGET_USD = 0.02;
const MASTER = "sk-crash-test-master-key-1234567890";

function start(config: string, folder: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [CLI, "start", "--config", config, "--port", "0", "--data", folder], { env: { ...process.env, TOLLGATE_MASTER_KEY: MASTER }, stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const url = /Tollgate is ready: (\S+)/.exec(text)?.[1];
      if (url !== undefined) resolve({ child, url });
    });
    child.stderr?.on("data", (chunk: Buffer) => { text += chunk.toString(); });
    child.on("exit", (code) => reject(new Error(`exited with ${code}: ${text}`)));
  });
}

const post = async (url: string, path: string, body: unknown, key = MASTER): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await fetch(`${url}${path}`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

interface Row { readonly id: string; readonly kind: string; readonly cost: string; readonly held: string; readonly estimated: string | null; readonly metadata: unknown; readonly key_id: string | null }

const nanoOf = (dollars: string): bigint => {
  const [whole, part = ""] = dollars.split(".");
  return BigInt(`${whole}${part.padEnd(9, "0")}`);
};

async function read(url: string, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${MASTER}` } });
  expect(response.status, path).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

async function allEntries(url: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after = ""; ; ) {
    const page = (await read(url, `/v1/tollgate/entries?order=oldest&limit=500${after}`)) as { entries: Row[]; next: string | null };
    rows.push(...page.entries);
    if (page.next === null || page.next === undefined) return rows;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

/** The number that the test gave the request. */
const numberOf = (metadata: unknown): string => String(((typeof metadata === "string" ? JSON.parse(metadata) : metadata) as { n: number }).n);

/** What the ledger says against what the provider saw and billed. */
function compareWithBill(rows: readonly Row[], mock: MockProvider): { exact: number; crashed: number } {
  const byNumber = new Map<string, Row>();
  for (const row of rows) {
    expect(row.kind).toBe("charge");
    const number = numberOf(row.metadata);
    expect(byNumber.has(number), `request ${number} is charged twice`).toBe(false);
    byNumber.set(number, row);
  }
  const bills = mock.bill().entries;
  let exact = 0;
  for (const [index, request] of mock.requests.entries()) {
    const number = numberOf(request.body["metadata"]);
    const row = byNumber.get(number);
    const owed = bills[index]?.nanoUsd as bigint;
    expect(row, `request ${number} reached the provider and has no entry`).toBeDefined();
    const cost = nanoOf((row as Row).cost);
    if ((row as Row).estimated === null) {
      expect(cost, `request ${number}`).toBe(owed);
      exact += 1;
    } else {
      expect((row as Row).estimated).toBe("crashed");
      expect(cost, `request ${number} crashed and is charged below its bill`).toBeGreaterThanOrEqual(owed);
      expect((row as Row).cost).toBe((row as Row).held);
    }
  }
  return { exact, crashed: rows.filter((row) => row.estimated === "crashed").length };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const answersOf = ({ plain, stream, refused }: { readonly plain: number; readonly stream: number; readonly refused: number }): number => plain + stream + refused;

test("promise 3: after each of 20 kills at random instants under plain and streamed load ledger, counters, roll-ups and the provider's bill agree, and no budget is passed", { timeout: 120_000 }, async () => {
  const seed = Math.floor(Math.random() * 1e9);
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "tollgate-crash-"));
  // Streams take a moment, so that kills meet them in the middle.
  const mock = await startMockProvider({ seed, behaviour: (request) => (request.body.stream === true ? { chunkDelayMs: 2 } : {}) });
  try {
    const config = join(folder, "config.yaml");
    const data = join(folder, "data");
    writeFileSync(config, `model_list:\n  - model_name: gpt-4o-mini\n    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 }\ntollgate: { log_level: error }\n`);
    let key: string | undefined;
    let sent = 0;
    const answered = { plain: 0, stream: 0, refused: 0 };
    for (let round = 0; round < 20; round += 1) {
      const { child, url } = await start(config, data);
      key ??= (await post(url, "/key/generate", { max_budget: BUDGET_USD })).body["key"] as string;
      expect(await read(url, "/v1/tollgate/audit"), `after ${round} kills, seed ${seed}`).toMatchObject({ agree: true, firstDifference: null });
      const exited = new Promise((resolve) => child.on("exit", resolve));
      let killed = false;
      const before = answersOf(answered);
      const workers = Array.from({ length: 8 }, async (_, worker) => {
        const stream = worker % 2 === 1;
        while (!killed) {
          sent += 1;
          const body = { model: "gpt-4o-mini", max_tokens: 100, metadata: { n: sent }, messages: [{ role: "user", content: "Hello" }], ...(stream ? { stream, stream_options: { include_usage: true } } : {}) };
          const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body: JSON.stringify(body) }).catch(() => undefined);
          const text = await response?.text().catch(() => undefined);
          if (response?.status === 200 && text !== undefined) answered[stream ? "stream" : "plain"] += 1;
          else if (response !== undefined && response.status !== 200) answered.refused += 1;
        }
      });
      // In the thick of it also where the machine is slow: after some answers, and then some random milliseconds.
      const enough = before + Math.floor(random() * 40);
      while (answersOf(answered) < enough) await pause(1);
      await pause(random() * 50);
      killed = true;
      child.kill("SIGKILL");
      await exited;
      await Promise.all(workers);
    }
    expect(answered.plain).toBeGreaterThan(20);
    expect(answered.stream).toBeGreaterThan(20);
    const { child, url } = await start(config, data);
    const audit = await read(url, "/v1/tollgate/audit");
    expect(audit).toMatchObject({ agree: true, firstDifference: null });
    const rows = await allEntries(url);
    expect(rows.length).toBe(audit["entries"]);
    const sum = rows.reduce((total, row) => total + nanoOf(row.cost), 0n);
    expect(sum).toBe(BigInt(audit["totalNanoUsd"] as string));
    expect(sum).toBeGreaterThanOrEqual(mock.bill().totalNanoUsd);
    expect(sum, "promise 1").toBeLessThanOrEqual(nanoOf(String(BUDGET_USD)));
    const { exact, crashed } = compareWithBill(rows, mock);
    expect(exact).toBeGreaterThanOrEqual(answered.plain + answered.stream);
    expect(crashed, "no kill met a request under way").toBeGreaterThan(0);
    const info = (await read(url, `/key/info?key=${key}`))["info"] as { spend: number; tollgate: { held: number } };
    expect(nanoOf(info.spend.toFixed(9)), "the live counter is the ledger's sum").toBe(sum);
    expect(info.tollgate.held).toBe(0);
    const exited = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    const costs = new Map(rows.map((row) => [row.id, nanoOf(row.cost)]));
    for (const { record } of readJournal(join(data, "journal")).lines) {
      const settled = JSON.parse(record) as JournalRecord;
      if (settled.type === "settle") expect(costs.get(settled.entry.id), `journal's ${settled.entry.id}`).toBe(BigInt(settled.entry.cost));
    }
    console.log(JSON.stringify({ ...answered, entries: rows.length, exact, crashed }));
  } finally {
    await mock.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
