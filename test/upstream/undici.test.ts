import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { createUndiciUpstream, type UndiciUpstream, type UndiciUpstreamOptions } from "../../src/adapters/upstream/undici/undici-upstream.ts";
import { listen, post } from "./recorder.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function upstreamOf(options: UndiciUpstreamOptions = {}): UndiciUpstream {
  const upstream = createUndiciUpstream(options);
  cleanUps.push(() => upstream.destroy());
  return upstream;
}

/** A node:http server that reads each body before `answer`. */
async function httpServer(answer: (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void): Promise<string> {
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => answer(request, response, body));
  });
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return listen(server);
}

/** A raw server: `onRequest` runs for each request (a small body arrives with its head) with its numbers, from 1. */
async function rawServer(onRequest: (socket: net.Socket, onConnection: number, connection: number) => void): Promise<{ url: string; connections: () => number; server: net.Server }> {
  let connections = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    connections += 1;
    const connection = connections;
    let requests = 0;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let received = "";
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      if (!received.includes("\r\n\r\n{}")) return;
      received = "";
      requests += 1;
      onRequest(socket, requests, connection);
    });
  });
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: await listen(server), connections: () => connections, server };
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

describe("an exchange", () => {
  test("passes head, bytes and end, with the body sent as it is", async () => {
    const url = await httpServer((request, response, body) => {
      response.setHeader("X-Answer", "yes");
      response.end(`${request.method} ${request.url} ${request.headers["content-type"]} ${body}`);
    });
    const done = await post(upstreamOf(), url, '{"é":1}').done;
    expect(done).toMatchObject({ outcome: "end", status: 200, body: 'POST /v1/chat/completions?a=1 application/json {"é":1}' });
    expect(done.headers["x-answer"]).toBe("yes");
  });

  test("10.2 a redirect is an answer, not followed", async () => {
    let requests = 0;
    const url = await httpServer((_request, response) => {
      requests += 1;
      response.writeHead(302, { location: "/elsewhere" }).end();
    });
    expect(await post(upstreamOf(), url).done).toMatchObject({ outcome: "end", status: 302 });
    expect(requests).toBe(1);
  });

  test("informational answers are passed over", async () => {
    const url = await httpServer((_request, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: "</a>; rel=preload" });
      response.end("done");
    });
    expect(await post(upstreamOf(), url).done).toMatchObject({ outcome: "end", status: 200, body: "done" });
  });

  test("a 100 Continue that nobody asked for is passed over, cut anywhere, and more than one", async () => {
    const whole = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\nHTTP/1.1 100 Go On\r\nx: 1\r\n\r\n${OK}`;
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const server = await rawServer((socket) => {
        socket.write(whole.slice(0, cut));
        setTimeout(() => socket.write(whole.slice(cut)), 2);
      });
      const upstream = upstreamOf();
      for (let round = 0; round < 2; round += 1) expect(await post(upstream, server.url).done, `cut at ${cut}`).toMatchObject({ outcome: "end", status: 200, body: "ok" });
      expect(server.connections()).toBe(1);
    }
  });

  test("an answer's body may begin as a 100 Continue does", async () => {
    const body = "HTTP/1.1 100 Continue\r\n\r\n";
    const server = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length * 2}\r\n\r\n`);
      setTimeout(() => socket.write(body), 5);
      setTimeout(() => socket.write(body), 10);
    });
    expect(await post(upstreamOf(), server.url).done).toMatchObject({ outcome: "end", body: body + body });
  });

  test("100 at once all arrive, each on its own connection", async () => {
    const url = await httpServer((_request, response, body) => void setImmediate(() => response.end(body)));
    const upstream = upstreamOf();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => post(upstream, url, `{"n":${index}}`).done));
    expect(answers.map((answer) => answer.body)).toEqual(answers.map((_, index) => `{"n":${index}}`));
  });

  test("connections are kept alive and used again", async () => {
    const server = await rawServer((socket) => socket.write(OK));
    const upstream = upstreamOf();
    for (let index = 0; index < 20; index += 1) expect(await post(upstream, server.url).done).toMatchObject({ outcome: "end", body: "ok" });
    expect(server.connections()).toBe(1);
  });
});

