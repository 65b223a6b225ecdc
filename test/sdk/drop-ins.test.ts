import OpenAI7, { APIError } from "openai";
import OpenAI6 from "openai-6";
import { expect, test } from "vitest";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { trackedCost } from "../../src/surfaces/sdk/track/track-fetch.ts";
import { sdkUnderTest, type SdkUnderTest } from "./instance.ts";

const messages = [{ role: "user" as const, content: "Hello" }];
const CLIENTS = { "openai 7": OpenAI7, "openai 6": OpenAI6 as unknown as typeof OpenAI7 };

function bill({ provider }: SdkUnderTest): bigint {
  return provider.bill().totalNanoUsd;
}

for (const [name, OpenAI] of Object.entries(CLIENTS)) {
  test(`${name}: track(client) meters chat, responses and embeddings, plain and streamed, at the provider's own bill; answers are as before`, async () => {
    const sdk = await sdkUnderTest();
    const options = { apiKey: "sk-test", baseURL: `${sdk.provider.url}/v1` };
    try {
      const bare = new OpenAI(options);
      const client = sdk.tollgate.track(bare, { user: "ann", tags: ["t"] });
      expect(client).toBeInstanceOf(OpenAI);
      const plain = await client.chat.completions.create({ model: "gpt-4o-mini", messages });
      expect(plain.choices[0]?.message.content).toMatch(/\w/);
      let text = "";
      let usageEvents = 0;
      for await (const chunk of await client.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? "";
        if (chunk.usage != null) usageEvents += 1;
      }
      expect(text).toMatch(/\w/);
      expect(usageEvents).toBe(0);
      const asked = await client.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true, stream_options: { include_usage: true } });
      for await (const chunk of asked) if (chunk.usage != null) usageEvents += 1;
      expect(usageEvents).toBe(1);
      expect((await client.responses.create({ model: "gpt-4o-mini", input: "Hello" })).output_text).toMatch(/\w/);
      for await (const event of await client.responses.create({ model: "gpt-4o-mini", input: "Hello", stream: true })) expect(event.type).toMatch(/^response\./);
      expect((await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] })).data.length).toBe(2);
      expect((await client.models.list()).data.length).toBeGreaterThan(0);
      expect(sdk.entries.length).toBe(6);
      expect(sdk.entries.every((entry) => entry.estimated === null && entry.customer === "ann" && entry.tags === '["t"]')).toBe(true);
      const chat = sdk.entries.filter((entry) => entry.model === "gpt-4o-mini").reduce((sum, entry) => sum + BigInt(entry.cost), 0n);
      const billed = sdk.provider.bill().entries.filter((entry) => entry.model === "gpt-4o-mini").reduce((sum, entry) => sum + entry.nanoUsd, 0n);
      expect(chat).toBe(billed);
      // The client itself is untouched.
      await bare.chat.completions.create({ model: "gpt-4o-mini", messages });
      expect(sdk.entries.length).toBe(6);
    } finally {
      await sdk.stop();
    }
  });

  test(`${name}: a spent budget is a 422 that is never tried again, plain and streamed, with no request sent; the refusal is found in the client's error`, async () => {
    const sdk = await sdkUnderTest({ budgets: [{ user: "ann", maxBudget: "0.000000001" }] });
    try {
      const client = sdk.tollgate.track(new OpenAI({ apiKey: "sk-test", baseURL: `${sdk.provider.url}/v1`, maxRetries: 3 }), { user: "ann" });
      for (const stream of [false, true]) {
        const error = await client.chat.completions.create({ model: "gpt-4o-mini", messages, stream }).then(() => undefined, (caught: unknown) => caught);
        expect(error).toMatchObject({ status: 422 });
        if (name === "openai 7") expect(error).toBeInstanceOf(APIError);
        expect(BudgetExceededError.from(error)).toMatchObject({ code: "budget_exceeded", scope: "customer", maxBudget: 1e-9 });
      }
      expect(sdk.provider.requests.length).toBe(0);
      expect(sdk.entries.length).toBe(0);
    } finally {
      await sdk.stop();
    }
  });
}

