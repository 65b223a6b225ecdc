import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { createFetchUpstream } from "../../src/adapters/upstream/fetch/fetch-upstream.ts";
import { listen, post } from "./recorder.ts";

const cleanUps: (() => unknown)[] = [];
const upstream = createFetchUpstream();

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function httpServer(answer: (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void): Promise<string> {
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => { body += text; }).on("end", () => answer(request, response, body));
  });
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return listen(server);
}

describe("an exchange over fetch", () => {
  test("passes head, bytes and end, with the body sent as it is, asking for no compression", async () => {
    const url = await httpServer((request, response, body) => {
      response.setHeader("X-Answer", "yes");
      response.end(`${request.method} ${request.url} ${request.headers["content-type"]} ${request.headers["accept-encoding"]} ${body}`);
    });
    const done = await post(upstream, url, '{"é":1}').done;
    expect(done).toMatchObject({ outcome: "end", status: 200, body: 'POST /v1/chat/completions?a=1 application/json identity {"é":1}' });
    expect(done.headers["x-answer"]).toBe("yes");
  });

  test("10.2 a redirect is an answer, not followed", async () => {
    let requests = 0;
    const url = await httpServer((_request, response) => {
      requests += 1;
      response.writeHead(302, { location: "/elsewhere" }).end();
    });
    expect(await post(upstream, url).done).toMatchObject({ outcome: "end", status: 302 });
    expect(requests).toBe(1);
  });

  test("pause really stops the telling, and resume loses nothing", async () => {
    const size = 8 * 1024 * 1024;
    const url = await httpServer((_request, response) => response.end(Buffer.alloc(size, 97)));
    const answer = post(upstream, url);
    await answer.seen.bytes;
    answer.exchange.pause();
    await turn();
    const before = answer.size;
    await pause(50);
    expect(answer.size).toBe(before);
    answer.exchange.resume();
    expect((await answer.done).outcome).toBe("end");
    expect(answer.size).toBe(size);
  });

  test("cancel within a stream closes its connection and is followed by nothing, also while paused", async () => {
    const gone = Promise.withResolvers<void>();
    const url = await httpServer((_request, response) => {
      const timer = setInterval(() => response.write("data"), 1);
      response.on("close", () => {
        clearInterval(timer);
        gone.resolve();
      });
    });
    const answer = post(upstream, url);
    await answer.seen.bytes;
    answer.exchange.pause();
    answer.exchange.cancel();
    answer.exchange.cancel();
    const { size } = answer;
    await gone.promise;
    await turn();
    expect({ size: answer.size, over: answer.over }).toEqual({ size, over: false });
  });

  test("cancel in the turn of the sending: the provider sees no request", async () => {
    let requests = 0;
    const url = await httpServer((_request, response) => {
      requests += 1;
      response.end("ok");
    });
    post(upstream, url).exchange.cancel();
    await post(upstream, url).done;
    expect(requests).toBe(1);
  });
});

describe("failures over fetch tell how far the request came", () => {
  test("nobody listens, no such origin, a header that cannot be sent: connect", async () => {
    const server = net.createServer();
    const url = await listen(server);
    server.close();
    await once(server, "close");
    expect(await post(upstream, url).done).toMatchObject({ outcome: "connect" });
    expect(await post(upstream, "nonsense").done).toMatchObject({ outcome: "connect" });
    const phase = await new Promise((resolve, reject) => {
      upstream.send({ origin: url, path: "/", headers: ["x-bad", "a\r\nb"], body: Buffer.from("{}") }, { head: reject, bytes: reject, end: reject, fail: (failure) => resolve(failure.phase) });
    });
    expect(phase).toBe("connect");
  });

  test("closed before an answer: sent; and nothing is sent twice", async () => {
    let requests = 0;
    const server = net.createServer((socket) => socket.on("error", () => {}).on("data", () => { requests += 1; socket.destroy(); }));
    cleanUps.push(() => server.close());
    const url = await listen(server);
    expect(await post(upstream, url).done).toMatchObject({ outcome: "sent", timedOut: false });
    expect(requests).toBe(1);
  });

  test("closed within an answer: body", async () => {
    const url = await httpServer((_request, response) => {
      response.setHeader("content-length", 100);
      response.write("half", () => response.destroy());
    });
    expect(await post(upstream, url).done).toMatchObject({ outcome: "body", status: 200 });
  });

  test("a defect above reaches the process and looks like no failure of the provider", async () => {
    const url = await httpServer((_request, response) => response.end("ok"));
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const caught = once(process, "uncaughtException");
    let failed = false;
    upstream.send({ origin: url, path: "/", headers: [], body: Buffer.from("{}") }, { head() { throw new Error("thrown by head"); }, bytes() {}, end() {}, fail() { failed = true; } });
    const [error] = (await caught) as [Error];
    for (const listener of listeners) process.on("uncaughtException", listener);
    expect([error.message, failed]).toEqual(["thrown by head", false]);
  });
});
