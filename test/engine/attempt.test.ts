import { describe, expect, test } from "vitest";
import { OneAttempt } from "./one-attempt.ts";

const answer = (usage: unknown, model = "cheap"): string => JSON.stringify({ id: "a", object: "chat.completion", model, choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }], usage });
const event = (body: unknown): string => `data: ${JSON.stringify(body)}\n\n`;
const delta = (more: object = {}, finish: string | null = null): string => event({ id: "a", object: "chat.completion.chunk", model: "cheap", choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: finish }], ...more });
const usageEvent = (usage: unknown, model = "cheap"): string => event({ id: "a", object: "chat.completion.chunk", model, choices: [], usage });
const DONE = "data: [DONE]\n\n";
const SSE = "text/event-stream";
const USAGE = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 };
const COST = 10n + 40n;

const plain = (text: string): OneAttempt => {
  const attempt = new OneAttempt();
  attempt.head().bytes(text);
  attempt.events.end();
  return attempt;
};
const streamed = (...texts: string[]): OneAttempt => {
  const attempt = new OneAttempt({ stream: true });
  attempt.head(200, SSE);
  for (const text of texts) attempt.bytes(text);
  return attempt;
};
const cut = (attempt: OneAttempt, timedOut = false): OneAttempt => {
  attempt.events.fail({ phase: "body", timedOut, message: "cut" });
  return attempt;
};
const full = (attempt: OneAttempt, estimated: string, status: string): void => expect(attempt.outcome()).toEqual({ cost: attempt.held, estimated, status, overage: 0n });

describe("GATE 5.1: answered, believable usage: its cost", () => {
  test("plain; the client hears nothing before the cost is in the journal", () => {
    const attempt = plain(answer(USAGE));
    expect(attempt.told).toEqual([]);
    expect(attempt.outcome()).toEqual({ cost: COST, estimated: null, status: "ok", overage: 0n });
    expect(attempt.told).toEqual(["answer"]);
  });

  test("streamed; the end waits for the journal, the text does not", () => {
    const attempt = streamed(delta(), delta({}, "stop"), usageEvent(USAGE), DONE);
    expect(attempt.told).toEqual(["head"]);
    expect(attempt.received.length).toBeGreaterThan(0);
    expect(attempt.outcome()).toEqual({ cost: COST, estimated: null, status: "ok", overage: 0n });
    expect(attempt.told).toEqual(["head", "end"]);
  });

  test("also above the hold: spent includes the overage, which is counted", () => {
    const attempt = plain(answer({ prompt_tokens: 10, completion_tokens: 5_000, total_tokens: 5_010 }));
    expect(attempt.outcome()).toEqual({ cost: 10_010n, estimated: null, status: "ok", overage: 10_010n - attempt.held });
    expect(attempt.books.overages).toBe(1);
  });
});

describe("GATE 5.2: not connected; upstream 4xx or 5xx with a status: $0", () => {
  test("not connected", () => {
    const attempt = new OneAttempt();
    attempt.events.fail({ phase: "connect", timedOut: false, message: "refused" });
    expect(attempt.outcome()).toEqual({ cost: 0n, estimated: null, status: "not_connected", overage: 0n });
    expect(attempt.error?.code).toBe("upstream_unreachable");
  });

  test.each([400, 404, 429, 500, 503])("status %i, also when its body claims usage", (status) => {
    const attempt = new OneAttempt();
    attempt.head(status).bytes(answer(USAGE)).events.end();
    expect(attempt.outcome()).toMatchObject({ cost: 0n, estimated: null, status: "upstream_error" });
    expect(attempt).toMatchObject({ told: ["answer"], status });
  });

  test.each([[429, false], [500, true]])("status %i whose body breaks off", (status, timedOut) => {
    const attempt = cut(new OneAttempt().head(status).bytes('{"err'), timedOut);
    expect(attempt.outcome()).toMatchObject({ cost: 0n, estimated: null, status: "upstream_error" });
    expect(attempt.told).toEqual(["answer"]);
  });

  test.each([
    ["past the request's limit", (attempt: OneAttempt) => attempt.pass(600_000)],
    ["at a shutdown", (attempt: OneAttempt) => attempt.engine.cancelAll()],
    ["when its client cancels", (attempt: OneAttempt) => attempt.handle.leave("cancel")],
    ["when its client cancels at the hold", (attempt: OneAttempt) => attempt.handle.leave("cancel_at_hold")],
    ["past the drain", (attempt: OneAttempt) => { attempt.handle.leave("drain"); attempt.pass(30_000); }],
  ])("status 503 whose body never ends, given up %s", (_when, giveUp) => {
    const attempt = new OneAttempt();
    attempt.head(503).bytes('{"err');
    giveUp(attempt);
    expect(attempt.exchange.at(-1)).toBe("cancel");
    expect(attempt.outcome()).toMatchObject({ cost: 0n, estimated: null });
  });
});