describe("failures", () => {
  test("nobody listens: connect", async () => {
    const server = net.createServer();
    const url = await listen(server);
    server.close();
    await once(server, "close");
    expect(await post(upstreamOf(), url).done).toMatchObject({ outcome: "connect", timedOut: false });
  });

  test("a name that does not resolve, and an origin that is none: connect", async () => {
    const upstream = upstreamOf();
    expect(await post(upstream, "http://no-such-host.invalid").done).toMatchObject({ outcome: "connect" });
    expect(await post(upstream, "nonsense").done).toMatchObject({ outcome: "connect" });
  });

  test("TLS with a server that speaks none: connect", async () => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    cleanUps.push(() => server.close());
    const url = await listen(server);
    expect(await post(upstreamOf(), url.replace("http:", "https:")).done).toMatchObject({ outcome: "connect" });
  });

  test("a TLS handshake that never ends: connect, timed out", async () => {
    const sockets: net.Socket[] = [];
    const server = net.createServer((socket) => sockets.push(socket.on("error", () => {})));
    cleanUps.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const url = await listen(server);
    expect(await post(upstreamOf({ connectTimeoutMs: 100 }), url.replace("http:", "https:")).done).toMatchObject({ outcome: "connect", timedOut: true });
  });

  test("5.3 a fresh connection that dies after sending: sent, and not tried again", async () => {
    const server = await rawServer((socket) => socket.destroy());
    expect(await post(upstreamOf(), server.url).done).toMatchObject({ outcome: "sent", timedOut: false });
    expect(server.connections()).toBe(1);
  });

  test("no head within the idle time-out: sent, timed out, not tried again", async () => {
    const server = await rawServer((socket, onConnection) => {
      if (onConnection === 1) socket.write(OK);
    });
    const upstream = upstreamOf({ idleTimeoutMs: 100 });
    await post(upstream, server.url).done;
    expect(await post(upstream, server.url).done).toMatchObject({ outcome: "sent", timedOut: true });
    expect(server.connections()).toBe(1);
  });

  test("silence within the body: body, timed out", async () => {
    const server = await rawServer((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    expect(await post(upstreamOf({ idleTimeoutMs: 100 }), server.url).done).toMatchObject({ outcome: "body", timedOut: true, status: 200, body: "half" });
  });

  test.each([
    ["content-length", "content-length: 9\r\n\r\nhalf"],
    ["chunked", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ])("a %s body that is cut: body", async (_framing, text) => {
    const server = await rawServer((socket) => socket.end(`HTTP/1.1 200 OK\r\n${text}`));
    expect(await post(upstreamOf(), server.url).done).toMatchObject({ outcome: "body", timedOut: false, body: "half" });
  });

  test("an answer that is no HTTP: sent, not tried again even on a reused connection", async () => {
    const server = await rawServer((socket, onConnection) => socket.write(onConnection === 1 ? OK : "nonsense\r\n\r\n"));
    const upstream = upstreamOf();
    await post(upstream, server.url).done;
    expect(await post(upstream, server.url).done).toMatchObject({ outcome: "sent" });
    expect(server.connections()).toBe(1);
  });

  test("a header that cannot be sent: connect, told after send has returned", async () => {
    const server = await rawServer((socket) => socket.write(OK));
    let returned = false;
    const told = new Promise<string>((resolve, reject) => {
      upstreamOf().send(
        { origin: server.url, path: "/", headers: ["x-bad", "a\r\nb"], body: Buffer.from("{}") },
        { head: reject, bytes: reject, end: reject, fail: (failure) => (returned ? resolve(failure.phase) : reject(new Error("too early"))) },
      );
    });
    returned = true;
    expect(await told).toBe("connect");
  });
});

describe("5.4 a reused connection that dies before the first byte", () => {
  test("is replaced once by a fresh one, unseen", async () => {
    const server = await rawServer((socket, onConnection) => (onConnection === 1 ? socket.write(OK) : socket.destroy()));
    const upstream = upstreamOf();
    for (let index = 0; index < 5; index += 1) expect(await post(upstream, server.url).done).toMatchObject({ outcome: "end", body: "ok" });
    expect(server.connections()).toBe(5);
  });

  test("with many idle connections that all die, the second try is never on another stale one", async () => {
    const server = await rawServer((socket, onConnection) => (onConnection === 1 ? void setImmediate(() => socket.write(OK)) : socket.destroy()));
    const upstream = upstreamOf();
    await Promise.all(Array.from({ length: 20 }, () => post(upstream, server.url).done));
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(upstream, server.url).done));
    expect(answers.every((answer) => answer.outcome === "end")).toBe(true);
    expect(server.connections()).toBe(40);
  });

  test.each(["reset", "closed"])("is replaced unseen if it was %s before anything was written to it", async (how) => {
    let idle: net.Socket | undefined;
    const server = await rawServer((socket) => {
      socket.write(OK);
      idle = socket;
    });
    const upstream = upstreamOf();
    for (let round = 1; round <= 20; round += 1) {
      const answers = await Promise.all(Array.from({ length: 3 }, () => post(upstream, server.url).done));
      expect(answers.map((answer) => answer.outcome)).toEqual(["end", "end", "end"]);
      // Within a timer's turn, so that the news is heard after the next request took the connection and before it is written.
      await pause(1);
      if (how === "reset") idle?.resetAndDestroy();
      else idle?.destroy();
    }
  });

  test("after a 100 Continue it is not replaced: the provider has the request", async () => {
    const server = await rawServer((socket, onConnection) => {
      if (onConnection === 1) socket.write(OK);
      else socket.write("HTTP/1.1 100 Continue\r\n\r\n", () => setTimeout(() => socket.destroy(), 5));
    });
    const upstream = upstreamOf();
    await post(upstream, server.url).done;
    expect(await post(upstream, server.url).done).toMatchObject({ outcome: "sent" });
    expect(server.connections()).toBe(1);
  });

  test("later than a round trip it is not: the provider may be at work on the request, and would be paid twice", async () => {
    const server = await rawServer((socket, onConnection) => (onConnection === 1 ? socket.write(OK) : setTimeout(() => socket.destroy(), 60)));
    const upstream = upstreamOf({ staleMs: 20 });
    await post(upstream, server.url).done;
    expect(await post(upstream, server.url).done).toMatchObject({ outcome: "sent" });
    expect(server.connections()).toBe(1);
  });

  test("only once: if the fresh one dies too, sent", async () => {
    const server = await rawServer((socket, _onConnection, connection) => (connection === 1 && _onConnection === 1 ? socket.write(OK) : socket.destroy()));
    const upstream = upstreamOf();
    await post(upstream, server.url).done;
    expect(await post(upstream, server.url).done).toMatchObject({ outcome: "sent" });
    expect(server.connections()).toBe(2);
  });

  test("if the fresh one cannot even connect, sent: the first may have been seen", async () => {
    const server = await rawServer((socket, onConnection) => {
      if (onConnection === 1) {
        socket.write(OK);
        return;
      }
      server.server.close();
      setImmediate(() => socket.destroy());
    });
    const upstream = upstreamOf();
    await post(upstream, server.url).done;
    expect(await post(upstream, server.url).done).toMatchObject({ outcome: "sent" });
  });

  test("after a first byte it is not replaced", async () => {
    const server = await rawServer((socket, onConnection) => (onConnection === 1 ? socket.write(OK) : socket.end("HTTP/1.1 2")));
    const upstream = upstreamOf();
    await post(upstream, server.url).done;
    expect(await post(upstream, server.url).done).toMatchObject({ outcome: "sent" });
    expect(server.connections()).toBe(1);
  });

  test("a server that closes idle connections at any instant never shows: 500 requests", async () => {
    const server = await rawServer((socket, onConnection) => {
      socket.write(OK);
      const delay = (onConnection * 7) % 4;
      if (delay === 0) setImmediate(() => socket.end());
      else setTimeout(() => (delay === 1 ? socket.destroy() : socket.end()), delay - 1);
    });
    const upstream = upstreamOf();
    const outcomes = new Map<string, number>();
    for (let round = 0; round < 100; round += 1) {
      const answers = await Promise.all(Array.from({ length: 5 }, () => post(upstream, server.url).done));
      for (const answer of answers) outcomes.set(answer.outcome, (outcomes.get(answer.outcome) ?? 0) + 1);
      if (round % 2 === 0) await pause(round % 5);
      else await turn();
    }
    expect(Object.fromEntries(outcomes)).toEqual({ end: 500 });
  });
});

