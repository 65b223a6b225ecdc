import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulatedProvider, type SimulatedProvider } from "../../src/surfaces/simulated/simulated-provider.ts";

let provider: SimulatedProvider;
let client: OpenAI;

beforeAll(async () => {
  provider = await startSimulatedProvider({ seed: 7, speed: Infinity });
  client = new OpenAI({ apiKey: "any", baseURL: `${provider.url}/v1`, maxRetries: 0 });
});

afterAll(() => provider.close());

const ASK = { model: "gpt-4o-mini", messages: [{ role: "user" as const, content: "What does a toll gate do?" }] };

describe("the simulated provider", () => {
  test("says that it is simulated in header, fingerprint and text", async () => {
    const { data, response } = await client.chat.completions.create(ASK).withResponse();
    expect(response.headers.get("x-tollgate-simulated")).toBe("true");
    expect(data).toMatchObject({ model: "gpt-4o-mini", system_fingerprint: "simulated" });
    expect(data.choices[0]?.message.content).toMatch(/^\[simulated\] /);
  });

  test("counts one token a word, within the lower cap, for each choice", async () => {
    const answer = await client.chat.completions.create({ ...ASK, max_tokens: 50, max_completion_tokens: 9, n: 3 });
    expect(answer.choices).toHaveLength(3);
    for (const choice of answer.choices) {
      expect(choice.finish_reason).toBe("length");
      expect(choice.message.content?.split(" ")).toHaveLength(9);
    }
    expect(answer.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 27, total_tokens: 33 });
  });

  test("streams the words of the plain answer, usage only for who asks", async () => {
    const plain = await client.chat.completions.create(ASK);
    for (const asked of [false, true]) {
      let text = "";
      const usages: unknown[] = [];
      const stream = await client.chat.completions.create({ ...ASK, max_tokens: 7, stream: true, ...(asked ? { stream_options: { include_usage: true } } : {}) });
      for await (const event of stream) {
        text += event.choices[0]?.delta.content ?? "";
        if (event.usage) usages.push([event.choices.length, event.usage.completion_tokens]);
      }
      expect(text.split(" ")).toHaveLength(7);
      expect(usages).toEqual(asked ? [[0, 7]] : []);
    }
    expect(plain.usage?.completion_tokens).toBe(plain.choices[0]?.message.content?.split(" ").length);
  });

  test("a stream ends with [DONE]", async () => {
    const response = await fetch(`${provider.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ ...ASK, stream: true }) });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    expect((await response.text()).endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("answers alike for the same seed, otherwise for another", async () => {
    const twin = await startSimulatedProvider({ seed: 7, speed: Infinity });
    const other = await startSimulatedProvider({ seed: 8, speed: Infinity });
    try {
      const [first, same, different] = await Promise.all(
        [provider, twin, other].map(async ({ url }) => {
          const answer = await new OpenAI({ apiKey: "any", baseURL: `${url}/v1` }).chat.completions.create(ASK);
          return [answer.id, answer.choices[0]?.message.content];
        }),
      );
      expect(same).toEqual(first);
      expect(different).not.toEqual(first);
    } finally {
      await Promise.all([twin.close(), other.close()]);
    }
  });

  test("tokens never exceed bytes, and a long beginning is cached the second time", async () => {
    const beginning = "Once upon a time there was a gate. ".repeat(200);
    const ask = async (end: string): Promise<OpenAI.CompletionUsage | undefined> =>
      (await client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: beginning + end }], max_tokens: 1 })).usage;
    expect(await ask("one")).toMatchObject({ completion_tokens: 1, prompt_tokens_details: { cached_tokens: 0 } });
    const second = await ask("two");
    expect(second).toMatchObject({ prompt_tokens_details: { cached_tokens: 1_024 } });
    expect(second?.prompt_tokens).toBeLessThan(beginning.length);
  });

  test("lists models and tells its health", async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toContain("gpt-4o-mini");
    expect(await (await fetch(`${provider.url}/health`)).json()).toEqual({ status: "ok", simulated: true });
  });

  test.each([
    ["no JSON", "{", null],
    ["no object", "[]", null],
    ["no model", '{"messages":[{"role":"user"}]}', "model"],
    ["no messages", '{"model":"m"}', "messages"],
    ["a message that is none", '{"model":"m","messages":[1]}', "messages[0]"],
    ["a cap of zero", '{"model":"m","messages":[{"role":"user"}],"max_tokens":0}', "max_tokens"],
    ["half an answer", '{"model":"m","messages":[{"role":"user"}],"n":0.5}', "n"],
    ["stream_options without a stream", '{"model":"m","messages":[{"role":"user"}],"stream_options":{}}', "stream_options"],
  ])("400: %s", async (_name, body, param) => {
    const response = await fetch(`${provider.url}/v1/chat/completions`, { method: "POST", body });
    expect(response.status).toBe(400);
    expect(response.headers.get("x-tollgate-simulated")).toBe("true");
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", param, message: expect.stringMatching(/^\[simulated\] /) } });
  });

  test("speaks the Responses API, plain and streamed, within its cap", async () => {
    const plain = await client.responses.create({ model: "gpt-4o-mini", input: "What does a toll gate do?", max_output_tokens: 9 });
    expect(plain).toMatchObject({ status: "incomplete", usage: { input_tokens: 6, output_tokens: 9, total_tokens: 15 } });
    expect(plain.output_text).toMatch(/^\[simulated\] /);
    let text = "";
    let last: string | undefined;
    for await (const event of await client.responses.create({ model: "gpt-4o-mini", instructions: "Be short.", input: [{ role: "user", content: "Hi" }], stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed") expect(event.response.usage?.output_tokens).toBe(text.split(" ").length);
      last = event.type;
    }
    expect(last).toBe("response.completed");
  });

  test("embeds texts and token ids as unit vectors, alike each time", async () => {
    const ask = { model: "text-embedding-3-small", input: ["a gate", "a gate", "a river"], dimensions: 64 };
    const { data, usage } = await client.embeddings.create(ask);
    expect(data.map((one) => one.embedding.length)).toEqual([64, 64, 64]);
    expect(data[0]?.embedding).toEqual(data[1]?.embedding);
    expect(data[0]?.embedding).not.toEqual(data[2]?.embedding);
    expect(data[0]?.embedding.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
    expect(usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
    expect((await client.embeddings.create({ model: "m", input: [[1, 2], [3]], encoding_format: "float" })).usage.prompt_tokens).toBe(3);
  });

  test.each([
    ["responses", { model: "m" }, "input"], ["responses", { model: "m", input: [1] }, "input[0]"], ["responses", { model: "m", input: "x", max_output_tokens: 0 }, "max_output_tokens"],
    ["embeddings", { model: "m" }, "input"], ["embeddings", { model: "m", input: [""] }, "input[0]"], ["embeddings", { model: "m", input: "x", dimensions: 0 }, "dimensions"],
  ])("400: %s %j", async (route, body, param) => {
    const response = await fetch(`${provider.url}/v1/${route}`, { method: "POST", body: JSON.stringify(body) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param } });
  });

  test("a client that leaves within a stream harms nobody", async () => {
    const slow = await startSimulatedProvider({ speed: 1 });
    try {
      const leaving = new AbortController();
      const response = await fetch(`${slow.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ ...ASK, stream: true }), signal: leaving.signal });
      leaving.abort();
      await expect(response.text()).rejects.toThrow();
      expect((await fetch(`${slow.url}/v1/models`)).status).toBe(200);
    } finally {
      await slow.close();
    }
  });

  test("404 and 405 for what is not there", async () => {
    expect((await fetch(`${provider.url}/v1/rerank`, { method: "POST", body: "{}" })).status).toBe(404);
    expect((await fetch(`${provider.url}/v1/chat/completions`)).status).toBe(405);
  });
});
