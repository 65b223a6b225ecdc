import { afterAll, beforeAll, expect, test } from "vitest";
import { capFieldOf, providerEntry } from "../../src/adapters/providers/registry.ts";
import type { Behaviour } from "../support/mock-answers.ts";
import { chat, startWorld, type World } from "../support/world.ts";

const PATH = "/v1/chat/completions";
const DIRECT = "input_cost_per_token: 0.00000015, output_cost_per_token: 0.0000006";
let world: World;
beforeAll(async () => {
  const entry = (name: string, params: string, info = ""): string => `
  - model_name: ${name}
    litellm_params: { ${params} }
    model_info: { ${info} }`;
  world = await startWorld({
    models: (url) => [
      entry("azure", `model: azure/gpt-4o-mini, api_key: sk-azure, api_base: "${url}", api_version: 2024-10-21, ${DIRECT}`),
      entry("chosen", `model: openai/gpt-4o-mini, api_key: sk-up, api_base: "${url}/v1"`, "output_cap_field: max_completion_tokens"),
      entry("other", `model: mistral/mistral-small-latest, api_key: sk-up, api_base: "${url}/v1", ${DIRECT}`),
      entry("silent", `model: openai/gpt-4o-mini, api_key: sk-up, api_base: "${url}/v1"`, "supports_stream_options: false"),
    ].join(""),
  });
});
afterAll(() => world.stop());

const send = (key: string, body: Record<string, unknown>) => world.gateway.call("POST", PATH, body, key);
const undeclared = (model: string): Record<string, unknown> => ({ model, messages: [{ role: "user", content: "Hello there" }] });
const sent = (): Record<string, unknown> => world.mock.requests.at(-1)?.body as Record<string, unknown>;
const remaining = (answer: Awaited<ReturnType<typeof send>>): number => Number(answer.headers.get("x-ratelimit-api_key-remaining-tokens"));

test("GATE 3.1: a token limit shortens an answer that it could never hold, to what it holds, and never below 64 tokens", async () => {
  const body = chat("gpt-4o-mini", { max_tokens: 5_000 });
  const input = Math.ceil(JSON.stringify(body).length / 4);
  const shortened = await send(await world.key({ tpm_limit: 300 }), body);
  expect([shortened.status, shortened.headers.get("x-tollgate-output-cap"), sent()["max_tokens"]]).toEqual([200, String(300 - input), 300 - input]);
  expect((await send(await world.key({ tpm_limit: input + 64 }), body)).headers.get("x-tollgate-output-cap")).toBe("64");
  expect((await send(await world.key({ tpm_limit: input + 63 }), body)).body["error"]).toMatchObject({ tollgate_code: "request_exceeds_tpm" });
  // A client that wants less than 64 tokens gets them.
  const few = chat("gpt-4o-mini", { max_tokens: 10 });
  expect((await send(await world.key({ tpm_limit: Math.ceil(JSON.stringify(few).length / 4) + 10 }), few)).status).toBe(200);
});

test("GATE 3.1: the tokens that others used this minute shorten nothing: the request waits", async () => {
  const key = await world.key({ tpm_limit: 1_000 });
  world.mock.enqueue({ promptTokens: 100, completionTokens: 400 });
  await send(key, chat("gpt-4o-mini", { max_tokens: 400 }));
  const refused = await send(key, chat("gpt-4o-mini", { max_tokens: 800 }));
  expect([refused.status, refused.headers.get("x-should-retry")]).toEqual([429, "true"]);
  world.time.advance(61_000);
  const later = await send(key, chat("gpt-4o-mini", { max_tokens: 800 }));
  expect([later.status, later.headers.get("x-tollgate-output-cap")]).toEqual([200, null]);
});

test("GATE 3.3: facing only a token limit, an undeclared answer reserves a sixteenth of it, 64 tokens at least, and nothing is sent", async () => {
  const body = undeclared("gpt-4o-mini");
  const input = Math.ceil(JSON.stringify(body).length / 4);
  for (const [limit, reserved] of [[16_000, 1_000], [160, 64], [100_000_000, 16_384]] as const) {
    const answer = await send(await world.key({ tpm_limit: limit }), body);
    expect([limit, answer.status, remaining(answer)]).toEqual([limit, 200, limit - input - reserved]);
    expect(answer.headers.get("x-tollgate-output-cap")).toBeNull();
    expect(Object.keys(sent())).toEqual(["model", "messages"]);
  }
});

