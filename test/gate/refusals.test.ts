import { afterAll, beforeAll, expect, test } from "vitest";
import { chat, startWorld, until, type World } from "../support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld({});
});
afterAll(() => world.stop());

const PATH = "/v1/chat/completions";
type Answer = Awaited<ReturnType<World["gateway"]["call"]>>;
const send = (key: string, more: Record<string, unknown> = {}, model?: string): Promise<Answer> => world.gateway.call("POST", PATH, chat(model, more), key);

test("4.1, 4.6: a budget too small for a single request is exceeded, with every number in words and in members", async () => {
  const key = await world.key({ max_budget: 0.000001, budget_duration: "30d", key_alias: "tiny" });
  const answer = await send(key);
  expect(answer.status).toBe(422);
  expect(answer.headers.get("x-should-retry")).toBe("false");
  expect(answer.headers.get("retry-after")).toBeNull();
  const error = answer.body["error"] as { message: string; details: Record<string, string> };
  expect(error).toMatchObject({ type: "budget_exceeded", code: "422", tollgate_code: "budget_exceeded", details: { scope: "key", window: "30d", limit: "0.000001", spent: "0", held: "0" } });
  const reset = error.details["resets_at"] as string;
  expect(Date.parse(reset)).toBeGreaterThan(Date.now());
  expect(new Date(reset).getUTCDate()).toBe(1);
  for (const part of ["Budget has been exceeded!", "over 30d budget", "Current cost: 0", "Max budget: 0.000001", reset]) expect(error.message).toContain(part);
});

test("4.1: the status of a spent budget is a setting", async () => {
  const other = await startWorld({ yaml: "litellm_settings: { budget_exceeded_status_code: 402 }" });
  try {
    const key = await other.key({ max_budget: 0 });
    const answer = await other.gateway.call("POST", PATH, chat(), key);
    expect(answer.status).toBe(402);
    expect(answer.body["error"]).toMatchObject({ code: "402", type: "budget_exceeded" });
    expect(answer.headers.get("x-should-retry")).toBe("false");
  } finally {
    await other.stop();
  }
});

test("4.2: what only other requests hold is 429 budget_held, to be tried again in a second, and then admitted", async () => {
  const key = await world.key({ max_budget: 0.0001 });
  world.mock.enqueue({ headDelayMs: 300, completionTokens: 1 });
  const first = send(key);
  await until(async () => (await world.keyInfo(key)).tollgate.held > 0, "the first is admitted");
  const held = await send(key);
  expect([held.status, held.headers.get("x-should-retry"), held.headers.get("retry-after")]).toEqual([429, "true", "1"]);
  expect(held.body["error"]).toMatchObject({ tollgate_code: "budget_held", type: "budget_held", code: "429", details: { scope: "key", spent: "0", limit: "0.0001" } });
  expect((await first).status).toBe(200);
  expect((await send(key)).status).toBe(200);
});

test("4.3, 7.1: a request limit names itself and says exactly when to come back", async () => {
  const key = await world.key({ rpm_limit: 2 });
  const left = [];
  for (let index = 0; index < 2; index += 1) {
    const answer = await send(key);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-ratelimit-api_key-limit-requests")).toBe("2");
    expect(answer.headers.get("x-litellm-key-rpm-limit")).toBe("2");
    left.push(answer.headers.get("x-ratelimit-api_key-remaining-requests"));
    world.time.advance(10_000);
  }
  expect(left).toEqual(["1", "0"]);
  const refused = await send(key);
  expect(refused.status).toBe(429);
  expect(refused.headers.get("x-should-retry")).toBe("true");
  expect(refused.headers.get("x-ratelimit-api_key-limit-requests")).toBe("2");
  expect(refused.headers.get("x-ratelimit-api_key-remaining-requests")).toBe("0");
  expect(refused.headers.get("rate_limit_type")).toBe("requests");
  const message = (refused.body["error"] as { message: string }).message;
  for (const part of ["Rate limit exceeded for api_key", "Limit type: requests", "Current limit: 2", "Remaining: 0"]) expect(message).toContain(part);
  const after = Number(refused.headers.get("retry-after"));
  expect(after).toBeGreaterThan(35);
  expect(after).toBeLessThanOrEqual(40);
  world.time.advance((after - 2) * 1_000);
  expect((await send(key)).status).toBe(429);
  world.time.advance(2_000);
  expect((await send(key)).status).toBe(200);
});

