import OpenAI from "openai";
import { afterEach, expect, test } from "vitest";
import { testGateway } from "../support/gateway.ts";
import { startMockProvider } from "../support/mock-provider.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function world() {
  const mock = await startMockProvider({});
  cleanups.push(() => mock.close());
  const gateway = await testGateway(`
litellm_settings: { max_budget: 1000 }
model_list:
  - model_name: gpt-4o-mini
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 }
tollgate: { log_level: silent }
`);
  cleanups.push(() => gateway.stop());
  return { mock, gateway };
}

test("promise 1: 300 parallel requests never pass a key's budget, holds return to zero, and the books equal the provider's bill", async () => {
  const { mock, gateway } = await world();
  const made = await gateway.call("POST", "/key/generate", { max_budget: 0.01 });
  expect(made.status).toBe(200);
  const key = made.body["key"] as string;
  const answers = await Promise.all(Array.from({ length: 300 }, () => gateway.call("POST", "/v1/chat/completions", { model: "gpt-4o-mini", max_tokens: 200, messages: [{ role: "user", content: "Hello there" }] }, key)));
  const statuses = new Set(answers.map((answer) => answer.status));
  for (const status of statuses) expect([200, 422, 429]).toContain(status);
  expect(statuses.has(200)).toBe(true);
  const info = (await gateway.call("GET", `/key/info?key=${key}`)).body["info"] as { spend: number; tollgate: { held: number } };
  expect(info.spend).toBeLessThanOrEqual(0.01);
  expect(info.tollgate.held).toBe(0);
  const audit = (await gateway.call("GET", "/v1/tollgate/audit")).body as { agree: boolean; totalNanoUsd: string };
  expect(audit.agree).toBe(true);
  expect(BigInt(audit.totalNanoUsd)).toBe(mock.bill().totalNanoUsd);
});

test("4.1 a spent budget answers 422 and is not to be retried, naming scope, spent and limit", async () => {
  const { gateway } = await world();
  const key = (await gateway.call("POST", "/key/generate", { max_budget: 0 })).body["key"] as string;
  const answer = await gateway.call("POST", "/v1/chat/completions", { model: "gpt-4o-mini", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }, key);
  expect(answer.status).toBe(422);
  expect(answer.headers.get("x-should-retry")).toBe("false");
  expect(answer.body["error"]).toMatchObject({ type: "budget_exceeded", code: "422", message: expect.stringContaining("Budget has been exceeded! Current cost: 0, Max budget: 0") });
});

test("the openai client works unchanged, plain and streamed, and each request has its cost lines", async () => {
  const { gateway } = await world();
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.master });
  const plain = await client.chat.completions.create({ model: "gpt-4o-mini", max_tokens: 50, messages: [{ role: "user", content: "Hi" }] }).withResponse();
  expect(plain.data.choices[0]?.message.content).toBeTruthy();
  const stream = await client.chat.completions.create({ model: "gpt-4o-mini", max_tokens: 50, stream: true, messages: [{ role: "user", content: "Hi" }] }).withResponse();
  let usageSeen = false;
  for await (const chunk of stream.data) usageSeen ||= chunk.usage !== undefined && chunk.usage !== null;
  expect(usageSeen).toBe(false);
  for (const response of [plain.response, stream.response]) {
    const id = response.headers.get("x-litellm-call-id") as string;
    const details = (await gateway.call("GET", `/v1/tollgate/requests/${id}`)).body as { cost: string; entries: { lines: unknown[] }[] };
    expect(details.entries).toHaveLength(1);
    expect(details.entries[0]?.lines.length).toBeGreaterThan(0);
    expect(Number(details.cost)).toBeGreaterThan(0);
  }
});
