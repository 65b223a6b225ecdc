import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { RawClient, rawPost } from "../support/raw-client.ts";
import { chat, startWorld, until, type World } from "../support/world.ts";

let world: World;
let key: string;
const clients: RawClient[] = [];

beforeAll(async () => {
  world = await startWorld({ tollgate: "idle_timeout_ms: 700, body_limit_bytes: 100000" });
});
beforeEach(async () => {
  key = await world.key({ max_budget: 1, max_parallel_requests: 20 });
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await world.stop();
});

function client(): RawClient {
  const made = new RawClient(world.gateway.url);
  clients.push(made);
  return made;
}

/** The gateway lives, and nothing is held or in flight. */
async function unharmed(): Promise<void> {
  await until(async () => {
    const health = await world.gateway.call("GET", "/health/readiness");
    return health.status === 200 && health.body["in_flight_requests"] === 0;
  }, "nothing in flight");
  expect((await world.keyInfo(key)).tollgate.held).toBe(0);
  expect((await world.gateway.call("POST", "/v1/chat/completions", chat(), key)).status).toBe(200);
}

const PATH = "/v1/chat/completions";
const body = JSON.stringify(chat());

test("a request without content-type, and one in chunks, are served like any other", async () => {
  const plain = client();
  plain.send(rawPost(PATH, key, body, []));
  expect(await plain.until((text) => text.includes("chat.completion"))).toMatch(/^HTTP\/1\.1 200/);
  const chunked = client();
  chunked.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${key}\r\ntransfer-encoding: chunked\r\n\r\n`);
  for (const piece of body.match(/.{1,17}/g) ?? []) chunked.send(`${piece.length.toString(16)}\r\n${piece}\r\n`);
  chunked.send("0\r\n\r\n");
  expect(await chunked.until((text) => text.includes("chat.completion"))).toMatch(/^HTTP\/1\.1 200/);
  await unharmed();
});

test("Expect: 100-continue asks for the body only once the key and the size are accepted", async () => {
  const good = client();
  good.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${key}\r\nexpect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n`);
  expect(await good.until((text) => text.includes("\r\n\r\n"))).toMatch(/^HTTP\/1\.1 100/);
  good.send(body);
  await good.until((text) => text.includes("chat.completion"));
  expect(good.statuses()).toEqual([200]);
  const unknown = client();
  unknown.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer sk-unknown-key\r\nexpect: 100-continue\r\ncontent-length: 50\r\n\r\n`);
  const refused = await unknown.end();
  expect(refused).toMatch(/^HTTP\/1\.1 401/);
  expect(refused.toLowerCase()).toContain("connection: close");
  const large = client();
  large.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${key}\r\nexpect: 100-continue\r\ncontent-length: 100001\r\n\r\n`);
  const answer = await large.until((text) => text.includes("body_too_large"));
  expect(answer).toMatch(/^HTTP\/1\.1 413/);
  await unharmed();
});

test("10.2: who sends a body over the limit reads the 413 after the last byte, declared or in chunks", async () => {
  const large = "x".repeat(3_000_000);
  for (const declared of [true, false]) {
    const sender = client();
    sender.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${key}\r\n${declared ? `content-length: ${large.length}` : "transfer-encoding: chunked"}\r\n\r\n`);
    for (let at = 0; at < large.length; at += 100_000) {
      const piece = large.slice(at, at + 100_000);
      expect(sender.closed).toBe(false);
      sender.send(declared ? piece : `${piece.length.toString(16)}\r\n${piece}\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (!declared) sender.send("0\r\n\r\n");
    const answer = await sender.end();
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
    expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4).replace(/^[0-9a-f]+\r\n/, ""))).toMatchObject({ error: { code: "413", tollgate_code: "body_too_large" } });
  }
  await unharmed();
});

