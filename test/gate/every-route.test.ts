import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testGateway } from "../support/gateway.ts";
import { MODEL_BEHAVIOURS, startMockProvider, type MockProvider } from "../support/mock-provider.ts";

let mock: MockProvider;
let gateway: Awaited<ReturnType<typeof testGateway>>;
const MISBEHAVED = ["usage-none", "usage-negative", "usage-fractional", "usage-absurd", "usage-inconsistent", "usage-text"];
const FREE = ["status-400", "status-429", "status-500"];

beforeAll(async () => {
  mock = await startMockProvider({ seed: 3, models: { slow: { headDelayMs: 400, chunkDelayMs: 30, chunks: 8 } } });
  const models = ["embed", "gpt-4o-mini", ...MISBEHAVED, ...FREE, "close-mid-body", "close-before-head", "no-done", "error-event", "set-cookie", "chop", "slow"];
  for (const name of models) if (!["embed", "gpt-4o-mini", "slow"].includes(name)) expect(MODEL_BEHAVIOURS).toHaveProperty(name);
  gateway = await testGateway(`
litellm_settings: { max_budget: 1000 }
model_list:
${models.map((name) => `  - { model_name: ${name}, litellm_params: { model: openai/${name}, api_key: sk-upstream, api_base: ${mock.url}/v1, input_cost_per_token: 0.00000015${name === "embed" ? "" : ", output_cost_per_token: 0.0000006, cache_read_input_token_cost: 0.000000075"} } }`).join("\n")}
tollgate: { log_level: silent }
`);
});
afterAll(async () => {
  await gateway.stop();
  await mock.close();
});

const ROUTES = [
  { route: "/v1/chat/completions", body: { max_tokens: 60, messages: [{ role: "user", content: "Hi" }] } },
  { route: "/v1/chat/completions", body: { max_tokens: 60, stream: true, messages: [{ role: "user", content: "Hi" }] } },
  { route: "/v1/responses", body: { max_output_tokens: 60, input: "Hi" } },
  { route: "/responses", body: { max_output_tokens: 60, input: [{ role: "user", content: "Hi" }], stream: true } },
  { route: "/v1/embeddings", body: { input: ["Hi", "there"] } },
  { route: "/embeddings", body: { input: [1, 2, 3], encoding_format: "base64" } },
];

interface Details { cost: string; entries: { cost: string; held: string; estimated: string | null; route: string; lines: unknown[] }[] }

async function send(route: string, body: object, key = gateway.master): Promise<{ status: number; text: string; headers: Headers; details: () => Promise<Details> }> {
  const response = await fetch(`${gateway.url}${route}`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body: JSON.stringify(body) });
  const text = await response.text();
  const details = async (): Promise<Details> => (await gateway.call("GET", `/v1/tollgate/requests/${response.headers.get("x-litellm-call-id")}`)).body as unknown as Details;
  return { status: response.status, text, headers: response.headers, details };
}