test("GATE 3.3: an unknown maximum counts as 4,096 tokens", async () => {
  const body = undeclared("m/nobody-knows");
  const input = Math.ceil(JSON.stringify(body).length / 4);
  expect(remaining(await send(await world.key({ tpm_limit: 100_000_000 }), body))).toBe(100_000_000 - input - 4_096);
  await send(await world.key({ max_budget: 1_000 }), body);
  expect(sent()["max_tokens"] ?? sent()["max_completion_tokens"]).toBe(4_096);
});

test.each([["azure", "max_completion_tokens"], ["chosen", "max_completion_tokens"], ["other", "max_tokens"]])("GATE 9.1: the cap is injected for %s as %s, alone", async (model, field) => {
  const answer = await send(await world.key({ max_budget: 0.01 }), undeclared(model));
  const cap = Number(answer.headers.get("x-tollgate-output-cap"));
  expect([answer.status, cap > 64]).toEqual([200, true]);
  expect(["max_tokens", "max_completion_tokens"].map((name) => sent()[name])).toEqual(["max_tokens", "max_completion_tokens"].map((name) => (name === field ? cap : undefined)));
});

test("GATE 9.1: what goes to api.openai.com itself has max_completion_tokens", () => {
  const openai = providerEntry("openai");
  if (openai === undefined) throw new Error("no openai");
  expect(capFieldOf(openai, "https://api.openai.com/v1")).toBe("max_completion_tokens");
});

test("GATE 9.2: with supports_stream_options false they are not sent; without usage the hold is charged, with usage its cost", async () => {
  const key = await world.key({ max_budget: 1 });
  const cost = async (behaviour: Behaviour): Promise<{ cost: string; held: string; estimated: string | null }> => {
    world.mock.enqueue(behaviour);
    const response = await fetch(`${world.gateway.url}${PATH}`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body: JSON.stringify(chat("silent", { stream: true })) });
    await response.text();
    expect(sent()["stream_options"]).toBeUndefined();
    const [entry] = (await world.requestDetails(response.headers.get("x-litellm-call-id") as string)).entries;
    return entry as { cost: string; held: string; estimated: string | null };
  };
  const silent = await cost({ promptTokens: 10, completionTokens: 10 });
  expect(silent).toMatchObject({ cost: silent.held, estimated: "usage_missing" });
  const told = await cost({ promptTokens: 100, completionTokens: 10, usage: "always" });
  expect(told).toMatchObject({ cost: "0.000021", estimated: null });
});

test.each([["input", "inputTokens"], ["output", "outputTokens"]])("GATE 7.2: token_rate_limit_type %s reserves and corrects its part alone", async (kind) => {
  const own = await startWorld({ yaml: `general_settings: { token_rate_limit_type: ${kind} }` });
  try {
    const key = await own.key({ tpm_limit: 1_000 });
    const ask = (more: Record<string, unknown> = {}) => own.gateway.call("POST", PATH, chat("gpt-4o-mini", more), key);
    const bytes = JSON.stringify(chat()).length;
    own.mock.enqueue({ promptTokens: 300, completionTokens: 80 });
    expect(remaining(await ask())).toBe(1_000 - (kind === "input" ? Math.ceil(bytes / 4) : 100));
    const used = kind === "input" ? 300 : 80;
    expect(remaining(await ask())).toBe(1_000 - used - (kind === "input" ? Math.ceil(bytes / 4) : 100));
    const long = await ask({ max_tokens: 5_000 });
    // Only a limit that counts output can shorten it.
    expect(long.headers.get("x-tollgate-output-cap")).toBe(kind === "input" ? null : long.status === 429 ? null : "1000");
    expect(long.status).toBe(kind === "input" ? 200 : 429);
  } finally {
    await own.stop();
  }
});
