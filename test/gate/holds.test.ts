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
const REQUEST = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };
const USAGE = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 };
/** 10 x $0.15 + 20 x $0.60 for a million. */
const COST = 0.0000135;

async function world(options: { more?: string; folder?: string; time?: { now(): number; monotonic(): number } } = {}) {
  const mock = await startMockProvider({ standard: { promptTokens: 10, completionTokens: 20 } });
  cleanups.push(() => mock.close());
  const gateway = await testGateway(`
litellm_settings: { max_budget: 1000 }
model_list:
  - { model_name: m, litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 } }
  - { model_name: embed, litellm_params: { model: openai/text-embedding-3-small, api_key: sk-upstream, api_base: ${mock.url}/v1 } }
tollgate: { log_level: silent${options.more ?? ""} }
`, options.folder, options.time);
  cleanups.push(() => gateway.stop());
  const made = async (path: string, body: object): Promise<Json> => (await gateway.call("POST", path, body)).body;
  const hold = (body: object, key?: string) => gateway.call("POST", "/v1/tollgate/holds", body, key);
  const end = async (id: string, how: string, body: object, key?: string) => gateway.call("POST", `/v1/tollgate/holds/${id}/${how}`, body, key);
  const entries = async (id: string): Promise<Json[]> => ((await gateway.call("GET", `/v1/tollgate/requests/${id}`)).body as Json)["entries"];
  const standing = async (user: string): Promise<[number, number]> => {
    const { body } = await gateway.call("GET", `/customer/info?end_user_id=${user}`);
    return [body["spend"] as number, (body["tollgate"] as Json)["held"]];
  };
  return { mock, gateway, made, hold, end, entries, standing };
}

