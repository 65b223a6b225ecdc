import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostTracker, type CostTrackerOptions } from "../../src/app/books/cost-tracker.ts";
import type { TrackedEntry } from "../../src/app/books/tracked-entry.ts";
import { createTollgate } from "../../src/app/sdk.ts";
import { testGateway } from "../support/gateway.ts";

let folder: string;
let path: string;
const open: { close(): Promise<unknown> }[] = [];
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-tracker-")); path = join(folder, "costs.db"); });
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(folder, { recursive: true, force: true });
});

const tracker = (options: CostTrackerOptions = { path }): CostTracker => {
  const made = new CostTracker(options);
  open.push(made);
  return made;
};
const MODEL = "openai/gpt-4o-mini";
/** 10 tokens in at $0.15, 20 out at $0.60 a million. */
const CALL_COST = "0.0000135";
const CALL = { model: MODEL, messages: [{ role: "user" as const, content: "Hello" }], mockResponse: "Hi" };
const answer = (id: string, model = "gpt-4o-mini", created = Math.floor(Date.now() / 1_000)) => ({ id, object: "chat.completion", created, model, choices: [], usage: { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 } });

test("constructors open nothing; a tracked call is one entry with user, tags and metadata, and to log its answer again changes nothing", async () => {
  const costs = tracker();
  expect(readdirSync(folder)).toEqual([]);
  const response = await costs.completion({ ...CALL, user: "ann", tags: ["search"], metadata: { feature: "x" } });
  expect(response.cost.total).toBe(CALL_COST);
  for (let i = 0; i < 3; i += 1) expect(await costs.logCost(response, { user: "eve" })).toMatchObject({ posted: false, callId: response.cost.callId });
  const { entries, next } = await costs.query();
  expect(next).toBeNull();
  expect(entries).toMatchObject([{ callId: response.cost.callId, user: "ann", tags: ["search"], metadata: { feature: "x" }, costExact: CALL_COST, cost: 0.0000135, inputTokens: 10, outputTokens: 20, unpriced: false, model: MODEL, provider: "openai" }]);
  expect(await new CostAnalyzer(costs).totalCost()).toBe(0.0000135);
});

test("an answer of another instance is logged once, by whichever tracker, with its exact lines; so is a stream", async () => {
  const elsewhere = createTollgate();
  open.push(elsewhere);
  const response = await elsewhere.completion(CALL);
  const stream = await elsewhere.completion({ ...CALL, stream: true });
  const [one, two] = [tracker(), tracker()];
  const posted = await Promise.all([one, two, one, two].map((costs) => costs.logCost(response, { user: "ann", model: MODEL })));
  expect(posted.filter((logged) => logged.posted)).toHaveLength(1);
  expect(await one.logCost(stream, { user: "ann" })).toMatchObject({ posted: true, total: CALL_COST });
  const { entries } = await two.query({ callId: response.cost.callId });
  expect(entries).toMatchObject([{ costExact: CALL_COST, lines: response.cost.lines, inputTokens: 10, outputTokens: 20, user: "ann", estimated: null, provider: "openai" }]);
  expect(await new CostAnalyzer(one).total()).toMatchObject({ costExact: "0.000027", requests: 2 });
});

test("any answer in OpenAI's shape is priced by the book, once by the provider's id; without a price it is marked, never a silent $0", async () => {
  const costs = tracker();
  expect(await costs.logCost(answer("chatcmpl-1"), { user: "ann", tags: ["a", "a"] })).toMatchObject({ posted: true, total: "0.00021", estimated: false });
  const again = answer("chatcmpl-7");
  expect(await costs.logCost(again)).toMatchObject({ posted: true });
  expect(await costs.logCost({ ...again })).toMatchObject({ posted: false });
  const unknown = await costs.logCost(answer("chatcmpl-2", "acme-9000"));
  expect(unknown).toMatchObject({ posted: true, total: "0", unpriced: true, estimated: true });
  const embedding = { object: "list", data: [], model: "text-embedding-3-small", usage: { prompt_tokens: 1_000_000, total_tokens: 1_000_000 } };
  expect(await costs.logCost(embedding)).toMatchObject({ total: "0.02", posted: true });
  expect(await costs.logCost(embedding)).toMatchObject({ posted: false });
  const [page] = [await costs.query({ filter: { model: "acme-9000" } })];
  expect(page.entries).toMatchObject([{ unpriced: true, estimated: "unpriced", costExact: "0", inputTokens: 1_000 }]);
  expect(await new CostAnalyzer(costs).total()).toMatchObject({ requests: 4, unpricedEntries: 1, costExact: "0.02042" });
});