describe("GATE 5.3: the full hold, estimated", () => {
  test("sent, no status ever seen", () => {
    const attempt = new OneAttempt();
    attempt.events.fail({ phase: "sent", timedOut: false, message: "reset" });
    full(attempt, "no_status", "cut_short");
    expect(attempt.told).toEqual(["failed"]);
  });

  test("a plain 2xx cut short", () => {
    const attempt = cut(new OneAttempt().head().bytes(answer(USAGE).slice(0, 40)));
    full(attempt, "cut_short", "cut_short");
    expect(attempt.told).toEqual(["failed"]);
  });

  test("a streamed 2xx cut short, also after usage that may still grow", () => {
    for (const attempt of [cut(streamed(delta(), delta())), cut(streamed(delta({ usage: USAGE })))]) {
      full(attempt, "cut_short", "cut_short");
      expect(attempt.told).toEqual(["head", "broken"]);
    }
  });

  test("a stream that ends without [DONE] and without a finish, also after usage that may still grow", () => {
    for (const texts of [[delta(), delta()], [delta({ usage: { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 } }), delta({ usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 } })]]) {
      const attempt = streamed(...texts);
      attempt.events.end();
      full(attempt, "cut_short", "cut_short");
    }
  });

  test("an error event inside a 200 stream, also after usage that may still grow", () => {
    for (const first of [delta(), delta({ usage: USAGE })]) {
      const attempt = streamed(first, event({ error: { message: "overloaded" } }), DONE);
      attempt.events.end();
      expect(attempt.outcome()).toMatchObject({ cost: attempt.held, status: "cut_short" });
      expect(attempt.entries[0]?.estimated).not.toBeNull();
    }
  });

  test("a plain answer that is an error inside a 200, also with usage", () => {
    full(plain(answer(USAGE).replace("{", '{"error":{"message":"overloaded"},')), "cut_short", "cut_short");
  });

  test.each(["failed", "cancelled"])("a response that %s, plain or streamed, also with usage: it may not be all", (status) => {
    const response = { id: "r", object: "response", status, model: "cheap", output: [], usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 } };
    const whole = new OneAttempt({ responses: true });
    whole.head().bytes(JSON.stringify(response));
    whole.events.end();
    full(whole, "cut_short", "cut_short");
    expect(whole.told).toEqual(["answer"]);
    const stream = new OneAttempt({ responses: true, stream: true });
    stream.head(200, SSE).bytes(event({ type: "response.created", response: { ...response, status: "in_progress", usage: null } })).bytes(event({ type: `response.${status}`, response }));
    full(stream, "cut_short", "cut_short");
    expect(stream.told).toEqual(["head", "end"]);
  });

  test("what a failed answer says beyond the hold is charged: that much is known", () => {
    const attempt = plain(answer({ prompt_tokens: 10, completion_tokens: 200_000, total_tokens: 200_010 }).replace("{", '{"error":{"message":"overloaded"},'));
    expect(attempt.outcome()).toEqual({ cost: 400_010n, estimated: "cut_short", status: "cut_short", overage: 400_010n - attempt.held });
  });

  const nonsense: [string, unknown, string][] = [
    ["missing", undefined, "usage_missing"], ["negative", { prompt_tokens: -1, completion_tokens: 20, total_tokens: 19 }, "usage_unbelievable"],
    ["fractional", { prompt_tokens: 1.5, completion_tokens: 20, total_tokens: 21.5 }, "usage_unbelievable"], ["inconsistent", { prompt_tokens: 10, completion_tokens: 20, total_tokens: 99 }, "usage_unbelievable"],
    ["absurd", { prompt_tokens: 10, completion_tokens: 1e15, total_tokens: 1e15 + 10 }, "usage_unbelievable"], ["a text", { prompt_tokens: "10", completion_tokens: 20, total_tokens: 30 }, "usage_unbelievable"],
  ];
  test.each(nonsense)("usage %s, plain", (_name, usage, estimated) => full(plain(answer(usage)), estimated, "ok"));
  test.each(nonsense)("usage %s, streamed", (_name, usage, estimated) => full(streamed(delta(), delta({}, "stop"), ...(usage === undefined ? [] : [usageEvent(usage)]), DONE), estimated, "ok"));

  test("an answer over 64 MB is cut off", () => {
    const attempt = new OneAttempt();
    attempt.head();
    const chunk = new Uint8Array(16 * 1024 * 1024);
    for (let i = 0; i < 4; i += 1) attempt.events.bytes(chunk);
    expect(attempt.exchange).toEqual(["send"]);
    attempt.bytes("x");
    expect(attempt.exchange).toEqual(["send", "cancel"]);
    full(attempt, "cut_short", "cut_short");
    expect(attempt.error?.code).toBe("upstream_failed");
  });
});

