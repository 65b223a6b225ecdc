import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
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