test("createTollgate({ tracker }) and new CostTracker({ tollgate }) are one set of books: budgets count what is logged", async () => {
  const costs = tracker();
  const tollgate = createTollgate({ tracker: costs, budgets: [{ user: "ann", maxBudget: "0.0003" }] });
  open.push(tollgate);
  await costs.logCost(answer("chatcmpl-1"), { user: "ann" });
  await tollgate.completion({ ...CALL, user: "ann", max_tokens: 20 });
  await costs.logCost(answer("chatcmpl-9"), { user: "ann" });
  await expect(tollgate.completion({ ...CALL, user: "ann", max_tokens: 20 })).rejects.toMatchObject({ code: "budget_exceeded" });
  expect((await costs.query({ filter: { user: "ann" } })).entries).toHaveLength(3);
  expect(() => createTollgate({ tracker: costs })).toThrowError(expect.objectContaining({ code: "config_invalid" }));

  const memory = createTollgate();
  const follower = tracker({ tollgate: memory });
  open.push(memory);
  const response = await memory.completion({ ...CALL, user: "bob" });
  await follower.logCost(response);
  await follower.logCost(answer("chatcmpl-3"), { user: "bob" });
  expect((await follower.query()).entries.map((entry) => entry.costExact).toSorted()).toEqual([CALL_COST, "0.00021"]);
  expect(await new CostAnalyzer(memory).costByUser()).toMatchObject([{ user: "bob", costExact: "0.0002235" }]);
});

test("books in memory give no part of the truth: who asks after calls were made is told so", async () => {
  const memory = createTollgate();
  open.push(memory);
  await memory.completion(CALL);
  await expect(new CostAnalyzer(memory).totalCost()).rejects.toMatchObject({ code: "invalid_request", message: expect.stringContaining("before the first call") });
});

test("subscriptions hear of this process's entries and of other writers', each once, filtered, until they are closed", async () => {
  const [mine, other] = [tracker({ path, pollMs: 20 }), tracker()];
  await mine.completion({ ...CALL, user: "before" });
  const heard: TrackedEntry[] = [];
  let enough: () => void = () => {};
  const all = new Promise<void>((resolve) => { enough = resolve; });
  const subscription = await mine.subscribe((entry) => {
    heard.push(entry);
    if (heard.length === 40) enough();
  }, { filter: { tag: "live" } });
  const calls = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? mine : other).completion({ ...CALL, tags: i % 4 === 0 ? ["live", "x"] : ["live"], user: `user-${i}` })));
  await mine.completion({ ...CALL, tags: ["dead"] });
  await all;
  expect(heard.map((entry) => entry.callId).toSorted()).toEqual(calls.map((call) => call.cost.callId).toSorted());
  await subscription.close();
  const iterated = await other.subscribe({ filter: { user: "zoe" } });
  await mine.completion({ ...CALL, user: "yan" });
  await mine.completion({ ...CALL, user: "zoe" });
  for await (const entry of iterated) {
    expect(entry.user).toBe("zoe");
    break;
  }
  expect(heard).toHaveLength(40);
});

test("a gateway's books are read by its URL and in its folder, alike and live; writing says data_folder_in_use", async () => {
  const gateway = await testGateway("tollgate: { log_level: silent }", folder);
  open.push({ close: () => gateway.close() });
  const ask = (user: string) => gateway.call("POST", "/v1/chat/completions", { model: gateway.modelNames[0], user, max_tokens: 20, messages: [{ role: "user", content: "hello" }] });
  const [byUrl, byFolder] = [tracker({ url: gateway.url, apiKey: gateway.master, pollMs: 20 }), tracker({ path: folder })];
  const live = await byUrl.subscribe();
  await ask("ann");
  for await (const entry of live) {
    expect(entry.user).toBe("ann");
    break;
  }
  await ask("bob");
  const page = await byUrl.query({ limit: 10 });
  expect(page.entries.map((entry) => entry.user)).toEqual(["bob", "ann"]);
  expect((await byFolder.query()).entries).toEqual(page.entries);
  await expect(byFolder.logCost(answer("chatcmpl-1"))).rejects.toMatchObject({ code: "data_folder_in_use", message: expect.stringContaining(gateway.url) });
  await expect(byFolder.completion(CALL)).rejects.toMatchObject({ code: "data_folder_in_use" });
  await expect(byUrl.logCost(answer("chatcmpl-1"))).rejects.toMatchObject({ code: "invalid_request" });
  await expect(tracker({ url: gateway.url, apiKey: "sk-no" }).query()).rejects.toMatchObject({ code: "invalid_key" });
});

