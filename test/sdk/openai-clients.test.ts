import OpenAI7, { AzureOpenAI as Azure7 } from "openai";
import OpenAI6, { AzureOpenAI as Azure6 } from "openai-6";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";
import { trackedCost } from "../../src/surfaces/sdk/track/track-fetch.ts";
import { sdkUnderTest, type SdkUnderTest } from "./instance.ts";

// Every way in which the clients send: one entry for each request that the provider saw, at the provider's own bill, and nothing held.

const messages = [{ role: "user" as const, content: "Hello" }];
const call = { model: "gpt-4o-mini", messages, max_tokens: 100 };
const CLIENTS = [["openai 7", OpenAI7, Azure7], ["openai 6", OpenAI6 as unknown as typeof OpenAI7, Azure6 as unknown as typeof Azure7]] as const;

let sdk: SdkUnderTest;
beforeEach(async () => {
  sdk = await sdkUnderTest({ maxBudget: 100 });
});
afterEach(() => sdk.stop());

async function settled(attempts: number): Promise<void> {
  await expect.poll(() => sdk.entries.length).toBe(attempts);
  expect(sdk.provider.requests.length).toBe(attempts);
  const plane = await sdk.tollgate.plane();
  const held = await new Promise((resolve) => plane.engine.books.standing(GLOBAL_SCOPE, undefined, LIFETIME, (error, standing) => resolve(error ?? standing.held)));
  expect(held).toBe(0n);
}
const bill = (): bigint => sdk.provider.bill().totalNanoUsd;

