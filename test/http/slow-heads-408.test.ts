import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeHttpServer, createHttpServer } from "../../src/surfaces/http/http-server.ts";
import { RawClient } from "../support/raw-client.ts";

let server: Server;
let url: string;

beforeAll(async () => {
  server = createHttpServer((request, response) => {
    request.resume();
    if (request.url === "/never") return;
    response.end("done");
  }, { headMs: 200, requestMs: 400, silenceMs: 900 });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => closeHttpServer(server, 100));

test("a head that drips in is answered 408 in JSON and the connection closed", async () => {
  const slow = new RawClient(url);
  slow.send("GET / HTTP/1.1\r\nhost: gate\r\n");
  const drip = setInterval(() => slow.send("x: y\r\n"), 50);
  const answer = await slow.end();
  clearInterval(drip);
  expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4))).toMatchObject({ error: { code: "408", type: "timeout_error", tollgate_code: "request_timeout" } });
});

test("a connection that never says anything is closed", async () => {
  await new RawClient(url).end();
});

test("a client that waits for ever without a byte in either direction is let go, one that is served in time is not", async () => {
  const patient = new RawClient(url);
  patient.send("GET / HTTP/1.1\r\nhost: gate\r\n\r\n");
  await patient.until((text) => text.includes("done"));
  expect(patient.closed).toBe(false);
  const waiting = new RawClient(url);
  waiting.send("GET /never HTTP/1.1\r\nhost: gate\r\n\r\n");
  expect(await waiting.end()).toBe("");
  patient.destroy();
});

test("closing waits for answers under way, and for no longer than it is told", async () => {
  const other = createHttpServer((request, response) => {
    response.write("begun");
    if (request.url === "/soon") setTimeout(() => response.end("ended"), 150);
  }, { headMs: 1_000, requestMs: 1_000, silenceMs: 60_000 });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const otherUrl = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const soon = new RawClient(otherUrl);
  soon.send("GET /soon HTTP/1.1\r\nhost: gate\r\n\r\n");
  const never = new RawClient(otherUrl);
  never.send("GET /never HTTP/1.1\r\nhost: gate\r\n\r\n");
  await Promise.all([soon.until((text) => text.includes("begun")), never.until((text) => text.includes("begun"))]);
  await closeHttpServer(other, 400);
  expect(soon.received).toContain("ended");
  await never.end();
  expect(never.received).not.toContain("ended");
});
