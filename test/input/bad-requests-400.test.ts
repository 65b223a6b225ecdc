import { afterAll, beforeAll, expect, test } from "vitest";
import { chat, startWorld, until, type World } from "../support/world.ts";

let world: World;
let key: string;

beforeAll(async () => {
  world = await startWorld({
    models: (url) => `
  - model_name: free-of-price
    litellm_params: { model: vllm/nobody-knows-it, api_base: "${url}/v1" }`,
  });
  key = await world.key({ max_budget: 1, models: [] });
});
afterAll(() => world.stop());

async function post(body: string | Uint8Array, headers: Record<string, string> = {}, who = key): Promise<{ status: number; headers: Headers; error: { code: string; tollgate_code: string; message: string; type: string; param: string | null } }> {
  const response = await fetch(`${world.gateway.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${who}`, "content-type": "application/json", ...headers }, body: body as string });
  const answer = (await response.json()) as { error: never };
  return { status: response.status, headers: response.headers, error: answer.error };
}

const MESSAGES = '"messages":[{"role":"user","content":"Hi"}]';
const nest = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

const BAD: readonly [title: string, body: string | Uint8Array, status: number, code: string, param?: string][] = [
  ["an empty body", "", 400, "invalid_json"],
  ["half an object", '{"model":"gpt-4o-mini"', 400, "invalid_json"],
  ["a word", "hello", 400, "invalid_json"],
  ["NaN", `{"model":"gpt-4o-mini","max_tokens":NaN,${MESSAGES}}`, 400, "invalid_json"],
  ["an array", "[]", 400, "invalid_request"],
  ["null", "null", 400, "invalid_request"],
  ["no model", `{${MESSAGES}}`, 400, "invalid_request", "model"],
  ["a number as model", `{"model":7,${MESSAGES}}`, 400, "invalid_request", "model"],
  ["an endless model name", `{"model":"${"m".repeat(5_000)}",${MESSAGES}}`, 400, "invalid_request", "model"],
  ["no messages", '{"model":"gpt-4o-mini"}', 400, "invalid_request", "messages"],
  ["no message in messages", '{"model":"gpt-4o-mini","messages":[]}', 400, "invalid_request", "messages"],
  ["a text as message", '{"model":"gpt-4o-mini","messages":["Hi"]}', 400, "invalid_request", "messages[0]"],
  ["a text as cap", `{"model":"gpt-4o-mini","max_tokens":"100",${MESSAGES}}`, 400, "invalid_request", "max_tokens"],
  ["a negative cap", `{"model":"gpt-4o-mini","max_tokens":-1,${MESSAGES}}`, 400, "invalid_request", "max_tokens"],
  ["a cap of zero", `{"model":"gpt-4o-mini","max_tokens":0,${MESSAGES}}`, 400, "invalid_request", "max_tokens"],
  ["a fractional cap", `{"model":"gpt-4o-mini","max_completion_tokens":1.5,${MESSAGES}}`, 400, "invalid_request", "max_completion_tokens"],
  ["an infinite cap", `{"model":"gpt-4o-mini","max_tokens":1e999,${MESSAGES}}`, 400, "invalid_request", "max_tokens"],
  ["a cap beyond all integers", `{"model":"gpt-4o-mini","max_tokens":1e300,${MESSAGES}}`, 400, "invalid_request", "max_tokens"],
  ["too many choices", `{"model":"gpt-4o-mini","n":129,${MESSAGES}}`, 400, "invalid_request", "n"],
  ["negative choices", `{"model":"gpt-4o-mini","n":-1,${MESSAGES}}`, 400, "invalid_request", "n"],
  ["a text as stream", `{"model":"gpt-4o-mini","stream":"yes",${MESSAGES}}`, 400, "invalid_request", "stream"],
  ["a number as user", `{"model":"gpt-4o-mini","user":5,${MESSAGES}}`, 400, "invalid_request", "user"],
  ["10.1: a customer of 257 bytes", `{"model":"gpt-4o-mini","user":"${"u".repeat(257)}",${MESSAGES}}`, 400, "invalid_request", "user"],
  ["10.1: a customer of 129 characters and 258 bytes", `{"model":"gpt-4o-mini","user":"${"ü".repeat(129)}",${MESSAGES}}`, 400, "invalid_request", "user"],
  ["9.1: the same member twice", `{"model":"gpt-4o-mini","max_tokens":5,"max_tokens":5000,${MESSAGES}}`, 400, "duplicate_member", "max_tokens"],
  ["9.1: the same member twice, once in disguise", `{"model":"gpt-4o-mini","max_tokens":5,"max_\\u0074okens":5000,${MESSAGES}}`, 400, "duplicate_member", "max_tokens"],
  ["10.2: a __proto__ member", `{"model":"gpt-4o-mini","__proto__":{"max_tokens":1},${MESSAGES}}`, 400, "forbidden_member", "__proto__"],
  ["10.2: a __proto__ member deep inside, in disguise", `{"model":"gpt-4o-mini","metadata":{"a":{"\\u005f_proto__":1}},${MESSAGES}}`, 400, "forbidden_member"],
  ["10.2: 65 levels", `{"model":"gpt-4o-mini","x":${nest(64)},${MESSAGES}}`, 400, "body_too_deep"],
  ["10.2: a nesting bomb of 4 MB", `{"model":"gpt-4o-mini","x":${"[".repeat(4_000_000)}`, 400, "body_too_deep"],
  ["10.2: metadata of more than 16 KB", `{"model":"gpt-4o-mini","metadata":{"a":"${"b".repeat(16_384)}"},${MESSAGES}}`, 400, "invalid_request", "metadata"],
  ["invalid UTF-8", new Uint8Array([...Buffer.from('{"model":"gpt-4o-mini","messages":[{"role":"user","content":"'), 0xff, 0xc0, ...Buffer.from('"}]}')]), 400, "invalid_json"],
  ["a NUL byte in a text", `{"model":"gpt-4o-mini","user":"a\0b",${MESSAGES}}`, 400, "invalid_json"],
  ["bytes of zero", new Uint8Array(1_000), 400, "invalid_json"],
  ["an unknown model", `{"model":"no-such-model",${MESSAGES}}`, 400, "unknown_model", "model"],
  ["a model named like a prototype", `{"model":"__proto__",${MESSAGES}}`, 400, "unknown_model", "model"],
  ["a model named like a method", `{"model":"constructor",${MESSAGES}}`, 400, "unknown_model", "model"],
  ["a model that is an address", `{"model":"http://169.254.169.254/latest",${MESSAGES}}`, 400, "unknown_model", "model"],
  ["a provider without a key", `{"model":"openai/gpt-4o",${MESSAGES}}`, 400, "unknown_model", "model"],
  ["2.3: a model without a price under a hard budget", `{"model":"free-of-price",${MESSAGES}}`, 400, "unpriced", "model"],
  ["2.2: audio under a hard budget", `{"model":"gpt-4o-mini","modalities":["text","audio"],${MESSAGES}}`, 400, "cost_not_boundable", "modalities"],
  ["2.2: an image under a hard budget", '{"model":"gpt-4o-mini","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}', 400, "cost_not_boundable", "messages[0].content[0].type=image_url"],
  ["2.2: another service tier under a hard budget", `{"model":"gpt-4o-mini","service_tier":"priority",${MESSAGES}}`, 400, "cost_not_boundable", "service_tier=priority"],
  ["2.2: a hosted tool under a hard budget", `{"model":"gpt-4o-mini","tools":[{"type":"web_search"}],${MESSAGES}}`, 400, "cost_not_boundable", "tools[0].type=web_search"],
  ["2.2: an unknown member under a hard budget", `{"model":"gpt-4o-mini","prediction":{"type":"content","content":"x"},${MESSAGES}}`, 400, "cost_not_boundable", "prediction"],
];

