import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import { afterEach, expect, test } from "vitest";
import { startMockProvider } from "../support/mock-provider.ts";
import { RawClient, rawPost } from "../support/raw-client.ts";
import { chat, startWorld, until, type World, type WorldOptions } from "../support/world.ts";

const PATH = "/v1/chat/completions";
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function begin(options: WorldOptions = {}): Promise<World> {
  const world = await startWorld(options);
  cleanups.push(() => world.stop());
  return world;
}

async function settled(world: World): Promise<void> {
  await until(async () => (await world.gateway.call("GET", "/health/readiness")).body["in_flight_requests"] === 0, "settled");
}

async function onlyEntry(world: World, key: string): Promise<{ spend: number; tollgate: { status: string; estimated: string | null; held: string } }> {
  const rows = (await world.gateway.call("GET", `/spend/logs?api_key=${key}`)).body as unknown as [never];
  expect(rows).toHaveLength(1);
  return rows[0];
}

test("5.5: a stream's client leaves in the middle, the provider is read to its end and the real usage is charged", async () => {
  const world = await begin();
  const key = await world.key({ max_budget: 1 });
  world.mock.enqueue({ chunks: 20, chunkDelayMs: 10 });
  const client = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: key });
  const stream = await client.chat.completions.create({ model: "gpt-4o-mini", max_tokens: 500, stream: true, messages: [{ role: "user", content: "Hi" }] });
  for await (const _ of stream) break;
  await settled(world);
  await until(() => world.mock.bill().entries[0]?.sentFully === true, "the provider was read to its end");
  const entry = await onlyEntry(world, key);
  expect(entry.tollgate).toMatchObject({ status: "client_gone", estimated: null });
  expect(BigInt(Math.round(entry.spend * 1e9))).toBe(world.mock.bill().totalNanoUsd);
});

test("5.5: a provider that talks on after the client left is cut off when the drain is over, and the hold charged", async () => {
  const world = await begin({ tollgate: "drain_ms: 1000" });
  const key = await world.key({ max_budget: 1, max_parallel_requests: 1 });
  world.mock.enqueue({ fault: "hang_mid_body" });
  const client = new RawClient(world.gateway.url);
  client.send(rawPost(PATH, key, JSON.stringify(chat("gpt-4o-mini", { stream: true }))));
  await client.until((text) => text.includes("data: "));
  client.destroy();
  // 7.4: the slot stays taken for as long as the metering goes on.
  await until(async () => (await world.gateway.call("POST", PATH, chat(), key)).status === 429, "the slot is taken");
  await settled(world);
  expect(world.mock.open()).toBe(0);
  const entry = await onlyEntry(world, key);
  expect(entry.tollgate).toMatchObject({ status: "client_gone", estimated: "client_gone", held: String(entry.spend) });
  expect((await world.gateway.call("POST", PATH, chat(), key)).status).toBe(200);
});

test("5.5: on_disconnect cancel stops the provider at once and charges input and what was seen, never more than the hold", async () => {
  const world = await begin({ tollgate: "on_disconnect: cancel" });
  const key = await world.key({ max_budget: 1 });
  world.mock.enqueue({ chunks: 400, chunkDelayMs: 10, completionTokens: 2_000 });
  const client = new RawClient(world.gateway.url);
  client.send(rawPost(PATH, key, JSON.stringify(chat("gpt-4o-mini", { stream: true, max_tokens: 4_000 }))));
  await client.until((text) => text.split("data: ").length > 4);
  client.destroy();
  await settled(world);
  await until(() => world.mock.open() === 0, "the provider is let go");
  expect(world.mock.bill().entries[0]?.sentFully).toBe(false);
  const entry = await onlyEntry(world, key);
  expect(entry.tollgate).toMatchObject({ status: "client_gone", estimated: "client_gone" });
  expect(entry.spend).toBeGreaterThan(0);
  expect(entry.spend).toBeLessThan(Number(entry.tollgate.held));
});

