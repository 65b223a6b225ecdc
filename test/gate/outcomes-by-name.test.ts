import { afterAll, beforeAll, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/base/errors.ts";
import { chat, startWorld, until, type World } from "../support/world.ts";

const PATH = "/v1/chat/completions";
let world: World;
beforeAll(async () => {
  world = await startWorld({ models: (url) => `
  - model_name: nameless
    litellm_params: { model: openai/nobody-prices-this, api_key: sk-up, api_base: "${url}/v1" }` });
});
afterAll(() => world.stop());

/** What a key may do, what it asks, and what that comes to. `busy`: another request of the key is with the provider. */
const OUTCOMES: readonly (readonly [outcome: string, status: number, key: Record<string, unknown>, body: Record<string, unknown>, busy: boolean])[] = [
  ["budget_exceeded", 422, { max_budget: 0.000001 }, {}, false],
  ["budget_held", 429, { max_budget: 0.0001 }, {}, true],
  ["rate_limited", 429, { rpm_limit: 1 }, {}, true],
  ["rate_limited", 429, { max_parallel_requests: 1 }, {}, true],
  ["request_exceeds_tpm", 400, { tpm_limit: 60 }, {}, false],
  ["cost_not_boundable", 400, { max_budget: 1 }, { service_tier: "priority" }, false],
  ["unpriced", 400, { max_budget: 1 }, { model: "nameless" }, false],
];

test.each(OUTCOMES)("GATE 1.7: %s is told by its name, %i, and nothing of it is sent", async (outcome, status, fields, more, busy) => {
  const key = await world.key(fields);
  let first: Promise<unknown> = Promise.resolve();
  if (busy) {
    world.mock.enqueue({ headDelayMs: 200, completionTokens: 1 });
    first = world.gateway.call("POST", PATH, chat(), key);
    await until(() => world.mock.open() === 1, "the first is with the provider");
  }
  const sent = world.mock.requests.length;
  const answer = await world.gateway.call("POST", PATH, chat("gpt-4o-mini", more), key);
  expect([answer.status, answer.body["error"]]).toEqual([status, expect.objectContaining({ tollgate_code: outcome, code: String(status) })]);
  expect(world.mock.requests.length).toBe(sent);
  expect(ERROR_CODES).toHaveProperty(outcome);
  await first;
});

test("GATE 1.7: admitted is an outcome too: a metric by the name of what came of it, and a cap that stands in the answer", async () => {
  const key = await world.key({ max_budget: 0.00006 });
  world.mock.enqueue({ completionTokens: 1 }, { status: 500 });
  const answer = await world.gateway.call("POST", PATH, chat(), key);
  expect([answer.status, Number(answer.headers.get("x-tollgate-output-cap")) >= 64]).toEqual([200, true]);
  await world.gateway.call("POST", PATH, chat(), await world.key());
  const metrics = await (await fetch(`${world.gateway.url}/metrics`, { headers: { authorization: `Bearer ${world.gateway.master}` } })).text();
  for (const outcome of ["ok", "upstream_error"]) expect(metrics).toMatch(new RegExp(`tollgate_requests_total\\{model="gpt-4o-mini",provider="openai",outcome="${outcome}"\\} \\d`));
  for (const [outcome] of OUTCOMES.slice(0, 5)) expect(metrics).toContain(`tollgate_refusals_total{outcome="${outcome}"`);
});