describe("GATE 5.5: client gone", () => {
  test("read on and charge the real usage; the gone client hears nothing more", () => {
    const attempt = streamed(delta());
    const heard = attempt.received.length;
    attempt.handle.leave();
    attempt.pass(29_999);
    attempt.bytes(delta({}, "stop")).bytes(usageEvent(USAGE)).bytes(DONE);
    expect(attempt.outcome()).toEqual({ cost: COST, estimated: null, status: "client_gone", overage: 0n });
    expect(attempt.told).toEqual(["head"]);
    expect(attempt.received.length).toBe(heard);
  });

  test("past 30 s cancel and charge the full hold; leaving again does not extend them", () => {
    const attempt = streamed(delta());
    attempt.handle.leave();
    attempt.pass(29_000);
    attempt.handle.leave();
    expect(attempt.exchange).not.toContain("cancel");
    attempt.pass(1_000);
    expect(attempt.exchange.at(-1)).toBe("cancel");
    full(attempt, "client_gone", "client_gone");
  });

  test("on_disconnect: cancel charges input bound + what was seen of a stream, never above the hold, the hold of a plain answer", () => {
    const little = streamed(delta());
    little.handle.leave("cancel");
    const { cost, estimated } = little.outcome();
    expect(estimated).toBe("client_gone");
    expect(cost).toBeGreaterThan(COST);
    expect(cost).toBeLessThanOrEqual(little.held);
    const much = streamed(...Array.from({ length: 200 }, () => delta()));
    much.handle.leave("cancel");
    full(much, "client_gone", "client_gone");
    const whole = new OneAttempt();
    whole.head().bytes('{"id"');
    whole.handle.leave("cancel");
    full(whole, "client_gone", "client_gone");
  });

  test("gone before the hold was durable: nothing sent, $0", () => {
    for (const policy of ["drain", "cancel", "cancel_at_hold"] as const) {
      const attempt = new OneAttempt({ durable: false });
      attempt.handle.leave(policy);
      attempt.flush();
      expect(attempt.outcome()).toEqual({ cost: 0n, estimated: null, status: "client_gone", overage: 0n });
      expect(attempt).toMatchObject({ exchange: [], told: [] });
    }
  });
});

describe("GATE 5.7: SIGTERM: drain, then cancel and charge the holds", () => {
  test("what ends in time is charged as used, the rest at its hold; idle is told once all is settled", () => {
    const ended = streamed(delta());
    let idle = false;
    ended.engine.whenIdle(() => { idle = true; });
    ended.bytes(delta({}, "stop")).bytes(usageEvent(USAGE)).bytes(DONE);
    expect(idle).toBe(false);
    expect(ended.outcome().cost).toBe(COST);
    expect(idle).toBe(true);
    const open = streamed(delta());
    open.engine.cancelAll();
    open.engine.cancelAll();
    full(open, "shutdown", "shutdown");
    expect(open.error?.code).toBe("shutting_down");
    expect(open.told).toEqual(["head", "broken"]);
  });
});

describe("GATE 7.4: the request limit of 600 s", () => {
  test("holds while a slow reader pauses: cancelled, the full hold, and what comes late changes nothing", () => {
    const attempt = streamed(delta());
    attempt.handle.pause();
    attempt.pass(599_999);
    expect(attempt.exchange).toEqual(["send", "pause"]);
    attempt.pass(1);
    attempt.bytes(usageEvent(USAGE)).bytes(DONE).events.end();
    full(attempt, "cut_short", "timeout");
    expect(attempt.exchange).toEqual(["send", "pause", "cancel"]);
    expect(attempt.error?.code).toBe("upstream_timeout");
    expect(attempt.told).toEqual(["head", "broken"]);
  });

  test("a slow reader that leaves is read on for", () => {
    const attempt = streamed(delta());
    attempt.handle.pause();
    attempt.handle.leave();
    expect(attempt.exchange).toEqual(["send", "pause", "resume"]);
    attempt.bytes(delta({}, "stop")).bytes(usageEvent(USAGE)).bytes(DONE);
    expect(attempt.outcome().cost).toBe(COST);
  });
});

describe("GATE 5.10: the deployment's custom price; else the model named in the response if priced; else the one requested", () => {
  test.each([["dear", 10n * COST], ["unheard-of", COST], ["cheap", COST]])("answered by %s", (model, cost) => {
    expect(plain(answer(USAGE, model)).outcome().cost).toBe(cost);
    const attempt = new OneAttempt({ stream: true });
    attempt.head(200, SSE).bytes(delta({ model })).bytes(delta({ model }, "stop")).bytes(usageEvent(USAGE, model)).bytes(DONE);
    expect(attempt.outcome()).toMatchObject({ cost, estimated: null });
  });

  test("a custom price wins over a dearer model in the answer", () => {
    const attempt = new OneAttempt({ customPrice: { version: "custom", provider: "p", model: "cheap", tiers: [], rates: { input: { pico: 3_000n, per: 1n }, output: { pico: 3_000n, per: 1n } } } });
    attempt.head().bytes(answer(USAGE, "dear")).events.end();
    expect(attempt.outcome()).toMatchObject({ cost: 90n, estimated: null });
  });
});
