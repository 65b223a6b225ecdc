import http from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BudgetManager } from "../../src/app/budgets/budget-manager.ts";
import { createTollgate } from "../../src/app/sdk.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { trackedCost } from "../../src/surfaces/sdk/track/track-fetch.ts";
import { testGateway } from "../support/gateway.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

// The gateway's prices are three times those that a program knows, so that a cost tells whose it is.
const messages = [{ role: "user" as const, content: "Hello" }];
let provider: MockProvider;
let gateway: Awaited<ReturnType<typeof testGateway>>;
let entries: Entry[];
let tollgate: ReturnType<typeof createTollgate>;

beforeEach(async () => {
  provider = await startMockProvider({ prices: { inputPico: 450_000n, outputPico: 1_800_000n } });
  gateway = await testGateway(`
model_list:
  - model_name: gpt-4o-mini
    litellm_params: { model: openai/gpt-4o-mini, api_base: "${provider.url}/v1", api_key: sk-test, input_cost_per_token: 0.00000045, output_cost_per_token: 0.0000018 }
  - model_name: fast
    litellm_params: { model: openai/gpt-4o-mini, api_base: "${provider.url}/v1", api_key: sk-test, input_cost_per_token: 0.00000045, output_cost_per_token: 0.0000018 }
tollgate: { log_level: silent }
`);
  entries = [];
  tollgate = createTollgate({ onEntry: (entry) => entries.push(entry) });
});

afterEach(async () => {
  await tollgate.close();
  await gateway.stop();
  await provider.close();
});

const billed = (): bigint => provider.bill().totalNanoUsd;
const spent = (): bigint => entries.reduce((sum, entry) => sum + BigInt(entry.cost), 0n);

async function key(): Promise<string> {
  return String((await gateway.call("POST", "/key/generate", {})).body["key"]);
}

test("SDK, one attempt, one entry: a tracked client behind a gateway books the gateway's own cost, plain and streamed, chat, responses and embeddings, also of a model that only the gateway knows", async () => {
  const client = tollgate.track(new OpenAI({ apiKey: await key(), baseURL: `${gateway.url}/v1` }));
  for (const model of ["gpt-4o-mini", "fast"]) {
    await client.chat.completions.create({ model, messages });
    for await (const _ of await client.chat.completions.create({ model, messages, stream: true }));
    await client.responses.create({ model, input: "Hello" });
    for await (const _ of await client.responses.create({ model, input: "Hello", stream: true }));
    await client.embeddings.create({ model, input: "Hello" });
    expect(spent()).toBe(billed());
  }
  expect(entries.length).toBe(10);
  expect(new Set(entries.map((entry) => `${entry.status} ${entry.estimated} ${entry.priceVersion} ${entry.unpriced}`))).toEqual(new Set(["ok null gateway false"]));
  expect(entries.every((entry) => entry.inputTokens > 0)).toBe(true);
});

test("completion, plain and streamed, and the hosted BudgetManager book the gateway's own cost", async () => {
  const options = { apiBase: `${gateway.url}/v1`, apiKey: await key() };
  const plain = await tollgate.completion({ model: "gpt-4o-mini", messages, ...options });
  expect(plain.cost).toMatchObject({ priceVersion: "gateway", estimated: false, lines: [] });
  const stream = await tollgate.completion({ model: "gpt-4o-mini", messages, stream: true, ...options });
  for await (const _ of stream);
  expect(spent()).toBe(billed());
  expect(entries[1]?.priceVersion).toBe("gateway");
  await using manager = new BudgetManager({ projectName: "p", clientType: "hosted", apiBase: gateway.url, apiKey: gateway.master });
  await manager.createBudget({ user: "ann", totalBudget: 1 });
  const before = billed();
  const own = await manager.completion({ user: "ann", model: "gpt-4o-mini", messages });
  const streamed = await manager.completion({ user: "ann", model: "gpt-4o-mini", messages, stream: true });
  const { total } = await streamed.finalCost();
  expect(Math.round((Number(own.cost.total) + Number(total)) * 1e9)).toBe(Number(billed() - before));
  expect(await manager.getCurrentCost("ann")).toBe(Number(billed() - before) / 1e9);
});

test("an answer of the gateway that failed and cost money all the same is charged, and its entry says so", async () => {
  const client = tollgate.track(new OpenAI({ apiKey: await key(), baseURL: `${gateway.url}/v1`, maxRetries: 0 }));
  provider.enqueue({ fault: "close_mid_body", textBytes: 4_000 });
  await expect(client.chat.completions.create({ model: "gpt-4o-mini", messages, max_tokens: 100 })).rejects.toMatchObject({ status: 502 });
  const { body } = await gateway.call("GET", `/v1/tollgate/spend?by=model`);
  const rows = body["rows"] as { costNanoUsd?: string; cost?: string }[];
  expect(rows.length).toBe(1);
  expect(spent()).toBeGreaterThan(0n);
  expect(entries[0]).toMatchObject({ status: "upstream_error", httpStatus: 502, estimated: "cut_short" });
});