describe("the engine's hold on an exchange", () => {
  test("pause really stops the reading, and resume loses nothing", async () => {
    const size = 64 * 1024 * 1024;
    let written = 0;
    const url = await httpServer((_request, response) => {
      response.setHeader("content-length", size);
      const piece = Buffer.alloc(1024 * 1024, 97);
      const write = (): void => {
        while (written < size) {
          written += piece.length;
          if (!response.write(piece)) {
            response.once("drain", write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    const answer = post(upstreamOf(), url);
    await answer.seen.bytes;
    answer.exchange.pause();
    await turn();
    const sizeWhenPaused = answer.size;
    let before = -1;
    while (before !== written) {
      before = written;
      await pause(30);
    }
    expect(answer.size).toBe(sizeWhenPaused);
    expect(written).toBeLessThan(size / 2);
    answer.exchange.resume();
    expect((await answer.done).outcome).toBe("end");
    expect(answer.size).toBe(size);
  });

  test("pause before the head, and resume", async () => {
    const url = await httpServer((_request, response) => response.end("later"));
    const answer = post(upstreamOf(), url);
    answer.exchange.pause();
    await answer.seen.head;
    await turn();
    expect(answer.size).toBe(0);
    answer.exchange.resume();
    expect(await answer.done).toMatchObject({ outcome: "end", body: "later" });
  });

  test("resume of one exchange from an event of another", async () => {
    const url = await httpServer((_request, response, body) => {
      response.write("a");
      setTimeout(() => response.end("b"), body === "{}" ? 5 : 20);
    });
    const upstream = upstreamOf();
    const paused = post(upstream, url);
    await paused.seen.bytes;
    paused.exchange.pause();
    const other = post(upstream, url, '{"slow":1}');
    const bytes = other.bytes.bind(other);
    other.bytes = (chunk) => {
      bytes(chunk);
      paused.exchange.resume();
    };
    expect(await other.done).toMatchObject({ outcome: "end", body: "ab" });
    expect(await paused.done).toMatchObject({ outcome: "end", body: "ab" });
  });

  test("cancel before the connection stands: the provider sees no request", async () => {
    let requests = 0;
    const server = await rawServer((socket) => {
      requests += 1;
      socket.write(OK);
    });
    const upstream = upstreamOf();
    const answer = post(upstream, server.url);
    answer.exchange.cancel();
    expect((await post(upstream, server.url).done).outcome).toBe("end");
    expect({ requests, over: answer.over, status: answer.status }).toEqual({ requests: 1, over: false, status: 0 });
  });

  test("cancel within a stream closes its connection and is followed by nothing", async () => {
    let closed = (): void => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const url = await httpServer((_request, response) => {
      const timer = setInterval(() => response.write("data"), 1);
      response.on("close", () => {
        clearInterval(timer);
        closed();
      });
    });
    const answer = post(upstreamOf(), url);
    await answer.seen.bytes;
    const { size } = answer;
    answer.exchange.cancel();
    answer.exchange.cancel();
    await gone;
    await turn();
    expect({ size: answer.size, over: answer.over }).toEqual({ size, over: false });
  });

  test("cancel right after a failure, before it was told, silences it", async () => {
    const answer = post(upstreamOf(), "nonsense");
    answer.exchange.cancel();
    await turn();
    expect(answer.over).toBe(false);
  });

  test.each(["head", "bytes", "end", "fail"] as const)("an exception thrown by %s reaches the process", async (name) => {
    const server = await rawServer((socket) => (name === "fail" ? socket.destroy() : socket.write(OK)));
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const caught = once(process, "uncaughtException");
    const events = { head() {}, bytes() {}, end() {}, fail() {} };
    events[name] = () => {
      throw new Error(`thrown by ${name}`);
    };
    upstreamOf().send({ origin: server.url, path: "/", headers: [], body: Buffer.from("{}") }, events);
    const [error] = (await caught) as [Error];
    for (const listener of listeners) process.on("uncaughtException", listener);
    expect(error.message).toBe(`thrown by ${name}`);
  });
});

describe("closing", () => {
  test("close lets open exchanges end and refuses new ones", async () => {
    const url = await httpServer((_request, response) => {
      response.write("a");
      setTimeout(() => response.end("b"), 20);
    });
    const upstream = createUndiciUpstream();
    const answer = post(upstream, url);
    await answer.seen.bytes;
    const closed = upstream.close();
    expect(await post(upstream, url).done).toMatchObject({ outcome: "connect" });
    await closed;
    expect(answer.over).toBe(true);
    expect(await answer.done).toMatchObject({ outcome: "end", body: "ab" });
  });

  test("destroy after close ends the waiting of both", async () => {
    const url = await httpServer((_request, response) => void response.write("a"));
    const upstream = createUndiciUpstream();
    const answer = post(upstream, url);
    await answer.seen.bytes;
    const closed = upstream.close();
    await upstream.destroy();
    await closed;
    expect(await answer.done).toMatchObject({ outcome: "body" });
  });

  test("destroy breaks open exchanges off, each with its phase", async () => {
    const url = await httpServer((_request, response, body) => {
      if (body === "{}") response.write("a");
    });
    const upstream = createUndiciUpstream();
    const streaming = post(upstream, url);
    await streaming.seen.bytes;
    const waiting = post(upstream, url, "{ }");
    await pause(20);
    await upstream.destroy();
    expect(await streaming.done).toMatchObject({ outcome: "body" });
    expect(await waiting.done).toMatchObject({ outcome: "sent" });
  });
});