describe("a hold without a request", () => {
  test("keeps a customer's money, and settles at what the provider's answer cost", async () => {
    const { made, hold, end, entries, standing, mock, gateway } = await world();
    await made("/customer/new", { user_id: "c", max_budget: 1, budget_duration: "30d" });
    const { status, body } = await hold({ request: REQUEST, user: "c" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: "m", provider: "openai", upstream_model: "gpt-4o-mini", output_cap: 100 });
    expect(Date.parse(String(body["expires_at"]))).toBeGreaterThan(Date.now() + 590_000);
    expect(await standing("c")).toEqual([0, body["held"]]);
    const id = String(body["id"]);
    expect((await end(id, "settle", { usage: USAGE })).body).toMatchObject({ id, cost: COST, overage: 0, estimated: null, input_tokens: 10, output_tokens: 20 });
    expect(await standing("c")).toEqual([COST, 0]);
    expect(await entries(id)).toMatchObject([{ cost: "0.0000135", route: "hold:chat_completions", estimated: null }]);
    expect(mock.requests).toHaveLength(0);
    expect((await gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true });
  });

  test("settles once: a second settlement changes nothing and tells what stands", async () => {
    const { made, hold, end, standing, entries } = await world();
    await made("/customer/new", { user_id: "c", max_budget: 1 });
    const id = String((await hold({ request: { ...REQUEST, user: "c" } })).body["id"]);
    const answers = await Promise.all([{ usage: USAGE }, { cost: 0.5 }, { usage: USAGE }].map((body) => end(id, "settle", body)));
    answers.push(await end(id, "release", {}));
    for (const answer of answers) expect(answer.body).toEqual(answers[0]?.body);
    expect(await standing("c")).toEqual([COST, 0]);
    expect(await entries(id)).toHaveLength(1);
  });

  test("released it costs nothing; a cost is taken as it is, to the nano-dollar; a whole answer is read", async () => {
    const { made, hold, end, standing } = await world();
    await made("/customer/new", { user_id: "c", max_budget: 1 });
    const reserve = async (): Promise<string> => String((await hold({ request: REQUEST, user: "c" })).body["id"]);
    expect((await end(await reserve(), "release", {})).body).toMatchObject({ cost: 0 });
    expect(await standing("c")).toEqual([0, 0]);
    expect((await end(await reserve(), "settle", { cost: "0.000000123" })).body).toMatchObject({ cost: 0.000000123, estimated: null });
    const response = { id: "x", model: "gpt-4o-mini", choices: [], usage: USAGE };
    expect((await end(await reserve(), "settle", { response })).body).toMatchObject({ cost: COST });
    expect(await standing("c")).toEqual([0.000013623, 0]);
  });

  test("5.3 usage that cannot be believed charges the whole hold", async () => {
    const { hold, end } = await world();
    for (const usage of [{ ...USAGE, completion_tokens: -20 }, { ...USAGE, total_tokens: 3 }, { prompt_tokens: 1.5, completion_tokens: 1 }, {}, []]) {
      const { body } = await hold({ request: REQUEST });
      const settled = await end(String(body["id"]), "settle", { usage });
      expect(settled.body).toMatchObject({ cost: body["held"], estimated: expect.stringMatching(/^usage_/) });
    }
  });

  test("5.3 what broke off or failed charges the whole hold, whatever usage it tells: a chunk of a stream that was not the last, an error, a failed response", async () => {
    const { hold, end } = await world();
    const chunk = (choices: object[]): object => ({ id: "a", object: "chat.completion.chunk", model: "m", choices, usage: USAGE });
    for (const response of [chunk([{ index: 0, delta: { content: "Hi" }, finish_reason: null }]), chunk([{ index: 0, delta: {} }]), { ...chunk([]), error: { message: "no" } }]) {
      const { body } = await hold({ request: REQUEST });
      expect((await end(String(body["id"]), "settle", { response })).body).toMatchObject({ cost: body["held"], estimated: "cut_short" });
    }
    const held = (await hold({ route: "responses", request: { model: "m", input: "Hi", max_output_tokens: 100 } })).body;
    const failed = { id: "r", object: "response", status: "failed", model: "m", output: [], usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 } };
    expect((await end(String(held["id"]), "settle", { response: failed })).body).toMatchObject({ cost: held["held"], estimated: "cut_short" });
    // The last chunk of a stream tells it all: that of the finish, or the one behind it.
    for (const response of [chunk([{ index: 0, delta: {}, finish_reason: "stop" }]), chunk([])]) {
      const { body } = await hold({ request: REQUEST });
      expect((await end(String(body["id"]), "settle", { response })).body).toMatchObject({ cost: COST, estimated: null });
    }
  });

  test("holds for embeddings and responses in their own words", async () => {
    const { hold, end } = await world();
    const embed = (await hold({ route: "embeddings", request: { model: "embed", input: "Hi" } })).body;
    expect(embed).toMatchObject({ output_cap: 0 });
    expect((await end(String(embed["id"]), "settle", { usage: { prompt_tokens: 5, total_tokens: 5 } })).body).toMatchObject({ cost: 0.0000001 });
    const response = (await hold({ route: "responses", request: { model: "m", input: "Hi", max_output_tokens: 100 } })).body;
    expect((await end(String(response["id"]), "settle", { usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 } })).body).toMatchObject({ cost: COST });
  });

  test("4.1, 4.2 refused like a request, with its status and headers: spent for good, held for a moment", async () => {
    const { made, hold, end } = await world();
    await made("/customer/new", { user_id: "c", max_budget: 0.0001 });
    const first = await hold({ request: REQUEST, user: "c" });
    const second = await hold({ request: REQUEST, user: "c" });
    expect(second.status).toBe(429);
    expect(second.body).toMatchObject({ error: { tollgate_code: "budget_held" } });
    expect([second.headers.get("x-should-retry"), second.headers.get("retry-after")]).toEqual(["true", "1"]);
    await end(String(first.body["id"]), "settle", { cost: 0.0001 });
    const third = await hold({ request: REQUEST, user: "c" });
    expect([third.status, third.headers.get("x-should-retry")]).toEqual([422, "false"]);
    expect(third.body).toMatchObject({ error: { type: "budget_exceeded", details: { scope: "customer", spent: "0.0001" } } });
  });

  test("promise 1: of 200 holds at once the budget grants no more than it has, and settled at their worst they never pass it", async () => {
    const { made, hold, end, standing } = await world();
    await made("/customer/new", { user_id: "c", max_budget: 0.001 });
    const answers = await Promise.all(Array.from({ length: 200 }, () => hold({ request: REQUEST, user: "c" })));
    const held = answers.filter((answer) => answer.status === 200);
    expect(held.length).toBeGreaterThan(3);
    expect((await standing("c"))[1]).toBeLessThanOrEqual(0.001);
    await Promise.all(held.map(({ body }) => end(String(body["id"]), "settle", { cost: body["held"] })));
    const [spent, still] = await standing("c");
    expect(spent).toBeLessThanOrEqual(0.001);
    expect(still).toBe(0);
  });

  test("a key holds its own money, for its own customers, and touches no hold of another", async () => {
    const { made, hold, end } = await world();
    const { key } = await made("/key/generate", { max_budget: 1, metadata: { customer_id: "pinned" } });
    const other = (await made("/key/generate", {}))["key"];
    const mine = await hold({ request: REQUEST, user: "somebody else" }, key);
    const id = String(mine.body["id"]);
    expect((await end(id, "release", {}, other)).status).toBe(404);
    expect((await end(id, "settle", { cost: 1 }, other)).status).toBe(404);
    expect((await end(id, "settle", { usage: USAGE }, key)).status).toBe(200);
    expect((await end(id, "settle", { usage: USAGE }, other)).status).toBe(404);
    expect((await end(id, "settle", { usage: USAGE })).body).toMatchObject({ cost: COST });
    expect((await hold({ request: REQUEST }, "sk-unknown")).status).toBe(401);
  });

  test.each<[object, number, string]>([
    [{}, 400, "invalid_request"], [{ request: [] }, 400, "invalid_request"], [{ request: "x" }, 400, "invalid_request"], [{ request: REQUEST, route: "images" }, 400, "invalid_request"],
    [{ request: { ...REQUEST, max_tokens: -1 } }, 400, "invalid_request"], [{ request: { ...REQUEST, model: "unknown" } }, 400, "unknown_model"], [{ request: REQUEST, usr: "c" }, 400, "unknown_field"],
    [{ request: { ...REQUEST, tools: [{ type: "web_search" }] } }, 400, "cost_not_boundable"], [{ request: REQUEST, user: "u".repeat(300) }, 400, "invalid_request"],
  ])("%j: %s %s", async (body, status, code) => {
    const { hold } = await world();
    const answer = await hold(body);
    expect([answer.status, (answer.body["error"] as Json)["tollgate_code"]]).toEqual([status, code]);
  });

  test("nonsense settles nothing", async () => {
    const { hold, end } = await world();
    const { body } = await hold({ request: REQUEST });
    for (const outcome of [{}, { cost: -1 }, { cost: "NaN" }, { cost: 1e30 }, { cost: 10_001 }, { cost: 1, usage: USAGE }, { tokens: 3 }, { usage: null }]) expect((await end(String(body["id"]), "settle", outcome)).status).toBe(400);
    expect((await end(String(body["id"]), "release", { why: 1 })).status).toBe(400);
    expect((await end("01ARZ3NDEKTSV4RRFFQ69G5FAV", "settle", { cost: 0 })).status).toBe(404);
    expect((await end("__proto__", "release", {})).status).toBe(404);
    expect((await end(String(body["id"]), "release", {})).status).toBe(200);
  });
});

