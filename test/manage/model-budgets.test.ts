import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testGateway } from "../support/gateway.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

let mock: MockProvider;
let gateway: Awaited<ReturnType<typeof testGateway>>;
let count = 0;

const CONFIG = (): string => `
litellm_settings: { max_budget: 1000 }
model_list:
  - { model_name: m, litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 } }
  - { model_name: other, litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 } }
tollgate: { log_level: silent }
`;

beforeAll(async () => {
  mock = await startMockProvider({ standard: { completionTokens: "cap", promptTokens: 1 } });
  gateway = await testGateway(CONFIG());
});
afterAll(async () => {
  await gateway.stop();
  await mock.close();
});

type Json = Record<string, any>;
const post = async (path: string, body: unknown): Promise<{ status: number; json: Json }> => {
  const { status, body: json } = await gateway.call("POST", path, body);
  return { status, json };
};
const done = async (path: string, body: unknown): Promise<Json> => {
  const { status, json } = await post(path, body);
  expect({ status, json }).toMatchObject({ status: 200 });
  return json;
};
const name = (kind: string): string => `${kind}-${++count}`;
const ask = async (key: string, more: object = {}): Promise<{ status: number; body: Json }> => gateway.call("POST", "/v1/chat/completions", { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }], ...more }, key);

/** Ledger, balances and live counters say the same. @returns how many balances there are */
async function agrees(): Promise<number> {
  const report = (await gateway.call("GET", "/v1/tollgate/audit")).body;
  expect(report).toMatchObject({ agree: true, firstDifference: null });
  return report["balances"] as number;
}

/** How each noun is made with a budget, changed, and used by a request. */
const NOUNS = [
  { kind: "key", make: async (budget: object) => { const { key } = await done("/key/generate", budget); return { update: { key }, key, request: {} }; } },
  { kind: "user", make: async (budget: object) => { const user_id = name("user"); const { key } = await done("/user/new", { user_id, ...budget }); return { update: { user_id }, key, request: {} }; } },
  { kind: "team", make: async (budget: object) => { const team_id = name("team"); await done("/team/new", { team_id, ...budget }); const { key } = await done("/key/generate", { team_id }); return { update: { team_id }, key, request: {} }; } },
];

describe.each(NOUNS)("the budget of one model on a $kind", ({ kind, make }) => {
  test("6.3 stops that model alone, counts what it cost before, and keeps its digits", async () => {
    const { update, key } = await make({});
    expect((await ask(key)).status).toBe(200);
    const row = await done(`/${kind}/update`, { ...update, model_max_budget: { m: { budget_limit: "0.00003", time_period: "1d", rpm_limit: 50 }, other: 1 } });
    expect((row["data"] ?? row)["model_max_budget"]).toEqual({ m: { max_budget: 0.00003, budget_duration: "1d", rpm_limit: 50 }, other: { max_budget: 1, budget_duration: null } });
    expect((await ask(key)).body["error"]).toMatchObject({ type: "budget_exceeded", details: { scope: kind, model: "m", window: "1d" } });
    expect((await ask(key, { model: "other" })).status).toBe(200);
    await done(`/${kind}/update`, { ...update, model_max_budget: { m: { max_budget: 1 } } });
    expect((await ask(key)).status).toBe(200);
    await done(`/${kind}/update`, { ...update, model_max_budget: { m: { rpm_limit: 0 } } });
    expect((await ask(key)).status).toBe(429);
    await done(`/${kind}/update`, { ...update, model_max_budget: null });
    expect((await ask(key)).status).toBe(200);
    await agrees();
  });
});

test("5.1, 8.3 a model's budget goes on after a restart with what was spent, and the books agree before and after", async () => {
  const key = (await done("/key/generate", { model_max_budget: { m: { max_budget: 0.0001, budget_duration: "30d" }, other: { max_budget: 1 } } }))["key"] as string;
  expect((await ask(key)).status).toBe(200);
  expect((await ask(key, { model: "other" })).status).toBe(200);
  const counters = await agrees();
  await gateway.close();
  gateway = await testGateway(CONFIG(), gateway.folder);
  expect(await agrees()).toBe(counters);
  const refused = await ask(key);
  expect(refused.body["error"]).toMatchObject({ type: "budget_exceeded", details: { scope: "key", model: "m", window: "30d", spent: "0.00006015" } });
  expect((await ask(key, { model: "other" })).status).toBe(200);
});
