import type { Upstream, UpstreamEvents, UpstreamExchange, UpstreamRequest } from "../../src/domain/upstream/upstream.ts";
import type { Random } from "../support/seeded-random.ts";

/** Pico-dollars a token. */
export const PICO: Readonly<Record<string, { readonly input: bigint; readonly output: bigint }>> = {
  cheap: { input: 150_000n, output: 600_000n },
  odd: { input: 33n, output: 1_777n },
  dear: { input: 2_500_000n, output: 10_000_000n },
};
export const MAXIMUM_OUTPUT = 400;

/** What the provider says of one request that reached it. */
export interface Bill {
  readonly call: string;
  pico: bigint;
  /** What the entry must be, once the attempt ended this way and nothing else ended it before. */
  expected: "exact" | "hold" | "zero" | undefined;
}

export function nanoOf(pico: bigint): bigint {
  const rest = pico % 1_000n;
  const nano = pico / 1_000n;
  return rest > 500n || (rest === 500n && nano % 2n === 1n) ? nano + 1n : nano;
}

/** Two of these are no chat completion. */
const HUGE = new Uint8Array(33 * 1024 * 1024);

const PLANS = ["plain", "plain", "plain", "plain", "connect", "sent", "refused", "refusedBroken", "cut", "noUsage", "nonsense", "huge", "silent", "jsonToStream", "error", "noDone"] as const;

export interface Running {
  readonly bill: Bill;
  readonly steps: (() => void)[];
  /** Makes the rest of the answer without sending it, as a provider does that has lost its client. */
  readonly works: (() => void)[];
  /** Steps wait while the reader is slow. */
  paused: boolean;
}

/** A provider with moods and a bill of its own. It answers only when it is told to take a step. */
export class SimulatedUpstream implements Upstream {
  readonly bills = new Map<string, Bill>();
  running: Running[] = [];
  private readonly random: Random;
  /** Answers cost more than was held: caps are ignored, and a dearer model may answer. */
  private readonly honest: boolean;
  private readonly onSend: (call: string) => void;

  constructor(random: Random, honest: boolean, onSend: (call: string) => void) {
    this.random = random;
    this.honest = honest;
    this.onSend = onSend;
  }

  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamExchange {
    const body = JSON.parse(Buffer.from(request.body).toString()) as { model: string; stream?: boolean; n?: number; max_tokens?: number; max_completion_tokens?: number; metadata: { call: string } };
    const { call } = body.metadata;
    this.onSend(call);
    const bill: Bill = { call, pico: 0n, expected: undefined };
    this.bills.set(call, bill);
    const running: Running = { bill, steps: [], works: [], paused: false };
    const ended = (expected: Bill["expected"], event: () => void) => (): void => {
      this.running = this.running.filter((one) => one !== running);
      bill.expected = expected;
      event();
    };
    this.plan(body, request.body.length, events, running, ended);
    this.running.push(running);
    return {
      pause: () => { running.paused = true; },
      resume: () => { running.paused = false; },
      cancel: () => {
        this.running = this.running.filter((one) => one !== running);
        running.steps.length = 0;
      },
    };
  }