test("promise 1: a thousand parallel requests of a tracked client never pass a budget, and use 97 % of it", async () => {
  const sdk = await sdkUnderTest({ budgets: [{ maxBudget: 0.01 }] });
  try {
    const client = sdk.tollgate.track(new OpenAI7({ apiKey: "sk-test", baseURL: `${sdk.provider.url}/v1`, maxRetries: 40 }));
    const results = await Promise.allSettled(Array.from({ length: 1_000 }, () => client.chat.completions.create({ model: "gpt-4o-mini", messages, max_tokens: 100 })));
    expect(sdk.spent()).toBe(bill(sdk));
    expect(sdk.spent()).toBeLessThanOrEqual(10_000_000n);
    expect(sdk.spent()).toBeGreaterThanOrEqual(9_700_000n);
    expect(results.some((result) => result.status === "rejected")).toBe(true);
  } finally {
    await sdk.stop();
  }
}, 120_000);

test("track(fetch): status, headers, url and bytes survive; costs are told; x-tollgate headers are read and stripped", async () => {
  const sdk = await sdkUnderTest();
  try {
    const fetch = sdk.tollgate.track(globalThis.fetch);
    const url = `${sdk.provider.url}/v1/chat/completions`;
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json", "x-tollgate-user": "bob", "x-tollgate-tags": "a, b" }, body: JSON.stringify({ model: "gpt-4o-mini", messages }) });
    expect([response.status, response.url, response.headers.get("content-type")]).toEqual([200, url, "application/json"]);
    const answer = await response.clone().json() as { usage: { total_tokens: number } };
    expect(answer.usage.total_tokens).toBeGreaterThan(0);
    expect((await trackedCost(response))?.total).toMatch(/^0\.0\d+$/);
    expect(sdk.entries[0]).toMatchObject({ customer: "bob", tags: '["a","b"]' });
    expect(Object.keys(sdk.provider.requests[0]?.headers ?? {}).filter((header) => header.startsWith("x-tollgate"))).toEqual([]);
    // A Request, and a body that is a stream, go the same way.
    const request = new Request(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ model: "gpt-4o-mini", messages }) });
    expect((await fetch(request)).status).toBe(200);
    const streamed = await fetch(url, { method: "POST", body: new Blob([JSON.stringify({ model: "gpt-4o-mini", messages })]).stream(), duplex: "half" } as RequestInit);
    expect(streamed.status).toBe(200);
    // What is not billable passes untouched.
    const models = await fetch(`${sdk.provider.url}/v1/models`);
    expect(models.status).toBe(200);
    expect(sdk.entries.length).toBe(3);
    expect(sdk.spent()).toBe(bill(sdk));
  } finally {
    await sdk.stop();
  }
});