test.each(BAD)("%s", async (_title, body, status, code, param) => {
  const before = world.mock.requests.length;
  const answer = await post(body);
  expect({ status: answer.status, code: answer.error.tollgate_code }).toEqual({ status, code });
  expect(answer.error.code).toBe(String(status));
  if (param !== undefined) expect(answer.error.param).toBe(param);
  // A sentence that says what to do, without the reader's own bytes in bulk.
  expect(answer.error.message.length).toBeGreaterThan(20);
  expect(answer.error.message.length).toBeLessThan(600);
  expect(answer.headers.get("x-litellm-call-id")).toMatch(/^[0-9A-Z]{26}$/);
  expect(world.mock.requests.length).toBe(before);
  expect((await world.keyInfo(key)).tollgate.held).toBe(0);
});

test("2.4 a compressed body is 415, whatever the compression, and identity is none", async () => {
  for (const encoding of ["gzip", "br", "deflate", "zstd", "gzip, identity", "GZIP"]) {
    const answer = await post(`{"model":"gpt-4o-mini",${MESSAGES}}`, { "content-encoding": encoding });
    expect([encoding, answer.status, answer.error.tollgate_code]).toEqual([encoding, 415, "unsupported_encoding"]);
  }
  const plain = await fetch(`${world.gateway.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-encoding": "identity" }, body: JSON.stringify(chat()) });
  expect(plain.status).toBe(200);
});

test("keys that are missing, unknown, blocked, expired or deleted are refused, each by its own code", async () => {
  const blocked = await world.key({});
  await world.gateway.call("POST", "/key/block", { key: blocked });
  const expired = await world.key({ duration: "1m" });
  const deleted = await world.key({});
  await world.gateway.call("POST", "/key/delete", { keys: [deleted] });
  const limited = await world.key({ models: ["another-model"] });
  const body = JSON.stringify(chat());
  expect(await post(body, {}, blocked)).toMatchObject({ status: 401, error: { tollgate_code: "key_blocked" } });
  expect(await post(body, {}, deleted)).toMatchObject({ status: 401, error: { tollgate_code: "invalid_key", type: "token_not_found_in_db" } });
  expect(await post(body, {}, "sk-never-made")).toMatchObject({ status: 401, error: { tollgate_code: "invalid_key" } });
  expect(await post(body, {}, limited)).toMatchObject({ status: 403, error: { tollgate_code: "key_model_access_denied", param: "model" } });
  expect(await post(body, { authorization: "" }, "")).toMatchObject({ status: 401, error: { tollgate_code: "missing_key" } });
  expect(await post(body, { authorization: "Bearer " }, "")).toMatchObject({ status: 401 });
  expect((await fetch(`${world.gateway.url}/v1/chat/completions`, { method: "POST", headers: { "x-api-key": expired }, body })).status).toBe(200);
  world.time.advance(61_000);
  expect(await post(body, {}, expired)).toMatchObject({ status: 400, error: { tollgate_code: "key_expired", type: "expired_key" } });
});

test("2.3 without a hard budget an unpriced model is allowed, marked and counted", async () => {
  const free = await world.key({});
  const response = await fetch(`${world.gateway.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${free}` }, body: JSON.stringify(chat("free-of-price")) });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-tollgate-unpriced")).toBe("true");
  const details = await world.requestDetails(response.headers.get("x-litellm-call-id") as string);
  expect(details.entries).toMatchObject([{ cost: "0", unpriced: true, estimated: "unpriced" }]);
  const metrics = await (await fetch(`${world.gateway.url}/metrics`, { headers: { authorization: `Bearer ${world.gateway.master}` } })).text();
  expect(metrics).toMatch(/tollgate_unpriced_total 1\b/);
  expect(metrics).toMatch(/tollgate_errors_total\{code="unpriced"\} [1-9]/);
  expect(metrics).not.toContain(free);
});

test("2.2 without a hard budget everything is allowed", async () => {
  const free = await world.key({});
  const answer = await world.gateway.call("POST", "/v1/chat/completions", chat("gpt-4o-mini", { service_tier: "flex", prediction: { type: "content", content: "x" } }), free);
  expect(answer.status).toBe(200);
});

test("10.1 at the edge: a customer of 256 bytes, metadata of 16 KB and 64 levels pass", async () => {
  const free = await world.key({});
  const answer = await world.gateway.call("POST", "/v1/chat/completions", chat("gpt-4o-mini", { user: "ü".repeat(128), metadata: { a: "b".repeat(16_376) }, x: JSON.parse(nest(63)) as unknown }), free);
  expect(answer.status).toBe(200);
});

test("nothing stays behind", async () => {
  await until(async () => (await world.gateway.call("GET", "/health/readiness")).body["in_flight_requests"] === 0, "nothing in flight");
  expect((await world.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true });
});
