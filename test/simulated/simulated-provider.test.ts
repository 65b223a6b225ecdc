import { afterAll, beforeAll, expect, test } from "vitest";
import { startSimulatedProvider, type SimulatedProvider } from "../../src/surfaces/simulated/simulated-provider.ts";

let provider: SimulatedProvider;

beforeAll(async () => {
  provider = await startSimulatedProvider({ speed: Infinity, seed: 7 });
});

afterAll(() => provider.close());

function ask(body: unknown): Promise<Response> {
  return fetch(`${provider.url}/v1/chat/completions`, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
}

const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] };

test("a plain answer is labelled everywhere and tells its usage", async () => {
  const body = JSON.stringify(HELLO);
  const response = await ask(body);
  expect(response.headers.get("x-tollgate-simulated")).toBe("true");
  const answer = (await response.json()) as any;
  expect(answer).toMatchObject({ object: "chat.completion", model: "gpt-4o-mini", system_fingerprint: "simulated" });
  expect(answer.choices[0].message.content).toMatch(/^\[simulated\] /);
  expect(answer.usage.prompt_tokens).toBe(Math.floor(body.length / 4));
  expect(answer.usage.total_tokens).toBe(answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("output keeps to the smaller cap for each of n answers", async () => {
  const answer = (await (await ask({ ...HELLO, n: 3, max_tokens: 9, max_completion_tokens: 4 })).json()) as any;
  expect(answer.choices).toHaveLength(3);
  expect(answer.choices.map((choice: any) => choice.finish_reason)).toEqual(["length", "length", "length"]);
  expect(answer.usage.completion_tokens).toBe(12);
});

test("a stream ends with [DONE] and tells usage only when asked", async () => {
  const silent = await (await ask({ ...HELLO, stream: true })).text();
  expect(silent).not.toContain("usage");
  expect(silent.endsWith("data: [DONE]\n\n")).toBe(true);
  const text = await (await ask({ ...HELLO, stream: true, stream_options: { include_usage: true } })).text();
  const events = text.split("\n\n").slice(0, -2).map((event) => JSON.parse(event.slice("data: ".length)));
  expect(events.every((event) => event.system_fingerprint === "simulated")).toBe(true);
  expect(events.map((event) => event.choices[0]?.delta.content ?? "").join("")).toMatch(/^\[simulated\] /);
  expect(events.slice(0, -1).every((event) => event.usage === null)).toBe(true);
  expect(events.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens_details: { cached_tokens: 0 } } });
});

test.each([
  ["text", "nonsense"],
  ["a list", []],
  ["no model", { messages: HELLO.messages }],
  ["no messages", { model: "gpt-4o-mini", messages: [] }],
  ["n of zero", { ...HELLO, n: 0 }],
  ["a cap that is no count", { ...HELLO, max_tokens: 1.5 }],
])("%s gets an error in OpenAI's envelope", async (_name, body) => {
  const response = await ask(body);
  expect(response.status).toBe(400);
  expect(response.headers.get("x-tollgate-simulated")).toBe("true");
  expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", message: expect.stringMatching(/^\[simulated\]/) } });
});

test("models are listed, other routes are not found", async () => {
  expect(await (await fetch(`${provider.url}/v1/models`)).json()).toMatchObject({ object: "list" });
  expect((await fetch(`${provider.url}/v1/else`)).status).toBe(404);
});

test("a client that leaves within a stream harms nobody", async () => {
  const slow = await startSimulatedProvider({ speed: 1 });
  try {
    const leaving = new AbortController();
    const response = await fetch(`${slow.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ ...HELLO, stream: true }), signal: leaving.signal });
    leaving.abort();
    await expect(response.text()).rejects.toThrow();
    expect((await fetch(`${slow.url}/v1/models`)).status).toBe(200);
  } finally {
    await slow.close();
  }
});