test("a client that leaves before the head is charged what the provider answered, and its kept connection troubles nobody", async () => {
  const world = await begin();
  const key = await world.key({ max_budget: 1 });
  world.mock.enqueue({ headDelayMs: 200 });
  const client = new RawClient(world.gateway.url);
  client.send(rawPost(PATH, key, JSON.stringify(chat())));
  await until(() => world.mock.open() === 1, "with the provider");
  client.destroy();
  await settled(world);
  const entry = await onlyEntry(world, key);
  expect(entry.tollgate).toMatchObject({ status: "client_gone", estimated: null });
  expect(BigInt(Math.round(entry.spend * 1e9))).toBe(world.mock.bill().totalNanoUsd);
});

test("7.4: a request that takes longer than allowed is ended with 504 and its hold charged; a provider that falls silent likewise", async () => {
  const world = await begin({ tollgate: "request_timeout_ms: 1000, idle_timeout_ms: 60000" });
  const key = await world.key({ max_budget: 1 });
  world.mock.enqueue({ fault: "never_answer" });
  const late = await world.gateway.call("POST", PATH, chat(), key);
  expect([late.status, (late.body["error"] as { tollgate_code: string }).tollgate_code]).toEqual([504, "upstream_timeout"]);
  expect((await onlyEntry(world, key)).tollgate).toMatchObject({ status: "timeout", estimated: "cut_short" });
  const silent = await begin({ tollgate: "idle_timeout_ms: 500" });
  silent.mock.enqueue({ fault: "hang_mid_body" });
  const client = new OpenAI({ baseURL: `${silent.gateway.url}/v1`, apiKey: silent.gateway.master, maxRetries: 0 });
  await expect((async () => {
    for await (const _ of await client.chat.completions.create({ model: "gpt-4o-mini", max_tokens: 500, stream: true, messages: [{ role: "user", content: "Hi" }] }));
  })()).rejects.toThrow(/broke off|longer than/);
  await settled(silent);
});

/** Streams events of 16 KB until it has sent so many bytes, heeding back-pressure; says how much it has written. */
async function floodingProvider(bytes: number): Promise<{ url: string; written(): number }> {
  let written = 0;
  const event = `data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${"x".repeat(16_000)}"},"finish_reason":null}]}\n\n`;
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    const step = (): void => {
      while (written < bytes) {
        written += event.length;
        if (!response.write(event)) {
          response.once("drain", step);
          return;
        }
      }
      response.end('data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n');
    };
    step();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  }));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, written: () => written };
}

test("a client that does not read 50 MB of stream slows its own provider instead of filling memory, and gets every byte once it reads", async () => {
  const total = 50_000_000;
  const provider = await floodingProvider(total);
  const world = await begin({ models: () => `
  - model_name: flood
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: "${provider.url}/v1" }` });
  const { hostname, port } = new URL(world.gateway.url);
  const socket = connect(Number(port), hostname);
  cleanups.push(() => void socket.destroy());
  socket.pause();
  socket.write(rawPost(PATH, world.gateway.master, JSON.stringify(chat("flood", { stream: true }))));
  await until(() => provider.written() > 0, "the stream has begun");
  let before = -1;
  while (before !== provider.written()) {
    before = provider.written();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // What the sockets on both sides buffer, and no more.
  expect(provider.written()).toBeLessThan(20_000_000);
  expect((await world.gateway.call("POST", PATH, chat())).status).toBe(200);
  let size = 0;
  let tail = "";
  socket.on("data", (chunk: Buffer) => {
    size += chunk.length;
    tail = (tail + chunk.subarray(-200).toString("latin1")).slice(-200);
  });
  socket.resume();
  await until(() => tail.includes("data: [DONE]"), "the stream comes to its end");
  expect(size).toBeGreaterThan(total);
  await settled(world);
});

test("GATE 9.2, 5.4: after a pause in which the provider closed its idle connections, a burst meets no error", async () => {
  const world = await begin();
  const key = await world.key({ max_budget: 1 });
  const burst = async (): Promise<void> => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => world.gateway.call("POST", PATH, chat(), key)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  };
  for (let round = 0; round < 5; round += 1) {
    await burst();
    world.mock.closeIdle();
    if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
  }
  await burst();
});

