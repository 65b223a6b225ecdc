import { afterAll, beforeAll, expect, test } from "vitest";
import { chat, startWorld, type World } from "../support/world.ts";

const PATH = "/v1/chat/completions";
let world: World;
beforeAll(async () => {
  world = await startWorld({
    tollgate: "unpriced: block",
    models: (url) => `
  - model_name: vouched
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-up, api_base: "${url}/v1" }
    model_info: { boundable_params: [service_tier] }
  - model_name: long
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-up, api_base: "${url}/v1", input_cost_per_token: 0.000001, input_cost_per_token_above_200k_tokens: 0.000003, cache_creation_input_token_cost: 0.00000125, output_cost_per_token: 0.000002, output_cost_per_token_above_200k_tokens: 0.000005 }
  - model_name: nameless
    litellm_params: { model: openai/nobody-prices-this, api_key: sk-up, api_base: "${url}/v1" }`,
  });
});
afterAll(() => world.stop());

const send = (key: string, body: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${world.gateway.url}${PATH}`, { method: "POST", headers: { authorization: `Bearer ${key}`, ...headers }, body: JSON.stringify(body) });
const entryOf = async (answer: Response) => (await world.requestDetails(answer.headers.get("x-litellm-call-id") as string)).entries[0];
const codeOf = async (answer: Response): Promise<unknown> => ((await answer.json()) as { error: { tollgate_code: string } }).error.tollgate_code;

test("GATE 2.1: the hold covers every one of n answers at the cap, and each of them is charged", async () => {
  const key = await world.key({ max_budget: 1 });
  world.mock.enqueue({ promptTokens: 10, completionTokens: "cap" });
  const three = await send(key, chat("gpt-4o-mini", { n: 3, max_tokens: 1_000 }));
  expect(await entryOf(three)).toMatchObject({ cost: "0.0018015", overage: "0", estimated: null });
  // What is left for three answers is a third for each.
  const tight = await send(await world.key({ max_budget: 0.001 }), chat("gpt-4o-mini", { n: 3, max_tokens: 1_000 }));
  const cap = Number(tight.headers.get("x-tollgate-output-cap"));
  expect(cap * 3 * 6e-7).toBeLessThanOrEqual(0.001);
  expect(cap).toBeGreaterThan(500);
});

test("GATE 2.1: input is held at the dearest rate that could apply: as written to a cache, and as a long context once its bytes allow for one", async () => {
  const key = await world.key({ max_budget: 10 });
  const held = async (content: string): Promise<{ held: number; bytes: number }> => {
    const body = chat("long", { max_tokens: 1_000, messages: [{ role: "user", content }] });
    world.mock.enqueue({ promptTokens: 10, completionTokens: 1 });
    return { held: Number((await send(key, body)).headers.get("x-tollgate-held")), bytes: JSON.stringify(body).length };
  };
  // 8 tokens for the message and 16 around it stand beside the bytes; a cache write for an hour is 8/5 of one for minutes.
  const short = await held("x".repeat(10_000));
  expect(short.held).toBeCloseTo((short.bytes + 24) * 2e-6 + 1_000 * 2e-6, 9);
  const long = await held("x".repeat(250_000));
  expect(long.held).toBeCloseTo((long.bytes + 24) * 3e-6 + 1_000 * 5e-6, 9);
});

test("GATE 2.2: boundable_params of a deployment extend what is known, for that deployment alone", async () => {
  const key = await world.key({ max_budget: 1 });
  expect((await send(key, chat("vouched", { service_tier: "priority" }))).status).toBe(200);
  const refused = await send(key, chat("gpt-4o-mini", { service_tier: "priority" }));
  expect([refused.status, await codeOf(refused)]).toEqual([400, "cost_not_boundable"]);
});

test("GATE 2.3: by the policy block nothing without a price is sent, with a budget or without", async () => {
  const sent = world.mock.requests.length;
  for (const fields of [{}, { max_budget: 1 }]) {
    const refused = await send(await world.key(fields), chat("nameless"));
    expect([refused.status, await codeOf(refused)]).toEqual([400, "unpriced"]);
  }
  expect(world.mock.requests.length).toBe(sent);
});

test("GATE 5.1: what a provider answered beyond its cap is charged whole, counts as spent, and is counted as an overage", async () => {
  const overages = async (): Promise<number> => {
    const text = await (await fetch(`${world.gateway.url}/metrics`, { headers: { authorization: `Bearer ${world.gateway.master}` } })).text();
    return Number(/^tollgate_overages_total (\d+)$/m.exec(text)?.[1]);
  };
  const before = await overages();
  const key = await world.key({ max_budget: 0.001 });
  world.mock.enqueue({ promptTokens: 10, completionTokens: 2_000 });
  const entry = await entryOf(await send(key, chat("gpt-4o-mini", { max_tokens: 100 })));
  expect(entry).toMatchObject({ cost: "0.0012015", estimated: null });
  expect(Number(entry?.overage)).toBeCloseTo(0.0012015 - Number(entry?.held), 12);
  expect(await overages()).toBe(before + 1);
  expect((await world.keyInfo(key)).spend).toBe(0.0012015);
  expect((await send(key, chat())).status).toBe(422);
});

test("GATE 10.1: a customer's id has 256 bytes at most, in the body and in the header", async () => {
  const key = await world.key();
  const name = "ü".repeat(128);
  expect((await send(key, chat("gpt-4o-mini", { user: name }))).status).toBe(200);
  expect((await send(key, chat("gpt-4o-mini", { user: `${name}x` }))).status).toBe(400);
  for (const header of ["x-litellm-customer-id", "x-litellm-end-user-id"]) {
    expect((await send(key, chat(), { [header]: "x".repeat(256) })).status).toBe(200);
    const refused = await send(key, chat(), { [header]: "x".repeat(257) });
    expect([refused.status, await codeOf(refused)]).toEqual([400, "invalid_request"]);
  }
});