test("a key reads the cost of its own requests by their id, without what is the operator's, and never of another's", async () => {
  const [mine, other] = [await key(), await key()];
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${mine}` }, body: JSON.stringify({ model: "fast", messages }) });
  const id = answer.headers.get("x-litellm-call-id") ?? "";
  const path = `/v1/tollgate/requests/${id}`;
  const own = await gateway.call("GET", path, undefined, mine);
  expect([own.status, own.body["cost"]]).toEqual([200, answer.headers.get("x-litellm-response-cost")]);
  expect(Object.keys((own.body["entries"] as object[])[0] as object)).not.toContain("scopes");
  const theirs = await gateway.call("GET", path, undefined, other);
  expect([theirs.status, (theirs.body["error"] as { tollgate_code: string }).tollgate_code]).toEqual([404, "not_found"]);
  expect((await gateway.call("GET", "/v1/tollgate/audit", undefined, mine)).status).toBe(403);
});

/** A server that says what it likes of its costs. */
async function boaster(headers: Record<string, string>, lookup: (id: string) => [number, unknown] = () => [404, {}]): Promise<{ url: string; close(): void; asked: string[] }> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString())).on("end", () => {
      if (request.method === "GET") {
        asked.push(`${request.headers.authorization} ${request.url}`);
        const [status, body] = lookup(request.url?.split("/").at(-1) ?? "");
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
        return;
      }
      const usage = { prompt_tokens: 100, completion_tokens: 100, total_tokens: 200 };
      const streams = text.includes('"stream":true');
      response.writeHead(200, { "content-type": streams ? "text/event-stream" : "application/json", ...headers });
      if (!streams) response.end(JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Hi" } }], usage }));
      else response.end(`data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, finish_reason: "stop", delta: { content: "Hi" } }] })}\n\ndata: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices: [], usage })}\n\ndata: [DONE]\n\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close: () => { server.close(); server.closeAllConnections(); } };
}

async function costBehind(headers: Record<string, string>, stream = false, lookup?: (id: string) => [number, unknown]): Promise<{ cost: string; asked: string[] }> {
  const server = await boaster(headers, lookup);
  try {
    const response = await tollgate.track(fetch)(`${server.url}/v1/chat/completions`, { method: "POST", headers: { authorization: "Bearer sk-mine" }, body: JSON.stringify({ model: "gpt-4o-mini", messages, ...(stream ? { stream: true } : {}) }) });
    await response.text();
    return { cost: (await trackedCost(response))?.total ?? "", asked: server.asked };
  } finally {
    server.close();
  }
}

const LOCAL = "0.000075";

test("a cost in a header is taken to the nano-dollar, floats of LiteLLM rounded once; nonsense is not believed, nor a zero of a gateway that does not say it knows the price", async () => {
  for (const [said, cost] of [["0.0000123", "0.0000123"], ["4.2000000000000004e-06", "0.0000042"], ["0.123456789", "0.123456789"], ["0.0000000004", "0"]] as const) {
    expect((await costBehind({ "x-litellm-response-cost": said })).cost, said).toBe(cost);
  }
  for (const said of ["", "None", "NaN", "-0.5", "Infinity", "1,5", "0x10", "0", "0.0", "1e9", "0.1, 0.2", "free", "9".repeat(80)]) {
    expect((await costBehind({ "x-litellm-response-cost": said })).cost, said).toBe(LOCAL);
  }
  expect((await costBehind({ "x-litellm-response-cost": "0", "x-tollgate-held": "0.1" })).cost).toBe("0");
  expect((await costBehind({ "x-litellm-response-cost": "0", "x-tollgate-held": "0", "x-tollgate-unpriced": "true" })).cost).toBe(LOCAL);
});

test("of a stream the header is not believed; a Tollgate is asked by the call's id with the request's own key, and what it does not know is priced here", async () => {
  const id = "01K9ZZZZZZZZZZZZZZZZZZZZZZ";
  const head = { "x-litellm-call-id": id, "x-tollgate-held": "0.1" };
  expect((await costBehind({ "x-litellm-response-cost": "0.5" }, true)).cost).toBe(LOCAL);
  const known = await costBehind(head, true, () => [200, { request_id: id, cost: "0.00002", entries: [{ unpriced: false, estimated: null }] }]);
  expect(known).toEqual({ cost: "0.00002", asked: [`Bearer sk-mine /v1/tollgate/requests/${id}`] });
  for (const answer of [[404, {}], [500, "no"], [200, { request_id: id, cost: "0", entries: [] }], [200, { request_id: "other", cost: "0", entries: [{}] }], [200, { request_id: id, cost: "0", entries: [{ unpriced: true }] }], [200, { request_id: id, cost: "-1", entries: [{}] }], [200, null]] as [number, unknown][]) {
    expect((await costBehind(head, true, () => answer)).cost, JSON.stringify(answer)).toBe(LOCAL);
  }
  expect((await costBehind({ ...head, "x-litellm-call-id": "../../key/delete" }, true)).asked).toEqual([]);
});