test("5.7: a stop answers 503 to readiness and to new requests, lets open streams end, and closes", async () => {
  const world = await startWorld({ mock: { standard: { chunks: 20, chunkDelayMs: 20 } } });
  const key = await world.key({ max_budget: 1 });
  const keptOpen = new RawClient(world.gateway.url);
  keptOpen.send("GET /health/readiness HTTP/1.1\r\nhost: gate\r\n\r\n");
  await keptOpen.until((text) => text.includes("healthy"));
  const client = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  const stream = await client.chat.completions.create({ model: "gpt-4o-mini", max_tokens: 500, stream: true, messages: [{ role: "user", content: "Hi" }] });
  const stopped = world.gateway.close();
  keptOpen.send(`GET /health/readiness HTTP/1.1\r\nhost: gate\r\n\r\n${rawPost(PATH, key, JSON.stringify(chat()))}`);
  const late = await keptOpen.until((text) => text.includes("shutting_down"));
  expect(keptOpen.statuses()).toEqual([200, 503, 503]);
  expect(late.toLowerCase()).toContain("connection: close");
  expect((await fetch(`${world.gateway.url}/health/readiness`)).status).toBe(503);
  let finished = false;
  for await (const chunk of stream) finished ||= chunk.choices[0]?.finish_reason === "stop";
  expect(finished).toBe(true);
  await stopped;
  await expect(fetch(`${world.gateway.url}/health/readiness`)).rejects.toThrow();
  expect(world.mock.requests).toHaveLength(1);
  rmSync(world.gateway.folder, { recursive: true, force: true });
  await world.mock.close();
});

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));
const MASTER = "sk-stop-test-master-key-1234567890";

test("5.7: SIGTERM cancels what outlives the limit, tells its client, charges the hold, and exits 0", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-stop-"));
  const mock = await startMockProvider({});
  cleanups.push(() => mock.close(), () => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "config.yaml");
  writeFileSync(config, `model_list:\n  - model_name: gpt-4o-mini\n    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: "${mock.url}/v1" }\ntollgate: { log_level: error, shutdown_ms: 300 }\n`);
  const start = async () => {
    const child = spawn(process.execPath, [CLI, "start", "--config", config, "--port", "0", "--data", join(folder, "data")], { env: { ...process.env, TOLLGATE_MASTER_KEY: MASTER }, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`exited with ${code}`)));
      child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        const found = /(http:\/\/[\d.:]+)/.exec(text)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    return { child, url, exited: new Promise<number | null>((resolve) => child.once("exit", resolve)) };
  };
  const first = await start();
  mock.enqueue({ fault: "hang_mid_body" }, { fault: "never_answer" });
  const streaming = new RawClient(first.url);
  streaming.send(rawPost(PATH, MASTER, JSON.stringify(chat("gpt-4o-mini", { stream: true }))));
  await streaming.until((text) => text.includes("data: "));
  const waiting = new RawClient(first.url);
  waiting.send(rawPost(PATH, MASTER, JSON.stringify(chat())));
  await until(() => mock.open() === 2, "both with the provider");
  const begun = performance.now();
  first.child.kill("SIGTERM");
  expect(await streaming.end()).toContain('"tollgate_code":"shutting_down"');
  expect(await waiting.end()).toMatch(/^HTTP\/1\.1 503/);
  expect(await first.exited).toBe(0);
  expect(performance.now() - begun).toBeLessThan(5_000);
  const second = await start();
  const rows = (await (await fetch(`${second.url}/spend/logs`, { headers: { authorization: `Bearer ${MASTER}` } })).json()) as { spend: number; tollgate: { status: string; estimated: string; held: string } }[];
  expect(rows).toHaveLength(2);
  for (const row of rows) expect(row.tollgate).toMatchObject({ status: "shutdown", estimated: "shutdown", held: String(row.spend) });
  second.child.kill("SIGTERM");
  expect(await second.exited).toBe(0);
});
