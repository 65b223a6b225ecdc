import { expect, test } from "vitest";
import { RawClient, rawPost } from "../support/raw-client.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { chat, startWorld, until } from "../support/world.ts";

const SEED = Number(process.env["TOLLGATE_TEST_SEED"] ?? Date.now() % 1_000_000);

test(`GATE 10.2: 600 mutated requests on as many sockets neither stop the gateway nor leave a hold or anything in flight (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  const world = await startWorld({ tollgate: "idle_timeout_ms: 1000, drain_ms: 500" });
  try {
    const key = await world.key({ max_budget: 5, max_parallel_requests: 1_000 });
    const originals = [
      rawPost("/v1/chat/completions", key, JSON.stringify(chat())),
      rawPost("/v1/chat/completions", key, JSON.stringify(chat("gpt-4o-mini", { stream: true, metadata: { a: [1, { b: null }] } }))),
      rawPost("/v1/embeddings", key, JSON.stringify({ model: "gpt-4o-mini", input: ["a", "b"] })),
      rawPost("/key/generate", world.gateway.master, JSON.stringify({ max_budget: 1, metadata: { a: 1 } })),
      `GET /spend/logs?start_date=2026-01-01 HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer ${world.gateway.master}\r\n\r\n`,
    ].map((text) => Buffer.from(text, "latin1"));
    const mutated = (): Buffer => {
      let bytes = Buffer.from(originals[Math.floor(random() * originals.length)] as Buffer);
      for (let change = Math.floor(random() * 4); change >= 0; change -= 1) {
        const at = Math.floor(random() * bytes.length);
        const kind = random();
        if (kind < 0.5) bytes[at] = Math.floor(random() * 256);
        else if (kind < 0.7) bytes = bytes.subarray(0, Math.max(1, at));
        else if (kind < 0.85) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.floor(random() * at))]);
        else bytes = Buffer.concat([bytes, bytes.subarray(at)]);
      }
      return bytes;
    };
    for (let batch = 0; batch < 12; batch += 1) {
      const clients = Array.from({ length: 50 }, () => {
        const client = new RawClient(world.gateway.url);
        client.send(mutated());
        return client;
      });
      await new Promise((resolve) => setTimeout(resolve, 30));
      for (const client of clients) client.destroy();
    }
    await until(async () => {
      const health = await world.gateway.call("GET", "/health/readiness");
      return health.status === 200 && health.body["in_flight_requests"] === 0;
    }, "nothing is in flight");
    expect((await world.keyInfo(key)).tollgate.held).toBe(0);
    expect((await world.gateway.call("POST", "/v1/chat/completions", chat(), key)).status).toBe(200);
    expect((await world.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true });
    const metrics = await (await fetch(`${world.gateway.url}/metrics`, { headers: { authorization: `Bearer ${world.gateway.master}` } })).text();
    // Nonsense is the client's fault, never a defect of ours.
    expect(metrics).not.toContain('tollgate_errors_total{code="internal"}');
  } finally {
    await world.stop();
  }
});
