import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openSqliteStore } from "../../src/adapters/stores/sqlite/store.ts";
import { UlidSource } from "../../src/base/ids.ts";
import { Directory } from "../../src/engine/manage/directory.ts";
import { Management } from "../../src/engine/manage/management.ts";
import { testGateway } from "../support/gateway.ts";
import { startMockProvider } from "../support/mock-provider.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Json = Record<string, any>;
/** 10 x $0.15 + 20 x $0.60 for a million. */
const COST = 0.0000135;

async function world(folder?: string) {
  const mock = await startMockProvider({ standard: { promptTokens: 10, completionTokens: 20 } });
  cleanups.push(() => mock.close());
  const gateway = await testGateway(`
litellm_settings: { max_budget: 1000 }
model_list:
  - { model_name: m, litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 } }
tollgate: { log_level: silent }
`, folder);
  cleanups.push(() => gateway.stop());
  const done = async (path: string, body: object): Promise<Json> => {
    const answer = await gateway.call("POST", path, body);
    expect(answer).toMatchObject({ status: 200 });
    return answer.body;
  };
  const ask = (key: string, more: object = {}) => gateway.call("POST", "/v1/chat/completions", { model: "m", max_tokens: 64, messages: [{ role: "user", content: "Hi" }], ...more }, key);
  const audit = async (): Promise<void> => expect((await gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, firstDifference: null });
  return { gateway, done, ask, audit };
}

const NOUNS = [
  { noun: "key", make: async (done: Done, body: object) => { const { key } = await done("/key/generate", body); return { key, reset: `/key/${key}/reset_spend`, update: ["/key/update", { key }] as const, request: {} }; } },
  { noun: "user", make: async (done: Done, body: object) => { const { key } = await done("/user/new", { user_id: "u", ...body }); return { key, reset: "/user/u/reset_spend", update: ["/user/update", { user_id: "u" }] as const, request: {} }; } },
  { noun: "team", make: async (done: Done, body: object) => { await done("/team/new", { team_id: "t", ...body }); const { key } = await done("/key/generate", { team_id: "t" }); return { key, reset: "/team/t/reset_spend", update: ["/team/update", { team_id: "t" }] as const, request: {} }; } },
  { noun: "customer", make: async (done: Done, body: object) => { await done("/customer/new", { user_id: "c/1", ...body }); const { key } = await done("/key/generate", {}); return { key, reset: "/customer/c%2F1/reset_spend", update: ["/customer/update", { user_id: "c/1" }] as const, request: { user: "c/1" } }; } },
];
type Done = (path: string, body: object) => Promise<Json>;

describe.each(NOUNS)("GATE 5.9: the spend of a $noun", ({ make }) => {
  test("is set back by hand: what was refused fits again, the ledger keeps every entry, and the books agree", async () => {
    const { done, ask, audit, gateway } = await world();
    const { key, reset, request } = await make(done, { max_budget: 0.00006, budget_duration: "1d" });
    expect((await ask(key, request)).status).toBe(200);
    expect((await ask(key, request)).status).toBe(422);
    const row = await done(reset, { reset_to: 0.000001 });
    expect(row).toMatchObject({ previous_spend: COST, spend: 0.000001 });
    expect((await ask(key, request)).status).toBe(200);
    expect(await done(reset, { reset_to: 0 })).toMatchObject({ previous_spend: 0.0000145, spend: 0 });
    expect((await gateway.call("GET", "/global/spend")).body).toMatchObject({ spend: 2 * COST });
    await audit();
  });

  test("is preset when it is made or changed", async () => {
    const { done, ask, audit } = await world();
    const { key, update, request } = await make(done, { max_budget: 1, spend: "0.999999999" });
    expect((await ask(key, request)).status).toBe(422);
    const changed = await done(update[0], { ...update[1], spend: 0.5 });
    expect((changed["data"] ?? changed)["spend"]).toBe(0.5);
    expect((await ask(key, request)).status).toBe(200);
    await audit();
  });

  test.each([[{ reset_to: -1 }, "invalid_amount"], [{ reset_to: 1 }, "invalid_amount"], [{ reset_to: "x" }, "invalid_amount"], [{ to: 0 }, "unknown_field"]])("%j: %s", async (body, code) => {
    const { done, gateway } = await world();
    const { reset } = await make(done, { max_budget: 1 });
    expect((await gateway.call("POST", reset, body)).body["error"]).toMatchObject({ tollgate_code: code });
  });
});