test("pages walk through every entry once, in order, while others are written", async () => {
  const costs = tracker();
  for (let i = 0; i < 57; i += 1) await costs.logCost(answer(`chatcmpl-${i}`, "gpt-4o-mini", 1_790_000_000 + i), { user: i % 3 === 0 ? "ann" : "bob" });
  const ids: string[] = [];
  for await (const entry of costs.entries({ limit: 10, order: "oldest" })) {
    ids.push(entry.id);
    if (ids.length === 15) await costs.logCost(answer("chatcmpl-late", "gpt-4o-mini", 1_790_000_100));
  }
  expect(ids).toHaveLength(58);
  expect(ids).toEqual(ids.toSorted());
  expect(new Set(ids).size).toBe(58);
  expect((await costs.query({ filter: { user: "ann" }, limit: 5 })).entries).toHaveLength(5);
});

test.each<[string, unknown, object, string]>([
  ["nothing", undefined, {}, "invalid_request"], ["a text", "answer", {}, "invalid_request"], ["no usage", { id: "x", model: "gpt-4o-mini", choices: [] }, {}, "invalid_request"],
  ["negative usage", { ...answer("x"), usage: { prompt_tokens: -1, completion_tokens: 1 } }, {}, "invalid_request"], ["usage that is text", { ...answer("x"), usage: "many" }, {}, "invalid_request"],
  ["Anthropic's shape", { type: "message", id: "m", model: "claude-sonnet-4-5", usage: { input_tokens: 1, output_tokens: 1 } }, {}, "invalid_request"],
  ["a cost of nobody", { ...answer("x"), cost: { total: "1" } }, {}, "invalid_request"], ["a negative cost", { ...answer("x"), cost: { callId: "01ARZ3NDEKTSV4RRFFQ69G5FAV", total: "-1", lines: [] } }, {}, "invalid_amount"],
  ["a wrong call id", answer("x"), { callId: "7" }, "invalid_request"], ["tags that are no list", answer("x"), { tags: "a" }, "invalid_request"], ["metadata with a circle", answer("x"), { metadata: circle() }, "invalid_request"], ["an empty user", answer("x"), { user: "" }, "invalid_request"],
])("logCost refuses %s by name and writes nothing", async (_name, response, options, code) => {
  const costs = tracker();
  await expect(costs.logCost(response, options)).rejects.toMatchObject({ code });
  expect((await costs.query()).entries).toEqual([]);
});

test("bad places have stable codes, and what failed lets go of the folder", async () => {
  writeFileSync(join(folder, "file"), "");
  await expect(tracker({ path: join(folder, "file", "costs.db") }).logCost(answer("x"))).rejects.toMatchObject({ code: "data_folder_unwritable" });
  writeFileSync(path, "This is no database. ".repeat(500));
  for (const method of ["query", "subscribe"] as const) await expect(tracker()[method]()).rejects.toMatchObject({ code: "ledger_unreadable" });
  await expect(tracker().logCost(answer("x"))).rejects.toMatchObject({ code: "ledger_unreadable" });
  rmSync(path);
  const costs = tracker();
  expect(await costs.query()).toEqual({ entries: [], next: null });
  expect(existsSync(path)).toBe(true);
  await costs.close();
  const database = new DatabaseSync(path);
  database.exec("UPDATE meta SET schema_version = 99");
  database.close();
  await expect(tracker().query()).rejects.toMatchObject({ code: "ledger_newer" });
  await expect(tracker().logCost(answer("x"))).rejects.toMatchObject({ code: "ledger_newer" });
  for (const options of [{ path: "" }, { path, url: "http://x" }, { url: "ftp://x" }, { path, pollMs: 0 }]) expect(() => new CostTracker(options)).toThrowError(expect.objectContaining({ name: "TollgateError" }));
  await expect(tracker({ url: "http://127.0.0.1:9" }).query()).rejects.toMatchObject({ code: "missing_key" });
  for (const query of [{ limit: 0 }, { limit: 1_001 }, { days: -1 }, { from: "soon" }]) await expect(tracker({ path: join(folder, "other.db") }).query(query)).rejects.toMatchObject({ code: "invalid_request" });
});

test("close may come twice and at once; a later call opens the books again", async () => {
  const costs = tracker();
  await Promise.all([costs.completion(CALL), costs.close(), costs.close()]);
  await costs.completion(CALL);
  await costs.close();
  const reader = openSqliteReader(path);
  expect(reader.audit()).toMatchObject({ agree: true, entries: 2 });
  reader.close();
});

function circle(): object {
  const one: { self?: object } = {};
  one.self = one;
  return one;
}
