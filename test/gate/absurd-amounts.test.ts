import { afterAll, beforeAll, expect, test } from "vitest";
import { chat, startWorld, type World } from "../support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld({
    models: (mockUrl) => `
  - model_name: dear
    litellm_params: { model: openai/dear, api_key: sk-upstream, api_base: "${mockUrl}/v1", input_cost_per_token: 1e300, output_cost_per_token: 1e300 }
  - model_name: dear-in
    litellm_params: { model: openai/dear-in, api_key: sk-upstream, api_base: "${mockUrl}/v1", input_cost_per_token: 1, output_cost_per_token: 0 }
`,
    mock: { models: { "dear-in": { usageText: '{"prompt_tokens":10000000,"completion_tokens":1,"total_tokens":10000001}' } } },
  });
});
afterAll(() => world.stop());

/** Whatever was asked, the ledger goes on and agrees. */
async function booksAreSound(): Promise<void> {
  expect((await world.gateway.call("POST", "/key/generate", {})).status).toBe(200);
  expect((await world.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true });
}

test.each([
  ["an output cap beyond all sense", chat("gpt-4o-mini", { max_tokens: Number.MAX_SAFE_INTEGER })],
  ["the same in the other member, times 128", chat("gpt-4o-mini", { max_tokens: null, max_completion_tokens: Number.MAX_SAFE_INTEGER, n: 128 })],
  ["a price beyond all sense", chat("dear")],
])("%s is refused where no budget bounds it, by name, and nobody else is harmed", async (_name, body) => {
  const bills = world.mock.bill().entries.length;
  const answer = await world.gateway.call("POST", "/v1/chat/completions", body, await world.key());
  expect(answer).toMatchObject({ status: 400, body: { error: { tollgate_code: "invalid_request", param: "max_tokens" } } });
  expect(world.mock.bill().entries).toHaveLength(bills);
  await booksAreSound();
});

test("a large cap that is no mistake passes as it is, and under a budget it is lowered to what the budget affords", async () => {
  const body = chat("gpt-4o-mini", { max_tokens: 2_147_483_647 });
  expect((await world.gateway.call("POST", "/v1/chat/completions", body, await world.key())).status).toBe(200);
  expect(world.mock.requests.at(-1)?.body["max_tokens"]).toBe(2_147_483_647);
  const capped = await world.gateway.call("POST", "/v1/chat/completions", chat("gpt-4o-mini", { max_tokens: Number.MAX_SAFE_INTEGER }), await world.key({ max_budget: 0.01 }));
  expect(capped.status).toBe(200);
  expect(Number(capped.headers.get("x-tollgate-output-cap"))).toBeLessThan(20_000);
  await booksAreSound();
});

test("GATE 5.3: usage that would cost more than any request can is not believed; the hold is charged", async () => {
  const answer = await world.gateway.call("POST", "/v1/chat/completions", chat("dear-in"), await world.key());
  expect(answer.status).toBe(200);
  const details = await world.requestDetails(answer.headers.get("x-litellm-call-id") as string);
  expect(details.entries).toMatchObject([{ estimated: "usage_unbelievable", cost: answer.headers.get("x-tollgate-held") }]);
  expect(Number(details.cost)).toBeLessThan(1_000);
  await booksAreSound();
});