describe("a hold that nobody settles", () => {
  test("5.3, 5.6 is charged in full after the request limit, and corrected once by a settlement that arrives after all", async () => {
    let ahead = 0;
    const time = { now: () => Date.now() + ahead, monotonic: () => performance.now() + ahead };
    const { made, hold, end, standing, entries, gateway } = await world({ time });
    await made("/customer/new", { user_id: "c", max_budget: 1 });
    const { body } = await hold({ request: REQUEST, user: "c" });
    ahead = 601_000;
    await expect.poll(() => standing("c"), { timeout: 5_000 }).toEqual([body["held"], 0]);
    expect(await entries(String(body["id"]))).toMatchObject([{ estimated: "no_status", status: "timeout" }]);
    const late = await Promise.all([{ usage: USAGE }, { usage: USAGE }, { cost: 9 }].map((outcome) => end(String(body["id"]), "settle", outcome)));
    for (const answer of late) expect(answer.body).toMatchObject({ cost: COST, estimated: null });
    expect(await standing("c")).toEqual([COST, 0]);
    expect(await entries(String(body["id"]))).toMatchObject([{ kind: "charge", estimated: "no_status" }, { kind: "correction" }]);
    expect((await gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, firstDifference: null });
  });

  test("5.7 is charged in full when the gateway stops, and stands so after the restart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tollgate-holds-"));
    const first = await world({ folder });
    await first.made("/customer/new", { user_id: "c", max_budget: 1 });
    const { body } = await first.hold({ request: REQUEST, user: "c" });
    await first.gateway.close();
    const second = await world({ folder });
    expect(second.gateway.recovered.crashed).toBe(0);
    expect(await second.standing("c")).toEqual([body["held"], 0]);
    expect(await second.entries(String(body["id"]))).toMatchObject([{ estimated: "shutdown" }]);
    expect((await second.end(String(body["id"]), "settle", { cost: 0 })).status).toBe(404);
    expect((await second.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true });
  });
});