test("5.9 every window of a key is set back, and stands so after a restart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-spend-"));
  const first = await world(folder);
  const { key } = await first.done("/key/generate", { max_budget: 1, budget_limits: [{ budget_duration: "1d", max_budget: 0.00006 }, { budget_duration: "30d", max_budget: 1 }] });
  expect((await first.ask(key)).status).toBe(200);
  expect((await first.ask(key)).status).toBe(422);
  await first.done(`/key/${key}/reset_spend`, { reset_to: 0 });
  expect((await first.ask(key)).status).toBe(200);
  await first.gateway.close();
  const second = await world(folder);
  expect((await second.gateway.call("GET", `/key/info?key=${key}`)).body["info"]).toMatchObject({ spend: COST });
  expect((await second.ask(key)).status).toBe(422);
  await second.audit();
});

test("5.9 a member of a team is set back alone", async () => {
  const { done, ask, audit } = await world();
  await done("/team/new", { team_id: "t", max_budget: 1 });
  await done("/team/member_add", { team_id: "t", member: { user_id: "u" }, max_budget_in_team: 0.00006 });
  const { key } = await done("/key/generate", { team_id: "t", user_id: "u" });
  expect((await ask(key)).status).toBe(200);
  expect((await ask(key)).status).toBe(422);
  expect(await done("/team/t/member/u/reset_spend", { reset_to: 0 })).toMatchObject({ previous_spend: COST, spend: 0 });
  expect((await ask(key)).status).toBe(200);
  await audit();
});

test("10^30 dollars cannot be preset, nor a sum that 64 bits do not hold", async () => {
  const { gateway } = await world();
  for (const spend of [1e30, "9223372036", -1, "NaN"]) expect((await gateway.call("POST", "/key/generate", { spend })).body["error"]).toMatchObject({ tollgate_code: "invalid_amount" });
});

/** The folder of a gateway whose process ended right after it stored a record, before it posted the spend that came with it. */
async function crashedBetween(make: (management: Management) => Promise<unknown>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-preset-"));
  const store = await openSqliteStore({ path: join(folder, "ledger.db"), onProblem: () => {} });
  const directory = new Directory({ global: { scopes: [], limits: [] }, masterHash: "", tokenRateLimitType: "total", timeZone: "UTC", weekStart: 0, maxEndUserBudgetNanoUsd: undefined, customersPerMinute: 100 });
  directory.load((await store.load()).records);
  const crash = new Error("the process ends here");
  const management = new Management({
    store, directory, clock: { now: () => Date.now(), monotonic: () => 0 }, ids: new UlidSource(randomBytes), hashKey: (key) => createHash("sha256").update(key).digest("hex"),
    randomKey: () => "sk-preset-0123456789abcdef", standing: () => ({ spent: 0n, held: 0n, lifetime: 0n }), seed: async () => {}, adjust: () => Promise.reject(crash),
  });
  await expect(make(management)).rejects.toBe(crash);
  await store.close();
  return folder;
}

test.each([
  ["for ever", undefined, 0.5], ["in the month that runs", "30d", 0.5], ["in a second that is over", "1s", 0],
])("5.9 a crash between a key and the spend that it was made with loses neither: %s", async (_title, duration, spend) => {
  const folder = await crashedBetween((management) => management.keys.create({ key: "sk-preset-0123456789abcdef", max_budget: "1", spend: "0.5", ...(duration === undefined ? {} : { budget_duration: duration }) }));
  if (duration === "1s") await new Promise((resolve) => setTimeout(resolve, 1_100));
  for (const _start of ["the first start", "the second"]) {
    const { gateway, audit } = await world(folder);
    expect((await gateway.call("GET", "/key/info?key=sk-preset-0123456789abcdef")).body["info"]).toMatchObject({ spend });
    await audit();
    await gateway.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

test("5.9 what a spend was set to is not set again at a start, whatever came after it", async () => {
  const first = await world();
  const { key } = await first.done("/key/generate", { max_budget: 1, spend: 0.25 });
  await first.ask(key);
  await first.done(`/key/${key}/reset_spend`, { reset_to: 0 });
  await first.ask(key);
  await first.gateway.close();
  const second = await world(first.gateway.folder);
  expect((await second.gateway.call("GET", `/key/info?key=${key}`)).body["info"]).toMatchObject({ spend: COST });
  await second.audit();
});