test("a client that leaves between head and end of its body costs nothing and nothing is sent for it", async () => {
  const before = world.mock.requests.length;
  const quitters: RawClient[] = [];
  for (let index = 0; index < 50; index += 1) {
    const quitter = client();
    quitters.push(quitter);
    quitter.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, index)}`);
    await new Promise((resolve) => quitter.socket.once("connect", resolve));
    setTimeout(() => quitter.destroy(), 5);
  }
  await until(() => quitters.every((one) => one.closed), "all gone");
  expect(world.mock.requests.length).toBe(before);
  await unharmed();
});

test("a body that never comes to its end is answered 408 in JSON and the connection closed", async () => {
  const slow = client();
  slow.send(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 20)}`);
  const drip = setInterval(() => slow.send(" "), 300);
  const answer = await slow.end(15_000);
  clearInterval(drip);
  expect(answer).toMatch(/^HTTP\/1\.1 408/);
  expect(answer).toContain('"tollgate_code":"request_timeout"');
  await unharmed();
});

test("what is no HTTP is answered in JSON, and other connections do not notice", async () => {
  const cases: [string, number][] = [
    ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["GET / HTTP/9.9\r\n\r\n", 400],
    ["POST /v1/chat/completions HTTP/1.1\r\nhost: gate\r\ncontent-length: -5\r\n\r\n", 400],
    ["POST /v1/chat/completions HTTP/1.1\r\nhost: gate\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["POST /v1/chat/completions HTTP/1.1\r\nhost: gate\r\nx: a\0b\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nhost: gate\r\nx: ${"y".repeat(40_000)}\r\n\r\n`, 431],
    ["\0".repeat(5_000), 400],
  ];
  for (const [bytes, status] of cases) {
    const attacker = client();
    attacker.send(Buffer.from(bytes, "latin1"));
    const answer = await attacker.end();
    expect([bytes.slice(0, 40), answer.slice(9, 12)]).toEqual([bytes.slice(0, 40), String(status)]);
    expect(answer).toContain('"tollgate_code":"');
  }
  await unharmed();
});

test("pipelined requests are answered in order, streams too, and a client that leaves frees those still waiting", async () => {
  const pipeline = client();
  const streamed = JSON.stringify(chat("gpt-4o-mini", { stream: true }));
  pipeline.send(rawPost(PATH, key, streamed) + rawPost(PATH, key, body) + rawPost(PATH, key, "{") + rawPost(PATH, key, streamed));
  await pipeline.until((text) => text.split("data: [DONE]").length === 3);
  expect(pipeline.statuses()).toEqual([200, 200, 400, 200]);
  const quitter = client();
  world.mock.enqueue({ chunkDelayMs: 20, chunks: 20 });
  quitter.send(rawPost(PATH, key, streamed) + rawPost(PATH, key, JSON.stringify(chat("m/hang-mid-body", { stream: true }))));
  await quitter.until((text) => text.includes("data: "));
  await until(() => world.mock.open() === 2, "both are with the provider");
  quitter.destroy();
  await unharmed();
});

test("other methods on a model route answer 405 and name POST; HEAD of a health route has no body", async () => {
  for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"]) {
    const response = await fetch(`${world.gateway.url}${PATH}`, { method, headers: { authorization: `Bearer ${key}` } });
    expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, "POST"]);
  }
  const head = await fetch(`${world.gateway.url}/health/readiness`, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(await head.text()).toBe("");
  const odd = client();
  odd.send("BREW /v1/chat/completions HTTP/1.1\r\nhost: gate\r\n\r\n");
  expect(await odd.end()).toMatch(/^HTTP\/1\.1 400/);
  const tunnel = client();
  tunnel.send("CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n");
  await tunnel.end();
  await unharmed();
});

test("a connection serves on after refusals of every kind", async () => {
  const one = client();
  const before = one.statuses().length;
  one.send(rawPost(PATH, "sk-unknown-key", body) + rawPost(PATH, key, "nonsense") + rawPost(PATH, key, JSON.stringify(chat("no-such-model"))) + rawPost("/no/such/route", key, "{}") + rawPost(PATH, key, body));
  await one.until((text) => text.includes("chat.completion"));
  expect(one.statuses().slice(before)).toEqual([401, 400, 400, 404, 200]);
  await unharmed();
});
