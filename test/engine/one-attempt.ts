import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import { openaiResponses } from "../../src/adapters/providers/openai/responses/dialect.ts";
import { MemoryBooks } from "../../src/adapters/books/memory/memory-books.ts";
import type { TollgateError } from "../../src/base/errors.ts";
import type { Entry, JournalRecord } from "../../src/domain/ledger/entry.ts";
import type { Journal } from "../../src/domain/ledger/ports.ts";
import type { ChargeSet } from "../../src/domain/limits/limit.ts";
import type { Price } from "../../src/domain/pricing/price.ts";
import type { Scope } from "../../src/domain/scopes/scope.ts";
import type { Deployment } from "../../src/domain/upstream/deployment.ts";
import type { Upstream, UpstreamEvents } from "../../src/domain/upstream/upstream.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";
import type { Call, Client, EngineSettings } from "../../src/engine/call.ts";
import { Engine, type CallHandle } from "../../src/engine/engine.ts";

const KEY: Scope = { kind: "key", id: "K", label: "K" };
const CAP_NANO = 1_000_000_000n;
const AT = Date.UTC(2026, 10, 24);

/** Pico-dollars a token: in, out. */
const RATES: Readonly<Record<string, readonly [bigint, bigint]>> = { cheap: [1_000n, 2_000n], dear: [10_000n, 20_000n] };

const priceFor = (model: string): Price | undefined => {
  const rates = RATES[model];
  return rates === undefined ? undefined : { version: `test/${model}`, provider: "p", model, tiers: [], rates: { input: { pico: rates[0], per: 1n }, output: { pico: rates[1], per: 1n } } };
};

/** One call through the real engine and the real counters; the test is provider, journal, client and clock. */
export class OneAttempt {
  nowMs = 0;
  /** What the client was told, in order. */
  readonly told: string[] = [];
  readonly received: Uint8Array[] = [];
  error: TollgateError | undefined;
  status: number | undefined;
  readonly entries: Entry[] = [];
  readonly holds: bigint[] = [];
  /** What the engine did to the exchange: send, pause, resume, cancel. */
  readonly exchange: string[] = [];
  events!: UpstreamEvents;
  readonly engine: Engine;
  readonly books: MemoryBooks;
  readonly handle: CallHandle;
  private waiting: (() => void)[] = [];

  constructor(options: { stream?: boolean; responses?: boolean; durable?: boolean; customPrice?: Price; settings?: Partial<EngineSettings> } = {}) {
    let sequence = 0;
    const journal: Journal = {
      append: (text, then) => {
        const record = JSON.parse(text) as JournalRecord;
        const number = (sequence += 1);
        if (record.type === "hold") this.holds.push(BigInt(record.held));
        this.waiting.push(() => then(undefined, number));
      },
      opened: () => {},
      closed: () => {},
    };
    const clock = { now: () => AT + this.nowMs, monotonic: () => this.nowMs };
    this.books = new MemoryBooks({ clock, journal, stored: [], history: { spent: async () => ({ nanoUsd: 0n, lastSequence: 0 }), has: async () => false }, onEntry: (entry) => this.entries.push(entry) });
    const upstream: Upstream = {
      send: (_request, events) => {
        this.exchange.push("send");
        this.events = events;
        return { pause: () => this.exchange.push("pause"), resume: () => this.exchange.push("resume"), cancel: () => this.exchange.push("cancel") };
      },
    };
    this.engine = new Engine({
      clock, books: this.books, upstream, prices: { version: "test", find: (_provider, model) => priceFor(model), info: () => undefined },
      settings: { onDisconnect: "drain", drainMs: 30_000, requestTimeoutMs: 600_000, unpriced: "block", ...options.settings },
      observer: { refused: () => this.told.push("refused"), settled: () => {}, upstreamFailed: () => {} },
    });
    const stream = options.stream === true;
    const dialect = options.responses === true ? openaiResponses : openaiChat;
    const asked = options.responses === true ? { max_output_tokens: 100, input: "Hello" } : { max_tokens: 100, messages: [{ role: "user", content: "Hello" }] };
    const body = new TextEncoder().encode(JSON.stringify({ model: "any", ...asked, ...(stream ? { stream } : {}) }));
    const charges: ChargeSet = { scopes: [KEY], limits: [{ scope: KEY, model: undefined, measure: "nanoUsd", window: LIFETIME, cap: CAP_NANO, hard: true, windowText: undefined }], payer: undefined };
    const deployment: Deployment = {
      id: "d", modelName: "any", provider: "p", model: "cheap", origin: "http://p", paths: { chat_completions: "/", embeddings: "/", responses: "/" }, headers: [], capField: "max_tokens",
      supportsStreamOptions: true, boundableParams: [], customPrice: options.customPrice, maximumOutput: 1_000, charges: { scopes: [], limits: [], payer: undefined }, simulated: false,
    };
    const call: Call = {
      requestId: "01JDEZ00000000000000000000", at: AT, route: "chat", dialect, request: dialect.read(body), body, charges: [charges], deployments: [deployment],
      keyId: "K", teamId: null, userId: null, customer: null, tags: [],
    };
    this.handle = this.engine.start(call, this.client());
    if (options.durable !== false) this.flush();
  }

  /** The journal's turn is written. */
  flush(): void {
    for (const then of this.waiting.splice(0)) then();
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.engine.tick();
  }

  head(status = 200, type = "application/json"): this {
    this.events.head(status, { "content-type": type });
    return this;
  }

  bytes(text: string): this {
    this.events.bytes(new TextEncoder().encode(text));
    return this;
  }

  get held(): bigint { return this.holds[0] as bigint; }

  /** Writes the journal and answers what the one entry says; the counters must say the same, and nothing may be held any more. */
  outcome(): { cost: bigint; estimated: string | null; status: string; overage: bigint } {
    this.flush();
    const [entry, ...more] = this.entries;
    if (entry === undefined || more.length > 0) throw new Error(`${this.entries.length} entries, and there must be one`);
    const standing = this.books.standingNow(KEY, undefined, LIFETIME);
    if (standing.spent !== BigInt(entry.cost) || standing.held !== 0n) throw new Error(`the counter says ${standing.spent} spent and ${standing.held} held, the entry ${entry.cost}`);
    if (this.engine.inFlight !== 0) throw new Error("the attempt is still in flight");
    return { cost: BigInt(entry.cost), estimated: entry.estimated, status: entry.status, overage: BigInt(entry.overage) };
  }

  private client(): Client {
    return {
      refused: () => this.told.push("refused"),
      failed: (error) => { this.told.push("failed"); this.error = error; },
      answer: (status) => { this.told.push("answer"); this.status = status; },
      head: () => this.told.push("head"),
      bytes: (chunk) => this.received.push(chunk),
      end: () => this.told.push("end"),
      broken: (error) => { this.told.push("broken"); this.error = error; },
    };
  }
}
