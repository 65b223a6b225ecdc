import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testGateway } from "../support/gateway.ts";

let gateway: Awaited<ReturnType<typeof testGateway>>;
beforeAll(async () => {
  gateway = await testGateway("tollgate: { log_level: silent }");
});
afterAll(() => gateway.stop());

const ask = (path: string, body: unknown) => gateway.call("POST", path, body);
const code = (answer: { body: Record<string, unknown> }): unknown => (answer.body["error"] as Record<string, unknown>)["tollgate_code"];

describe("/spend/calculate", () => {
  test.each([
    ["chat", { model: "gpt-4o-mini", usage: { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 } }, 0.00000855],
    ["cached", { model: "gpt-4o-mini-2024-07-18", usage: { prompt_tokens: 2_000, completion_tokens: 0, total_tokens: 2_000, prompt_tokens_details: { cached_tokens: 1_000 } } }, 0.000225],
    ["a response", { model: "gpt-4o-mini", output: [], usage: { input_tokens: 9, output_tokens: 12, total_tokens: 21 } }, 0.00000855],
    ["embeddings", { model: "text-embedding-3-small", data: [], usage: { prompt_tokens: 50, total_tokens: 50 } }, 0.000001],
  ])("%s: what the gate would charge", async (_title, completion_response, cost) => {
    const model = completion_response.model.startsWith("text") ? "text-embedding-3-small" : "gpt-4o-mini";
    expect((await ask("/spend/calculate", { model, completion_response })).body).toMatchObject({ cost, tollgate: { estimated: false } });
  });

  test("messages alone are estimated, and say so", async () => {
    const { body } = await ask("/spend/calculate", { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi there" }] });
    expect(body).toMatchObject({ cost: 0.0000015, tollgate: { estimated: true } });
  });

  test.each<[unknown, number, string]>([
    [{}, 400, "invalid_request"], [{ model: "gpt-4o-mini" }, 400, "invalid_request"], [{ model: "no-such", messages: [] }, 404, "not_found"], [{ model: "gpt-4o-mini", completion_response: "x" }, 400, "invalid_request"],
    [{ model: "gpt-4o-mini", completion_response: { usage: { prompt_tokens: -1, completion_tokens: 1 } } }, 400, "invalid_request"], [{ modell: "x" }, 400, "unknown_field"],
    [{ model: "text-embedding-3-small", completion_response: { usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } } }, 400, "unpriced"],
  ])("%j: %s %s", async (body, status, expected) => {
    const answer = await ask("/spend/calculate", body);
    expect([answer.status, code(answer)]).toEqual([status, expected]);
  });
});

describe("/cost/estimate", () => {
  test("says what one request costs, by side, by day and by month", async () => {
    const { body } = await ask("/cost/estimate", { model: "gpt-4o-mini", input_tokens: 1_000, cache_read_input_tokens: 400, output_tokens: 500, reasoning_tokens: 100, num_requests_per_day: 10, num_requests_per_month: 300 });
    expect(body).toMatchObject({ cost_per_request: 0.00042, input_cost_per_request: 0.00012, output_cost_per_request: 0.0003, daily_cost: 0.0042, monthly_cost: 0.126, input_cost_per_token: 1.5e-7, output_cost_per_token: 6e-7 });
  });

  test.each<[object, number, string]>([
    [{}, 400, "invalid_request"], [{ model: "no-such" }, 404, "not_found"], [{ model: "gpt-4o-mini", input_tokens: -1 }, 400, "invalid_request"], [{ model: "gpt-4o-mini", input_tokens: "5" }, 400, "invalid_request"],
    [{ model: "gpt-4o-mini", input_tokens: 5, cache_read_input_tokens: 6 }, 400, "invalid_request"], [{ model: "gpt-4o-mini", output_tokens: 1e300 }, 400, "invalid_request"], [{ model: "text-embedding-3-small", output_tokens: 5 }, 400, "unpriced"],
  ])("%j: %s %s", async (body, status, expected) => {
    const answer = await ask("/cost/estimate", body);
    expect([answer.status, code(answer)]).toEqual([status, expected]);
  });
});