test("track(fetch): provider errors keep status and body and cost nothing; a refused connection throws what fetch throws", async () => {
  const sdk = await sdkUnderTest();
  try {
    const fetch = sdk.tollgate.track(globalThis.fetch);
    const post = (base: string, signal?: AbortSignal): Promise<Response> => fetch(`${base}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ model: "gpt-4o-mini", messages }), ...(signal === undefined ? {} : { signal }) });
    for (const status of [400, 401, 403, 404, 429, 500]) {
      sdk.provider.enqueue({ status });
      const response = await post(sdk.provider.url);
      expect(response.status).toBe(status);
      expect(await response.text()).not.toBe("");
    }
    expect(sdk.spent()).toBe(0n);
    await expect(post("http://127.0.0.1:9")).rejects.toThrow(TypeError);
    expect(sdk.spent()).toBe(0n);
    const gone = new AbortController();
    gone.abort(new Error("enough"));
    await expect(post(sdk.provider.url, gone.signal)).rejects.toThrow("enough");
    expect(sdk.entries.length).toBe(7);
  } finally {
    await sdk.stop();
  }
});

test("track(fetch): a stream that its reader leaves is settled; the rest of the program hears nothing of it", async () => {
  const sdk = await sdkUnderTest();
  try {
    const client = sdk.tollgate.track(new OpenAI7({ apiKey: "sk-test", baseURL: `${sdk.provider.url}/v1` }));
    sdk.provider.enqueue({ chunks: 200, chunkDelayMs: 5 });
    for await (const _ of await client.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true })) break;
    await expect.poll(() => sdk.entries.length).toBe(1);
    expect(sdk.entries[0]).toMatchObject({ status: "client_gone" });
    expect(BigInt(sdk.entries[0]?.cost ?? 0)).toBeGreaterThan(0n);
  } finally {
    await sdk.stop();
  }
});

test("GATE 2.2: what is billable and has no reader is refused under a hard budget, and passes without one", async () => {
  const free = await sdkUnderTest();
  const capped = await sdkUnderTest({ budgets: [{ maxBudget: 1 }] });
  try {
    const image = (sdk: SdkUnderTest): Promise<Response> => sdk.tollgate.track(globalThis.fetch)(`${sdk.provider.url}/v1/images/generations`, { method: "POST", body: JSON.stringify({ model: "gpt-image-1", prompt: "x", messages }) });
    expect((await image(free)).status).toBe(200);
    const refused = await image(capped);
    expect([refused.status, refused.headers.get("x-should-retry"), ((await refused.json()) as { error: { tollgate_code: string } }).error.tollgate_code]).toEqual([400, "false", "cost_not_boundable"]);
    expect(capped.provider.requests.length).toBe(0);
  } finally {
    await free.stop();
    await capped.stop();
  }
});

test("outputCap: false sends a request as it is or refuses it; without it the budget shortens the answer and says so", async () => {
  const sdk = await sdkUnderTest({ budgets: [{ maxBudget: "0.001" }] });
  try {
    const options = { apiKey: "sk-test", baseURL: `${sdk.provider.url}/v1` };
    const whole = sdk.tollgate.track(new OpenAI7(options), { outputCap: false });
    for (const max_tokens of [5_000, undefined]) {
      const error = await whole.chat.completions.create({ model: "gpt-4o-mini", messages, ...(max_tokens === undefined ? {} : { max_tokens }) }).catch((caught: unknown) => caught);
      expect(BudgetExceededError.from(error)).toMatchObject({ code: "budget_exceeded", scope: "global" });
    }
    expect(sdk.provider.requests.length).toBe(0);
    await whole.chat.completions.create({ model: "gpt-4o-mini", messages, max_tokens: 500 });
    expect(sdk.provider.requests[0]?.body).toEqual({ model: "gpt-4o-mini", messages, max_tokens: 500 });
    // A model whose longest answer nobody knows has no bound.
    sdk.tollgate.registerModel({ "openai/novel": { input_cost_per_token: 1e-7, output_cost_per_token: 1e-7 } });
    await expect(whole.chat.completions.create({ model: "novel", messages })).rejects.toMatchObject({ status: 400, error: { tollgate_code: "cost_not_boundable" } });
    const fetch = sdk.tollgate.track(globalThis.fetch);
    const shortened = await fetch(`${sdk.provider.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ model: "gpt-4o-mini", messages, max_tokens: 5_000 }) });
    expect((await trackedCost(shortened))?.outputCap).toBeLessThan(5_000);
    expect(sdk.provider.requests[1]?.body["max_tokens"]).toBe((await trackedCost(shortened))?.outputCap);
  } finally {
    await sdk.stop();
  }
});