test("4.3, 7.2: a token limit counts a quarter of the bytes and the cap at admission, and what was used afterwards", async () => {
  const key = await world.key({ tpm_limit: 1_000 });
  const bytes = JSON.stringify(chat()).length;
  world.mock.enqueue({ promptTokens: 10, completionTokens: 5 });
  const first = await send(key);
  expect(first.headers.get("x-ratelimit-api_key-limit-tokens")).toBe("1000");
  expect(first.headers.get("x-ratelimit-api_key-remaining-tokens")).toBe(String(1_000 - Math.ceil(bytes / 4) - 100));
  const second = await send(key);
  expect(second.headers.get("x-ratelimit-api_key-remaining-tokens")).toBe(String(1_000 - 15 - Math.ceil(bytes / 4) - 100));
  world.mock.enqueue({ promptTokens: 10, completionTokens: 900 });
  await send(key, { max_tokens: 800 });
  const refused = await send(key);
  expect(refused.status).toBe(429);
  expect(refused.body["error"]).toMatchObject({ tollgate_code: "rate_limited" });
  expect(refused.headers.get("x-ratelimit-api_key-remaining-tokens")).toBe("0");
});

test("4.3, 7.4: a parallel limit says one second, and the slot is free once the metering ends", async () => {
  const key = await world.key({ max_parallel_requests: 1 });
  world.mock.enqueue({ headDelayMs: 200 });
  const first = send(key);
  await until(() => world.mock.open() === 1, "the first is with the provider");
  const refused = await send(key);
  expect([refused.status, refused.headers.get("retry-after"), refused.headers.get("x-should-retry")]).toEqual([429, "1", "true"]);
  expect(refused.headers.get("x-ratelimit-api_key-limit-max_parallel_requests")).toBe("1");
  expect((await first).status).toBe(200);
  expect((await send(key)).status).toBe(200);
});

test("4.4: a request that no token limit can ever hold is 400 and not to be tried again", async () => {
  const key = await world.key({ tpm_limit: 50 });
  const refused = await send(key, { messages: [{ role: "user", content: "x".repeat(2_000) }] });
  expect([refused.status, refused.headers.get("x-should-retry"), refused.headers.get("retry-after")]).toEqual([400, "false", null]);
  expect(refused.body["error"]).toMatchObject({ tollgate_code: "request_exceeds_tpm", code: "400" });
});

test("3.1: never precedes not now, and money precedes rates", async () => {
  const key = await world.key({ max_budget: 0, rpm_limit: 0 });
  expect((await send(key)).body["error"]).toMatchObject({ tollgate_code: "budget_exceeded" });
  const zero = await world.key({ rpm_limit: 0 });
  const refused = await send(zero);
  expect(refused.body["error"]).toMatchObject({ tollgate_code: "rate_limited" });
  expect(refused.headers.get("x-should-retry")).toBe("false");
});

test("4.5: a refusal consumes nothing, leaves no ledger row, is counted, and can be looked up by its call id", async () => {
  const key = await world.key({ max_budget: 0, rpm_limit: 5 });
  let refused: Answer | undefined;
  for (let index = 0; index < 10; index += 1) refused = await send(key);
  const callId = refused?.headers.get("x-litellm-call-id") as string;
  expect(await world.requestDetails(callId)).toMatchObject({ entries: [], refusal: { outcome: "budget_exceeded", scope: "key" } });
  expect((await world.gateway.call("GET", `/spend/logs?api_key=${key}`)).body).toEqual([]);
  await world.gateway.call("POST", "/key/update", { key, max_budget: 1 });
  expect((await send(key)).headers.get("x-ratelimit-api_key-remaining-requests")).toBe("4");
  const metrics = await (await fetch(`${world.gateway.url}/metrics`, { headers: { authorization: `Bearer ${world.gateway.master}` } })).text();
  expect(metrics).toMatch(/tollgate_refusals_total\{outcome="budget_exceeded",scope="key",measure="nanoUsd"\} \d+/);
});

test("4.7: a soft budget refuses nothing, is told in a header from its crossing on, and counted once per window", async () => {
  const key = await world.key({ soft_budget: 0.00002, budget_duration: "1h" });
  world.time.to(Math.ceil(world.time.now() / 3_600_000) * 3_600_000 + 1_000);
  const crossings = async (): Promise<number> => {
    const text = await (await fetch(`${world.gateway.url}/metrics`, { headers: { authorization: `Bearer ${world.gateway.master}` } })).text();
    return Number(/tollgate_soft_budgets_crossed_total\{scope="key"\} (\d+)/.exec(text)?.[1] ?? 0);
  };
  world.mock.enqueue({ promptTokens: 10, completionTokens: 1 }, { promptTokens: 10, completionTokens: 90 });
  expect((await send(key)).headers.get("x-tollgate-soft-budget")).toBeNull();
  expect(await crossings()).toBe(0);
  // The request that crosses it says so, though no other may ever follow.
  expect((await send(key)).headers.get("x-tollgate-soft-budget")).toBe("key");
  expect(await crossings()).toBe(1);
  for (let index = 0; index < 3; index += 1) expect((await send(key)).headers.get("x-tollgate-soft-budget")).toBe("key");
  expect(await crossings()).toBe(1);
  world.time.advance(3_600_000);
  world.mock.enqueue({ promptTokens: 10, completionTokens: 1 }, { promptTokens: 10, completionTokens: 90 });
  expect((await send(key)).headers.get("x-tollgate-soft-budget")).toBeNull();
  await send(key);
  expect(await crossings()).toBe(2);
});

