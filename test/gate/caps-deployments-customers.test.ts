import { afterAll, beforeAll, expect, test } from "vitest";
import { chat, startWorld, until, type World } from "../support/world.ts";

const PATH = "/v1/chat/completions";
let world: World;
beforeAll(async () => {
  const entry = (url: string, id: string, more: string): string => `
  - model_name: pair
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-${id}, api_base: "${url}/v1"${more} }
    model_info: { id: ${id} }`;
  const priced = (url: string, id: string, more: string): string => entry(url, id, more).replace("model_name: pair", "model_name: unlike");
  world = await startWorld({
    yaml: "litellm_settings: { max_end_user_budget: 0.001 }", tollgate: "customers_per_minute: 3",
    models: (url) => entry(url, "first", ", rpm: 1") + entry(url, "second", "") + priced(url, "dear", ", max_budget: 0.1, input_cost_per_token: 0.0001, output_cost_per_token: 0.0001") + priced(url, "cheap", ""),
  });
});
afterAll(() => world.stop());

const send = (key: string, body: Record<string, unknown>) => world.gateway.call("POST", PATH, body, key);
const undeclared = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello there" }] };

test("3.1, 3.2: spent money shortens an answer and says so; money that others merely hold never does", async () => {
  const key = await world.key({ max_budget: 0.001 });
  world.mock.enqueue({ headDelayMs: 150, completionTokens: 1 });
  const first = send(key, chat("gpt-4o-mini", { max_tokens: 1_000 }));
  await until(() => world.mock.open() === 1, "the first is with the provider");
  world.mock.enqueue({ completionTokens: 600 });
  const beside = await send(key, chat("gpt-4o-mini", { max_tokens: 600 }));
  expect([beside.status, beside.headers.get("x-tollgate-output-cap")]).toEqual([200, null]);
  expect((await first).status).toBe(200);
  const shortened = await send(key, chat("gpt-4o-mini", { max_tokens: 5_000, max_completion_tokens: 4_000 }));
  const cap = Number(shortened.headers.get("x-tollgate-output-cap"));
  expect(cap).toBeGreaterThanOrEqual(64);
  expect(cap).toBeLessThan(1_100);
  // 9.1: every declared cap is lowered.
  expect(world.mock.requests.at(-1)?.body).toMatchObject({ max_tokens: cap, max_completion_tokens: cap });
});

test("3.3: an undeclared cap is a sixteenth of what is left, injected under a hard budget only", async () => {
  const key = await world.key({ max_budget: 0.01 });
  const answer = await send(key, undeclared);
  const cap = Number(answer.headers.get("x-tollgate-output-cap"));
  expect(world.mock.requests.at(-1)?.body.max_tokens).toBe(cap);
  expect(cap).toBeLessThanOrEqual(Math.floor(0.01 / 16 / 6e-7));
  expect(cap).toBeGreaterThan(900);
  const free = await send(await world.key({ tpm_limit: 100_000 }), undeclared);
  expect(free.headers.get("x-tollgate-output-cap")).toBeNull();
  expect(Object.keys(world.mock.requests.at(-1)?.body ?? {})).toEqual(["model", "messages"]);
  const rich = await send(await world.key({ max_budget: 1_000 }), undeclared);
  expect(rich.headers.get("x-tollgate-output-cap")).toBeNull();
});

test("7.3: deployments of one name are tried in order, moving on only when a limit of the deployment refuses", async () => {
  const key = await world.key({});
  const used: (string | null)[] = [];
  for (let index = 0; index < 3; index += 1) used.push((await send(key, chat("pair"))).headers.get("x-litellm-model-id"));
  expect(used).toEqual(["first", "second", "second"]);
  expect((await send(await world.key({ max_budget: 0 }), chat("pair"))).status).toBe(422);
  world.time.advance(61_000);
  world.mock.enqueue({ status: 500 });
  const failed = await send(key, chat("pair"));
  expect([failed.status, failed.headers.get("x-litellm-model-id")]).toEqual([500, "first"]);
});

test("7.3: what a key cannot pay at one deployment is not tried at a cheaper one; what a deployment has spent is", async () => {
  const poor = await send(await world.key({ max_budget: 0.001 }), chat("unlike"));
  expect([poor.status, poor.body["error"]]).toEqual([422, expect.objectContaining({ details: expect.objectContaining({ scope: "key" }) })]);
  const key = await world.key();
  world.mock.enqueue({ promptTokens: 10, completionTokens: 990 });
  const used: (string | null)[] = [];
  for (let index = 0; index < 2; index += 1) used.push((await send(key, chat("unlike"))).headers.get("x-litellm-model-id"));
  expect(used).toEqual(["dear", "cheap"]);
});

test("10.1: a customer that nobody made has the default budget, a pinned one cannot be changed, and new ones are counted per minute", async () => {
  const key = await world.key({});
  const big = chat("gpt-4o-mini", { max_tokens: 1_600, user: "spender" });
  world.mock.enqueue({ completionTokens: 1_600 });
  await send(key, big);
  const refused = await send(key, big);
  expect(refused.body["error"]).toMatchObject({ tollgate_code: "budget_exceeded", details: { scope: "customer", scope_id: "spender" } });
  const pinned = await world.key({ metadata: { customer_id: "spender" } });
  expect((await send(pinned, chat("gpt-4o-mini", { user: "somebody-else" }))).body["error"]).toMatchObject({ details: { scope_id: "spender" } });
  const flood = await world.key({});
  const statuses: number[] = [];
  for (let index = 0; index < 5; index += 1) statuses.push((await send(flood, chat("gpt-4o-mini", { user: `new-${index}` }))).status);
  expect(statuses).toEqual([200, 200, 200, 429, 429]);
  world.time.advance(60_000);
  expect((await send(flood, chat("gpt-4o-mini", { user: "new-9" }))).status).toBe(200);
});

test("5.10: an answer is priced by the model that it names, where that has a price", async () => {
  world.mock.enqueue({ responseModel: "gpt-4o", promptTokens: 100, completionTokens: 100 });
  const dearer = await world.gateway.call("POST", PATH, chat());
  expect(dearer.headers.get("x-litellm-response-cost")).toBe("0.00125");
  world.mock.enqueue({ responseModel: "nobody-knows", promptTokens: 100, completionTokens: 100 });
  expect((await world.gateway.call("POST", PATH, chat())).headers.get("x-litellm-response-cost")).toBe("0.000075");
});

test("10.3: metrics carry no key, user, customer or request text", async () => {
  const text = await (await fetch(`${world.gateway.url}/metrics`, { headers: { authorization: `Bearer ${world.gateway.master}` } })).text();
  for (const secret of ["spender", "new-1", "Hello there", "sk-", world.gateway.master]) expect(text).not.toContain(secret);
});