describe.each(ROUTES)("promise 6: $route $body.stream passes the same gate", ({ route, body }) => {
  const plainModel = route.endsWith("embeddings") ? "embed" : "gpt-4o-mini";

  test("5.1 what is charged is what the provider bills, once", async () => {
    const before = mock.bill().totalNanoUsd;
    const answer = await send(route, { model: plainModel, ...body });
    expect(answer.status).toBe(200);
    const { entries } = await answer.details();
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ estimated: null });
    expect(nano(entries[0]?.cost)).toBe(mock.bill().totalNanoUsd - before);
    expect(entries[0]?.lines.length).toBeGreaterThan(0);
  });

  test.each(MISBEHAVED)("5.3 %s: the full hold, marked as estimated", async (model) => {
    const { entries } = await (await send(route, { model, ...body })).details();
    expect(entries).toHaveLength(1);
    expect(entries[0]?.estimated).toMatch(/^usage_/);
    expect(entries[0]?.cost).toBe(entries[0]?.held);
    expect(nano(entries[0]?.held)).toBeGreaterThanOrEqual(mock.bill().entries.at(-1)?.nanoUsd as bigint);
  });

  test.each(FREE)("5.2 %s costs nothing", async (model) => {
    const answer = await send(route, { model, ...body });
    expect(answer.status).toBe(Number(model.slice(-3)));
    expect((await answer.details()).entries).toMatchObject([{ cost: "0" }]);
  });

  test.each(["close-mid-body", "close-before-head", ...("stream" in body ? ["no-done", "error-event"] : [])])("5.3 %s: the full hold", async (model) => {
    const answer = await send(route, { model, ...body }).catch(() => undefined);
    if (answer === undefined) return expect(model).toBe("close-mid-body");
    const { entries } = await answer.details();
    expect(entries[0]?.cost).toBe(entries[0]?.held);
  });

  test("5.1 cut at any bytes on its way, it costs the same and reaches the client whole", async () => {
    const before = mock.bill().totalNanoUsd;
    const answer = await send(route, { model: "chop", ...body });
    const { entries } = await answer.details();
    expect(entries).toMatchObject([{ estimated: null }]);
    expect(nano(entries[0]?.cost)).toBe(mock.bill().totalNanoUsd - before);
    if ("stream" in body) expect(answer.text).toMatch(route.endsWith("responses") ? /"type":"response.completed".*\n\n$/ : /data: \[DONE\]\n\n$/);
    else expect(JSON.parse(answer.text)).toHaveProperty("usage");
  });

  test("5.5 a client that leaves is metered to the end, once, at the real cost", async () => {
    const { key, token, tollgate } = (await gateway.call("POST", "/key/generate", {})).body as { key: string; token: string; tollgate: { id: string } };
    const bills = mock.bill().entries.length;
    const leaving = new AbortController();
    const request = fetch(`${gateway.url}${route}`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body: JSON.stringify({ model: "slow", ...body }), signal: leaving.signal }).then((response) => response.text());
    await expect.poll(() => mock.bill().entries.length).toBe(bills + 1);
    setTimeout(() => leaving.abort(), 20);
    await expect(request).rejects.toThrow();
    const logs = async (): Promise<Record<string, any>[]> => (await gateway.call("GET", `/spend/logs?api_key=${key}`)).body as unknown as Record<string, any>[];
    await expect.poll(async () => (await logs()).length, { timeout: 5_000 }).toBe(1);
    const [entry] = await logs();
    expect(entry).toMatchObject({ api_key: token, tollgate: { key_id: tollgate.id, status: "client_gone", estimated: null } });
    expect(BigInt(Math.round(entry?.["spend"] * 1e9))).toBe(mock.bill().entries[bills]?.nanoUsd);
  });

  test("9.3 a provider's cookies never reach a client", async () => {
    expect((await send(route, { model: "set-cookie", ...body })).headers.get("set-cookie")).toBeNull();
  });

  test("promise 1: 60 parallel requests never pass a key's budget, and nothing stays held", async () => {
    const key = (await gateway.call("POST", "/key/generate", { max_budget: 0.0002 })).body["key"] as string;
    const before = mock.bill().totalNanoUsd;
    const statuses = (await Promise.all(Array.from({ length: 60 }, () => send(route, { model: plainModel, ...body }, key)))).map((answer) => answer.status);
    for (const status of statuses) expect([200, 422, 429]).toContain(status);
    expect(statuses).toContain(200);
    const info = (await gateway.call("GET", `/key/info?key=${key}`)).body["info"] as { spend: number; tollgate: { held: number } };
    expect(info.spend).toBeLessThanOrEqual(0.0002);
    expect(info.tollgate.held).toBe(0);
    expect(BigInt(Math.round(info.spend * 1e9))).toBe(mock.bill().totalNanoUsd - before);
  });

  test("2.2 what has no upper bound is refused under a hard budget, before anything is sent", async () => {
    const sent = mock.requests.length;
    const answer = await send(route, { model: plainModel, ...body, surprise: 1 });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { tollgate_code: "cost_not_boundable", param: "surprise" } });
    expect(mock.requests.length).toBe(sent);
  });

  test("405 for GET", async () => {
    expect((await gateway.call("GET", route)).status).toBe(405);
  });
});

test("promise 5: after all of that the books agree", async () => {
  expect((await gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true });
});

describe("the openai client works unchanged", () => {
  const client = (apiKey = gateway.master): OpenAI => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });

  test("embeddings: texts, token ids, floats and base64", async () => {
    const answer = await client().embeddings.create({ model: "embed", input: ["one", "two"] });
    expect(answer.data.map((one) => one.embedding)).toEqual([[0.25, -0.5, 1], [0.25, -0.5, 1]]);
    expect((await client().embeddings.create({ model: "embed", input: [[1, 2], [3]], encoding_format: "float" })).data).toHaveLength(2);
  });

  test("responses, plain and streamed; a lowered cap is said", async () => {
    const key = (await gateway.call("POST", "/key/generate", { max_budget: 0.01 })).body["key"] as string;
    const { data, response } = await client(key).responses.create({ model: "gpt-4o-mini", input: "Hi" }).withResponse();
    expect(data.output_text).not.toBe("");
    expect(Number(response.headers.get("x-litellm-response-cost"))).toBeGreaterThan(0);
    const sent = mock.requests.at(-1)?.body as { max_output_tokens?: number };
    expect(sent.max_output_tokens).toBeGreaterThanOrEqual(64);
    expect(String(sent.max_output_tokens)).toBe(response.headers.get("x-tollgate-output-cap"));
    let text = "";
    let tokens: number | undefined;
    for await (const event of await client().responses.create({ model: "gpt-4o-mini", input: "Hi", stream: true, max_output_tokens: 40 })) {
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed") tokens = event.response.usage?.output_tokens;
    }
    expect(text).not.toBe("");
    expect(tokens).toBeGreaterThan(0);
  });

  test("a stream that breaks off is an error for the client", async () => {
    const stream = await client().responses.create({ model: "close-mid-body", input: "Hi", stream: true, max_output_tokens: 40 });
    await expect((async () => { for await (const _ of stream); })()).rejects.toThrow();
  });
});

function nano(usd: string | undefined): bigint {
  const [whole = "0", fraction = ""] = String(usd).split(".");
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

test("without any key the simulated provider answers every route, and each has its price", async () => {
  const simulated = await testGateway("tollgate: { log_level: silent }");
  try {
    for (const [path, body] of [
      ["/v1/responses", { model: "gpt-4o-mini", input: "Hi" }],
      ["/v1/chat/completions", { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }] }],
      ["/v1/embeddings", { model: "text-embedding-3-small", input: "A text that is long enough to cost something." }],
    ] as const) {
      const answer = await simulated.call("POST", path, body);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("x-tollgate-simulated")).toBe("true");
      expect(Number(answer.headers.get("x-litellm-response-cost"))).toBeGreaterThan(0);
      expect(answer.headers.get("x-tollgate-estimated")).toBeNull();
    }
  } finally {
    await simulated.stop();
  }
});