test("each scope's refusal names its scope, and the key's own numbers stand in headers of successes", async () => {
  const call = world.gateway.call;
  await call("POST", "/team/new", { team_id: "team-a", max_budget: 0.5, rpm_limit: 50, tpm_limit: 100_000 });
  await call("POST", "/user/new", { user_id: "user-a" });
  await call("POST", "/team/member_add", { team_id: "team-a", member: { role: "user", user_id: "user-a" }, max_budget_in_team: 0.4 });
  await call("POST", "/customer/new", { user_id: "customer-a", max_budget: 0 });
  const key = await world.key({ team_id: "team-a", user_id: "user-a", max_budget: 0.3, rpm_limit: 60, tpm_limit: 50_000, model_rpm_limit: { "gpt-4o-mini": 7 } });
  world.mock.enqueue({ promptTokens: 100, completionTokens: 100 });
  const first = await send(key);
  expect(Object.fromEntries([...first.headers].filter(([name]) => /^x-(litellm|tollgate|ratelimit)/.test(name)))).toEqual({
    "x-litellm-call-id": expect.stringMatching(/^[0-9A-Z]{26}$/), "x-litellm-model-id": "gpt-4o-mini/openai/gpt-4o-mini", "x-litellm-model-group": "gpt-4o-mini",
    "x-litellm-key-max-budget": "0.3", "x-litellm-key-rpm-limit": "60", "x-litellm-key-tpm-limit": "50000", "x-litellm-key-spend": "0",
    "x-litellm-response-cost": "0.000075", "x-litellm-response-duration-ms": expect.stringMatching(/^\d+$/), "x-tollgate-held": expect.stringMatching(/^0\.0000\d+$/),
    "x-ratelimit-api_key-limit-requests": "60", "x-ratelimit-api_key-remaining-requests": "59",
    "x-ratelimit-api_key-limit-tokens": "50000", "x-ratelimit-api_key-remaining-tokens": expect.stringMatching(/^498\d\d$/),
    "x-ratelimit-team-limit-requests": "50", "x-ratelimit-team-remaining-requests": "49",
    "x-ratelimit-team-limit-tokens": "100000", "x-ratelimit-team-remaining-tokens": expect.stringMatching(/^998\d\d$/),
    "x-ratelimit-model_per_key-limit-requests": "7", "x-ratelimit-model_per_key-remaining-requests": "6", "x-litellm-key-remaining-requests-gpt-4o-mini": "6",
  });
  expect((await send(key)).headers.get("x-litellm-key-spend")).toBe("0.000075");
  const customer = await send(key, { user: "customer-a" });
  expect(customer.body["error"]).toMatchObject({ tollgate_code: "budget_exceeded", details: { scope: "customer", scope_id: "customer-a" } });
  await call("POST", "/team/new", { team_id: "team-b", max_budget: 0 });
  expect((await send(await world.key({ team_id: "team-b" }))).body["error"]).toMatchObject({ tollgate_code: "budget_exceeded", details: { scope: "team", scope_id: "team-b" } });
});

test("a streamed answer's cost comes in trailers to who asks for them, and by its call id in any case", async () => {
  const { RawClient } = await import("../support/raw-client.ts");
  const client = new RawClient(world.gateway.url);
  world.mock.enqueue({ promptTokens: 100, completionTokens: 100 });
  const body = JSON.stringify(chat("gpt-4o-mini", { stream: true }));
  client.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${world.gateway.master}\r\nte: trailers\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  const text = await client.until((received) => /x-tollgate-held: [\d.]+\r\n\r\n$/.test(received));
  client.destroy();
  expect(text).toMatch(/\r\ntrailer: x-litellm-response-cost/i);
  expect(text).toMatch(/\r\n0\r\nx-litellm-response-cost: 0\.000075\r\n/);
  const callId = /x-litellm-call-id: (\w+)/.exec(text)?.[1] as string;
  expect(await world.requestDetails(callId)).toMatchObject({ cost: "0.000075" });
});
