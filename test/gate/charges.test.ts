import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UlidSource } from "../../src/base/ids.ts";
import { testGateway } from "../support/gateway.ts";

let gateway: Awaited<ReturnType<typeof testGateway>>;
beforeAll(async () => {
  gateway = await testGateway("tollgate: { log_level: silent }");
});
afterAll(() => gateway.stop());

type Json = Record<string, any>;
const ids = new UlidSource(randomBytes);
const id = (at = Date.now()): string => ids.next(at);
const charge = (body: object, key?: string) => gateway.call("POST", "/v1/tollgate/charges", { call_id: id(), model: "gpt-4o-mini", ...body }, key);
const spendOf = async (user: string): Promise<unknown> => (await gateway.call("GET", `/customer/info?end_user_id=${user}`)).body["spend"];
const USAGE = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 };

test("promise 4: a call that was metered elsewhere is charged once by its id, however often it is told", async () => {
  await gateway.call("POST", "/customer/new", { user_id: "a", max_budget: 1, budget_duration: "1d" });
  const call_id = id();
  const answers = await Promise.all(Array.from({ length: 20 }, () => charge({ call_id, user: "a", usage: USAGE, tags: ["t"], metadata: { job: 1 } })));
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { id: call_id, cost: 0.0000135, input_tokens: 10, output_tokens: 20 } });
  expect(answers.filter((answer) => answer.body["posted"]).length).toBe(1);
  expect((await charge({ call_id, user: "a", cost: 5 })).body).toMatchObject({ posted: false, cost: 0.0000135 });
  expect(await spendOf("a")).toBe(0.0000135);
  const { entries } = (await gateway.call("GET", `/v1/tollgate/requests/${call_id}`)).body as Json;
  expect(entries).toMatchObject([{ kind: "charge", cost: "0.0000135", overage: "0", customer: "a", tags: ["t"], metadata: { job: 1 } }]);
  expect((await gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, firstDifference: null });
});

test("it counts against every budget, above the cap too: the next request is refused", async () => {
  await gateway.call("POST", "/customer/new", { user_id: "b", max_budget: 0.5 });
  expect((await charge({ user: "b", cost: "0.600000001" })).status).toBe(200);
  expect(await spendOf("b")).toBe(0.600000001);
  const refused = await gateway.call("POST", "/v1/chat/completions", { model: "gpt-4o-mini", user: "b", max_tokens: 64, messages: [{ role: "user", content: "Hi" }] });
  expect(refused.status).toBe(422);
});

test("responses and embeddings in their own words; a model that is not known here by its cost", async () => {
  expect((await charge({ route: "responses", usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 } })).body).toMatchObject({ cost: 0.0000135 });
  expect((await charge({ route: "embeddings", model: "text-embedding-3-small", response: { data: [], usage: { prompt_tokens: 50, total_tokens: 50 } } })).body).toMatchObject({ cost: 0.000001 });
  expect((await charge({ model: "somewhere/else", cost: 0.25 })).body).toMatchObject({ cost: 0.25 });
});

test("a key charges itself, and learns nothing of another's call", async () => {
  const { key } = (await gateway.call("POST", "/key/generate", { max_budget: 1 })).body as Json;
  const other = ((await gateway.call("POST", "/key/generate", {})).body as Json)["key"];
  const call_id = id();
  expect((await charge({ call_id, cost: 0.3 }, key)).body).toMatchObject({ posted: true });
  expect((await charge({ call_id, cost: 0.3 }, other)).status).toBe(400);
  expect((await gateway.call("GET", "/key/info", undefined, key)).body["info"]).toMatchObject({ spend: 0.3 });
});

test.each<[object, string]>([
  [{ call_id: "chatcmpl-1", cost: 1 }, "invalid_request"], [{ call_id: id(Date.now() - 3_700_000), cost: 1 }, "invalid_request"], [{ call_id: id(Date.now() + 120_000), cost: 1 }, "invalid_request"],
  [{ cost: -1 }, "invalid_amount"], [{ cost: "NaN" }, "invalid_amount"], [{ cost: 1e30 }, "invalid_amount"], [{ cost: 10_001 }, "invalid_amount"], [{}, "invalid_request"], [{ cost: 1, usage: USAGE }, "invalid_request"],
  [{ usage: { ...USAGE, prompt_tokens: -1 } }, "invalid_request"], [{ usage: {} }, "invalid_request"], [{ model: "unknown", usage: USAGE }, "invalid_request"], [{ route: "images", cost: 1 }, "invalid_request"], [{ costs: 1 }, "unknown_field"],
])("%j: %s, and nothing is charged", async (body, code) => {
  const before = (await gateway.call("GET", "/global/spend")).body["spend"];
  const answer = await charge(body);
  expect([answer.status, (answer.body["error"] as Json)["tollgate_code"]]).toEqual([400, code]);
  expect((await gateway.call("GET", "/global/spend")).body["spend"]).toBe(before);
});