test("Azure's own way: the path names the model and the body need not; a wrong model in the body stays the program's mistake", async () => {
  const sdk = await sdkUnderTest({ budgets: [{ maxBudget: 1 }] });
  try {
    const fetch = sdk.tollgate.track(globalThis.fetch);
    const post = async (name: string, body: string): Promise<number> => {
      const response = await fetch(`${sdk.provider.url}/openai/deployments/${name}?api-version=2024-10-21`, { method: "POST", headers: { "api-key": "k" }, body });
      await response.text();
      return response.status;
    };
    const asked = JSON.stringify({ messages, max_tokens: 50 });
    expect(await post("gpt-4o-mini/chat/completions", asked)).toBe(200);
    expect(await post("gpt-4o-mini/chat/completions", ` \n${JSON.stringify({ messages, max_tokens: 50, stream: true })}`)).toBe(200);
    expect(await post("text-embedding-3-small/embeddings", '{"input":"Hello"}')).toBe(200);
    expect(sdk.entries.map((entry) => [entry.model, entry.estimated, BigInt(entry.cost) > 0n])).toEqual([["gpt-4o-mini", null, true], ["gpt-4o-mini", null, true], ["text-embedding-3-small", null, true]]);
    expect(sdk.provider.requests[0]?.body).toEqual({ model: "gpt-4o-mini", messages, max_tokens: 50 });
    for (const wrong of ['{"model":null,"messages":[]}', '{"model":7}', "{}", "[]", "", "{"]) expect(await post("gpt-4o-mini/chat/completions", wrong), wrong).toBe(400);
    expect(await post("%E0%A4%A/chat/completions", asked)).toBe(400);
    expect(sdk.provider.requests.length).toBe(3);
  } finally {
    await sdk.stop();
  }
});

test("nested wrappers meter once, and so does completion over a tracked fetch", async () => {
  const sdk = await sdkUnderTest();
  try {
    const twice = sdk.tollgate.track(sdk.tollgate.track(globalThis.fetch));
    expect((await twice(`${sdk.provider.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ model: "gpt-4o-mini", messages }) })).status).toBe(200);
    expect(sdk.entries.length).toBe(1);
    const outer = await sdkUnderTest({ fetch: sdk.tollgate.track(globalThis.fetch) });
    await outer.tollgate.completion({ model: "openai/gpt-4o-mini", messages });
    expect([outer.entries.length, sdk.entries.length]).toEqual([1, 1]);
    await outer.stop();
  } finally {
    await sdk.stop();
  }
});

test("track takes a fetch or a client of openai, and nothing else", () => {
  const wrong = (target: unknown) => async () => (await import("../../src/app/sdk.ts")).track(target);
  return Promise.all([{}, null, "fetch", OpenAI7].map((target) => expect(wrong(target)()).rejects.toMatchObject({ code: "invalid_request" })));
});

test("tollgate/openai: only the import changes: the client, its errors and helpers are the package's own, and its calls are metered", async () => {
  const sdk = await sdkUnderTest();
  const key = Symbol.for("tollgate@1");
  const holder = globalThis as unknown as Record<symbol, unknown>;
  holder[key] = sdk.tollgate;
  try {
    const { default: OpenAI, AzureOpenAI, APIError: Errors, toFile } = await import("../../src/openai.ts");
    const client = new OpenAI({ apiKey: "sk-test", baseURL: `${sdk.provider.url}/v1` });
    expect([client instanceof OpenAI7, Errors === APIError, typeof toFile]).toEqual([true, true, "function"]);
    await client.chat.completions.create({ model: "gpt-4o-mini", messages });
    await client.withOptions({ timeout: 5_000 }).chat.completions.create({ model: "gpt-4o-mini", messages });
    const azure = new AzureOpenAI({ apiKey: "k", endpoint: sdk.provider.url, apiVersion: "2024-10-21" });
    await azure.chat.completions.create({ model: "gpt-4o-mini", messages });
    expect(sdk.entries.length).toBe(3);
    expect(sdk.spent()).toBe(bill(sdk));
    sdk.tollgate.maxBudget = 0;
    expect(BudgetExceededError.from(await client.chat.completions.create({ model: "gpt-4o-mini", messages }).catch((error: unknown) => error))?.scope).toBe("process");
  } finally {
    delete holder[key];
    await sdk.stop();
  }
});
