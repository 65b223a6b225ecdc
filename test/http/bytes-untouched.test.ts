import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chat, startWorld, type World } from "../support/world.ts";

const PATH = "/v1/chat/completions";
let world: World;
/** What the next raw answer says, word for word. */
let rawHead: Record<string, string | string[]> = {};
let rawBody: Buffer = Buffer.alloc(0);
let elsewhere = 0;
const raw = createServer((request, response) => {
  if (request.url === "/elsewhere") elsewhere += 1;
  request.resume();
  request.on("end", () => {
    // Bytes that Node would not let through by itself.
    const lines = Object.entries(rawHead).flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => `${name}: ${one}\r\n`));
    response.socket?.end(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${lines.join("")}content-length: ${rawBody.length}\r\nconnection: close\r\n\r\n`, "utf8"), rawBody]));
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
  const rawUrl = `http://127.0.0.1:${(raw.address() as AddressInfo).port}`;
  world = await startWorld({ models: () => `
  - model_name: raw
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: "${rawUrl}/v1" }` });
});
afterAll(async () => {
  await world.stop();
  await new Promise((resolve) => raw.close(resolve));
});

function post(url: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}${PATH}`, { method: "POST", headers: { authorization: `Bearer ${world.gateway.master}`, ...headers }, body, redirect: "manual" });
}

const bytesOf = async (response: Response): Promise<string> => Buffer.from(await response.arrayBuffer()).toString("latin1");

/** The mock's ids count its requests. */
const withoutIds = (text: string): string => text.replaceAll(/chatcmpl-mock-\d+/g, "chatcmpl-mock");

const STEADY = { completionTokens: 40, promptTokens: 20 };

test("9.2: plain answers and streams pass byte for byte, however the provider cuts them", async () => {
  for (const behaviour of [{}, { chop: true }, { chunked: true }]) {
    for (const more of [{}, { stream: true, stream_options: { include_usage: true } }]) {
      const body = JSON.stringify(chat("gpt-4o-mini", more));
      world.mock.enqueue({ ...STEADY, ...behaviour }, { ...STEADY, ...behaviour });
      const direct = await bytesOf(await post(world.mock.url, body));
      const through = await bytesOf(await post(world.gateway.url, body));
      expect(withoutIds(through)).toBe(withoutIds(direct));
      expect(direct.includes('"usage":{')).toBe(true);
    }
  }
});

test("9.2: the usage event is asked for and withheld only from who did not ask", async () => {
  world.mock.enqueue(STEADY, STEADY);
  const asked = JSON.stringify(chat("gpt-4o-mini", { stream: true }));
  const direct = await bytesOf(await post(world.mock.url, asked));
  const through = await bytesOf(await post(world.gateway.url, asked));
  expect(world.mock.requests.at(-1)?.body.stream_options).toEqual({ include_usage: true });
  expect(through).not.toContain('"choices":[]');
  // Providers that are asked for usage say null in every other event; else nothing differs.
  expect(withoutIds(through).replaceAll(',"usage":null', "")).toBe(withoutIds(direct));
});

test("9.1: the request arrives as it was written, but for the members that are edited", async () => {
  const odd = '{ "messages" : [ {"role":"user","content":"\\u00fc \\ud83e\\ude99 1.0e0"} ] ,\n\t"temperature":1.0e0, "max_tokens" : 100, "model":"gpt-4o-mini" }';
  await post(world.gateway.url, odd);
  expect(world.mock.requests.at(-1)?.text).toBe(odd);
  const key = await world.key({ max_budget: 0.0003 });
  const answer = await post(world.gateway.url, odd.replace("100", "100000"), { authorization: `Bearer ${key}` });
  const cap = answer.headers.get("x-tollgate-output-cap");
  expect(Number(cap)).toBeGreaterThan(0);
  expect(world.mock.requests.at(-1)?.text).toBe(odd.replace("100", String(cap)));
});

test("9.3: the provider gets its own key and nothing of the client's headers; identity is asked for", async () => {
  await post(world.gateway.url, JSON.stringify(chat()), { cookie: "session=1", "x-api-key": "sk-other", "x-forwarded-for": "10.0.0.1", "openai-organization": "org-of-the-client", "accept-encoding": "gzip", "x-litellm-customer-id": "c" });
  const { headers } = world.mock.requests.at(-1) as { headers: Record<string, string> };
  expect(Object.keys(headers).sort()).toEqual(["accept-encoding", "authorization", "connection", "content-length", "content-type", "host"]);
  expect(headers).toMatchObject({ authorization: "Bearer sk-upstream", "accept-encoding": "identity", "content-type": "application/json" });
});

test("9.3: cookies never reach the client, nor does what a provider says about our key", async () => {
  expect((await post(world.gateway.url, JSON.stringify(chat("m/set-cookie")))).headers.get("set-cookie")).toBeNull();
  for (const status of [401, 403]) {
    const answer = await post(world.gateway.url, JSON.stringify(chat(`m/status-${status}`)));
    const text = await answer.text();
    expect([answer.status, JSON.parse(text).error.tollgate_code]).toEqual([502, "upstream_auth"]);
    expect(text).not.toContain("sk-secret-of-the-gateway");
  }
});

test("10.2: redirects are not followed, and no member, header or query chooses another host", async () => {
  world.mock.enqueue({ status: 307, headers: { location: `http://127.0.0.1:${(raw.address() as AddressInfo).port}/elsewhere` }, body: "" });
  const moved = await post(world.gateway.url, JSON.stringify(chat()));
  expect([moved.status, moved.headers.get("location")]).toEqual([502, null]);
  expect(elsewhere).toBe(0);
  const key = await world.key({});
  const before = world.mock.requests.length;
  const answer = await fetch(`${world.gateway.url}${PATH}?api_base=http://127.0.0.1:1&api_key=x`, { method: "POST", headers: { authorization: `Bearer ${key}`, "x-api-base": "http://127.0.0.1:1" }, body: JSON.stringify(chat("gpt-4o-mini", { api_base: "http://127.0.0.1:1", base_url: "http://127.0.0.1:1", api_key: "sk-mine" })) });
  expect(answer.status).toBe(200);
  expect(world.mock.requests.length).toBe(before + 1);
  expect(world.mock.requests.at(-1)?.headers.authorization).toBe("Bearer sk-upstream");
});

test("a provider's headers that HTTP cannot carry on, or that pretend to be ours, harm nobody", async () => {
  rawHead = { "content-type": "application/json", "x-note": "料金 é", "x-fine": "yes", "x-litellm-response-cost": "999", "x-tollgate-held": "999", "x-many": ["a", "b"] };
  rawBody = Buffer.from('{"id":"r","model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}');
  const answer = await post(world.gateway.url, JSON.stringify(chat("raw")));
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-fine")).toBe("yes");
  expect(answer.headers.get("x-many")).toBe("a, b");
  expect(answer.headers.get("x-litellm-response-cost")).toBe("0.0000075");
  expect(await bytesOf(answer)).toBe(rawBody.toString("latin1"));
});

test("a provider that compresses unasked is passed on readable to the client, and charged the hold", async () => {
  const answer = await post(world.gateway.url, JSON.stringify(chat("m/gzip")));
  expect(answer.headers.get("x-tollgate-estimated")).toBe("cut_short");
  expect(answer.headers.get("x-litellm-response-cost")).toBe(answer.headers.get("x-tollgate-held"));
  expect(((await answer.json()) as { object: string }).object).toBe("chat.completion");
});