  private plan(body: { model: string; stream?: boolean; n?: number; max_tokens?: number; max_completion_tokens?: number }, bytes: number, events: UpstreamEvents, { bill, steps, works: all }: Running, ended: (expected: Bill["expected"], event: () => void) => () => void): void {
    const { random } = this;
    const below = (limit: number): number => Math.floor(random() * limit);
    const mood = PLANS[below(PLANS.length)] as (typeof PLANS)[number];
    const stream = body.stream === true;
    const model = !this.honest && random() < 0.3 ? "dear" : body.model;
    const rates = PICO[model] as (typeof PICO)[string];
    const declared = [body.max_tokens, body.max_completion_tokens].filter((cap) => cap !== undefined);
    const cap = declared.length === 0 ? MAXIMUM_OUTPUT : Math.max(...declared);
    const choices = body.n ?? 1;
    // No tokenizer makes more tokens of a text than it has bytes, and what was added on the way is none.
    const input = 1 + below(bytes / 2);
    const output = (random() < 0.3 ? cap * choices : below(cap * choices + 1)) + (!this.honest && random() < 0.2 ? 500 : 0);
    const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
    const text = (value: unknown): Uint8Array => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
    const works = (part: bigint): (() => void) => {
      let done = false;
      const work = (): void => {
        if (!done) bill.pico += part;
        done = true;
      };
      all.push(work);
      return work;
    };
    const whole = BigInt(input) * rates.input + BigInt(output) * rates.output;
    // Of a stream nothing is made before its head, as far as GATE 5.5 can know.
    const unseen = stream ? BigInt(input) * rates.input : whole;
    const json = { "content-type": "application/json" };
    const body2xx = { id: "chatcmpl-1", object: "chat.completion", model, choices: [{ index: 0, message: { role: "assistant", content: "x" }, finish_reason: "stop" }] };
    switch (mood) {
      case "connect":
        steps.push(ended("zero", () => events.fail({ phase: "connect", timedOut: random() < 0.5, message: "" })));
        return;
      case "sent":
        steps.push(works(random() < 0.5 ? unseen : 0n), ended("hold", () => events.fail({ phase: "sent", timedOut: random() < 0.5, message: "" })));
        return;
      case "refused":
      case "refusedBroken":
        steps.push(() => events.head([400, 401, 429, 500, 302][below(5)] as number, json), () => events.bytes(text('{"error":{"mess')));
        if (mood === "refused") steps.push(() => events.bytes(text('age":"no"}}')), ended("zero", () => events.end()));
        else steps.push(ended("zero", () => events.fail({ phase: "body", timedOut: false, message: "" })));
        return;
      case "silent":
        steps.push(works(unseen));
        return;
    }
    if (!stream || mood === "jsonToStream") {
      const work = works(whole);
      if (!stream) steps.push(work);
      steps.push(() => { work(); events.head(200, json); });
      const answer = text({
        ...body2xx,
        ...(mood === "noUsage" ? {} : { usage: mood === "nonsense" ? { ...usage, prompt_tokens: -1 } : usage }),
      });
      const half = below(answer.length);
      steps.push(() => events.bytes(answer.subarray(0, half)));
      if (mood === "cut") steps.push(ended("hold", () => events.fail({ phase: "body", timedOut: false, message: "" })));
      else if (mood === "error") steps.push(ended("hold", () => events.end()));
      else if (mood === "huge") {
        steps.push(() => events.bytes(HUGE), ended("hold", () => { events.bytes(HUGE); events.end(); }));
      } else steps.push(() => events.bytes(answer.subarray(half)), ended(mood === "noUsage" || mood === "nonsense" ? "hold" : "exact", () => events.end()));
      return;
    }
    // Tokens are billed as they come: who stops early pays for what was made.
    steps.push(works(BigInt(input) * rates.input), () => events.head(200, { "content-type": "text/event-stream; charset=utf-8" }));
    const event = (value: object): Uint8Array => text(`data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", model, ...value })}\n\n`);
    const parts = Math.min(4, output);
    for (let part = 0; part < parts; part += 1) {
      const tokens = part === parts - 1 ? output - part * Math.floor(output / parts) : Math.floor(output / parts);
      // Every token is at least one byte of text.
      const work = works(BigInt(tokens) * rates.output);
      steps.push(() => {
        work();
        events.bytes(event({ choices: [{ index: 0, delta: { content: "y".repeat(tokens) }, finish_reason: null }] }));
      });
    }
    if (mood === "cut") {
      steps.push(ended("hold", () => events.fail({ phase: "body", timedOut: random() < 0.5, message: "" })));
      return;
    }
    if (mood === "error") {
      steps.push(() => events.bytes(text('data: {"error":{"message":"overloaded","type":"server_error"}}\n\n')), ended("hold", () => events.end()));
      return;
    }
    steps.push(() => events.bytes(event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })));
    if (mood === "noDone") {
      steps.push(ended("hold", () => events.end()));
      return;
    }
    if (mood !== "noUsage") steps.push(() => events.bytes(event({ choices: [], usage: mood === "nonsense" ? { ...usage, completion_tokens: 0.5 } : usage })));
    steps.push(ended(mood === "noUsage" || mood === "nonsense" ? "hold" : "exact", () => { events.bytes(text("data: [DONE]\n\n")); events.end(); }));
  }
}