describe.each(CLIENTS)("%s", (_name, OpenAI, AzureOpenAI) => {
  const client = (more: ConstructorParameters<typeof OpenAI>[0] = {}): OpenAI7 => sdk.tollgate.track(new OpenAI({ apiKey: "sk-test", baseURL: `${sdk.provider.url}/v1`, ...more }));

  test("stream helpers, parse, withResponse, asResponse, raw post", async () => {
    const tracked = client();
    const streamed = tracked.chat.completions.stream(call);
    let deltas = 0;
    streamed.on("content", () => (deltas += 1));
    expect((await streamed.finalChatCompletion()).choices[0]?.message.content).toMatch(/\w/);
    expect(deltas).toBeGreaterThan(0);
    const responded = tracked.responses.stream({ model: "gpt-4o-mini", input: "Hello", max_output_tokens: 100 });
    expect((await responded.finalResponse()).status).toMatch(/completed|incomplete/);
    const parsed = await tracked.chat.completions.parse({ ...call, response_format: { type: "json_object" } });
    expect(parsed.choices[0]?.message).toHaveProperty("parsed");
    await tracked.responses.parse({ model: "gpt-4o-mini", input: "Hello", max_output_tokens: 100 });
    const { data, response, request_id } = await tracked.chat.completions.create(call).withResponse();
    expect([data.object, response.status, response.url, request_id]).toEqual(["chat.completion", 200, `${sdk.provider.url}/v1/chat/completions`, data.id]);
    expect((await trackedCost(response))?.callId).toBe(sdk.entries.at(-1)?.requestId);
    const raw = await tracked.chat.completions.create({ ...call, stream: true }).asResponse();
    expect(raw.headers.get("content-type")).toContain("text/event-stream");
    expect(await raw.text()).toContain("[DONE]");
    await tracked.post("/chat/completions", { body: call });
    await settled(7);
    expect(sdk.spent()).toBe(bill());
    expect(sdk.entries.every((entry) => entry.estimated === null)).toBe(true);
  });

  test("tool runners make one entry for each of their requests", async () => {
    const runner = client().chat.completions.runTools({ ...call, tools: [{ type: "function", function: { name: "f", description: "d", parameters: { type: "object", properties: {} }, parse: JSON.parse, function: () => "x" } }] } as never) as { finalContent(): Promise<string> };
    expect(await runner.finalContent()).toMatch(/\w/);
    await settled(1);
  });

  test("each try of the client's own retries is an attempt; what was refused with a status costs nothing", async () => {
    const retryNow = { headers: { "retry-after-ms": "1" } };
    sdk.provider.enqueue({ status: 500, ...retryNow }, { status: 429, ...retryNow }, {});
    await client({ maxRetries: 2 }).chat.completions.create(call);
    await settled(3);
    expect(sdk.entries.map((entry) => [entry.httpStatus, entry.cost === "0"])).toEqual([[500, true], [429, true], [200, false]]);
    expect(sdk.spent()).toBe(bill());
    sdk.provider.enqueue({ status: 503, ...retryNow });
    await expect(client({ maxRetries: 0 }).chat.completions.create(call)).rejects.toMatchObject({ status: 503 });
    await settled(4);
  });

  test("time-outs of the client are tries of their own, each charged at its hold; a later answer is told as always", async () => {
    sdk.provider.enqueue({ fault: "never_answer" }, { fault: "never_answer" }, {});
    await client({ timeout: 500, maxRetries: 2 }).chat.completions.create(call);
    await settled(3);
    expect(sdk.entries.map((entry) => [entry.status, entry.cost === entry.held])).toEqual([["client_gone", true], ["client_gone", true], ["ok", false]]);
    expect(sdk.spent()).toBeGreaterThanOrEqual(bill());
    sdk.provider.enqueue({ fault: "never_answer" });
    await expect(client({ timeout: 500, maxRetries: 0 }).chat.completions.create(call)).rejects.toThrow("timed out");
    await settled(4);
  });

  test("a stream is given up by its controller, by break, or by the call's own signal", async () => {
    const slow = { chunks: 200, chunkDelayMs: 5 } as const;
    sdk.provider.enqueue(slow, slow, slow);
    const one = await client().chat.completions.create({ ...call, stream: true });
    for await (const _ of one) one.controller.abort();
    for await (const _ of await client().chat.completions.create({ ...call, stream: true })) break;
    const stop = new AbortController();
    const three = await client().chat.completions.create({ ...call, stream: true }, { signal: stop.signal });
    let events = 0;
    await (async () => {
      for await (const _ of three) if ((events += 1) === 2) stop.abort();
    })().catch((error: unknown) => expect(error).toMatchObject({ name: expect.stringMatching(/Abort|APIUserAbort|Error/) }));
    expect(events).toBeLessThan(200);
    await settled(3);
    expect(sdk.entries.every((entry) => entry.status === "client_gone" && BigInt(entry.cost) > 0n)).toBe(true);
  });

  test("withOptions of a tracked client stays tracked, by the same instance and for the same user", async () => {
    const tracked = sdk.tollgate.track(new OpenAI({ apiKey: "sk-test", baseURL: "http://127.0.0.1:9/v1" }), { user: "ann" });
    await tracked.withOptions({ baseURL: `${sdk.provider.url}/v1`, maxRetries: 0 }).chat.completions.create(call);
    await settled(1);
    expect(sdk.entries[0]).toMatchObject({ customer: "ann" });
    const twice = sdk.tollgate.track(tracked.withOptions({ baseURL: `${sdk.provider.url}/v1` }), { user: "bob" });
    await twice.chat.completions.create(call);
    await settled(2);
    expect(sdk.entries[1]).toMatchObject({ customer: "bob" });
  });

  test("Azure, by deployment in the path: metered, streamed, refused; its key header goes out as it is", async () => {
    const azure = sdk.tollgate.track(new AzureOpenAI({ apiKey: "azure-key", endpoint: sdk.provider.url, apiVersion: "2024-10-21", deployment: "gpt-4o-mini", maxRetries: 0 }));
    expect(azure).toBeInstanceOf(AzureOpenAI);
    await azure.chat.completions.create(call);
    for await (const _ of await azure.chat.completions.create({ ...call, stream: true }));
    await azure.embeddings.create({ model: "text-embedding-3-small", input: "Hello" });
    await settled(3);
    expect(sdk.provider.requests[0]?.path).toBe("/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21");
    expect(sdk.provider.requests[0]?.headers["api-key"]).toBe("azure-key");
    expect(sdk.entries.every((entry) => entry.estimated === null && BigInt(entry.cost) > 0n)).toBe(true);
    sdk.tollgate.maxBudget = 0;
    await expect(azure.chat.completions.create(call)).rejects.toMatchObject({ status: 422 });
    await settled(3);
  });

  test("keys that are asked for at each request, and Azure's tokens, are asked for by the tracked client, too", async () => {
    let asked = 0;
    const token = async (): Promise<string> => `token-${(asked += 1)}`;
    await client({ apiKey: token }).chat.completions.create(call);
    const azure = sdk.tollgate.track(new AzureOpenAI({ azureADTokenProvider: token, endpoint: sdk.provider.url, apiVersion: "2024-10-21" }));
    await azure.chat.completions.create(call);
    expect(sdk.provider.requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer token-1", "Bearer token-2"]);
    await settled(2);
  });

  test("a client with a fetch of its own sends through it", async () => {
    let sent = 0;
    const own: typeof fetch = (input, init) => {
      sent += 1;
      return fetch(input, init);
    };
    await client({ fetch: own }).chat.completions.create(call);
    expect(sent).toBe(1);
    await settled(1);
  });

  test("a model without a price is refused under a hard budget by a sentence that speaks of programs, not of gateways", async () => {
    const error = (await client().chat.completions.create({ ...call, model: "nobody-knows" }).catch((caught: unknown) => caught)) as Error & { error: { tollgate_code: string } };
    expect(error.error.tollgate_code).toBe("unpriced");
    expect(error.message).toContain("registerModel");
    expect(error.message).not.toContain("model_list");
    await settled(0);
  });
});
