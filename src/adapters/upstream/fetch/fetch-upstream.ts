import type { SaidCost } from "../../../domain/upstream/said-cost.ts";
import type { FailurePhase, Upstream, UpstreamEvents, UpstreamExchange, UpstreamFailure, UpstreamRequest } from "../../../domain/upstream/upstream.ts";
import { gatewayCost, type AskServer } from "./gateway-cost.ts";
import { describe, isTimeOut, neverConnected } from "./failure.ts";

export interface FetchUpstreamOptions {
  /** Asked for each request, so that a test or a tracer may replace the global `fetch` at any time. */
  readonly fetch?: () => typeof globalThis.fetch;
  /** Where the server may be a gateway whose own cost counts: how it is asked. */
  readonly ask?: AskServer;
}

/**
 * The port `Upstream` over `fetch`: for programs, which have a `fetch` of their own and want no second network stack.
 * Redirects are not followed. `fetch` does not tell whether a connection was used before, so nothing is ever sent
 * twice here (GATE 5.4 needs to know); whoever retries makes a new attempt.
 *
 * @example createFetchUpstream().send({ origin: "https://api.openai.com", path: "/v1/chat/completions", headers, body }, events)
 */
export function createFetchUpstream(options: FetchUpstreamOptions = {}): Upstream {
  const current = options.fetch ?? (() => globalThis.fetch);
  return {
    send(request, events) {
      const exchange = options.ask === undefined ? new FetchExchange(request, events) : new GatewayExchange(request, events, options.ask);
      void exchange.run(current());
      return exchange;
    },
  };
}

const ORIGIN = /^https?:\/\/[^/?#]+$/;
/** `fetch` has decoded the body and knows its length; what the provider said of it is no longer true. */
const OF_THE_WIRE: ReadonlySet<string> = new Set(["content-encoding", "content-length", "transfer-encoding"]);

class FetchExchange implements UpstreamExchange {
  protected readonly request: UpstreamRequest;
  protected status = 0;
  protected headers: Readonly<Record<string, string>> = {};
  private readonly events: UpstreamEvents;
  private readonly controller = new AbortController();
  private phase: FailurePhase = "connect";
  private over = false;
  private paused = false;
  private wake: (() => void) | undefined;

  constructor(request: UpstreamRequest, events: UpstreamEvents) {
    this.request = request;
    this.events = events;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.wake?.();
    this.wake = undefined;
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.resume();
    this.controller.abort();
  }

  async run(fetch: typeof globalThis.fetch): Promise<void> {
    const { request } = this;
    try {
      const url = urlOf(request);
      const headers = headersOf(request);
      // Nobody hears of anything before `send` has returned, and what is given up in the same turn is never sent.
      await undefined;
      if (this.over) return;
      this.phase = "sent";
      const response = await fetch(url, { method: "POST", headers, body: request.body as Uint8Array<ArrayBuffer>, redirect: "manual", signal: this.controller.signal });
      if (this.over) return;
      this.status = response.status === 0 ? 302 : response.status;
      this.headers = plainHeaders(response.headers);
      this.phase = "body";
      this.tell(() => this.events.head(this.status, this.headers));
      if (response.body !== null) await this.read(response.body);
      if (this.over) return;
      this.over = true;
      this.tell(() => this.events.end());
    } catch (error) {
      this.failed(error);
    }
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    for (;;) {
      await this.mayGoOn();
      if (this.over) return;
      const { done, value } = await reader.read();
      // Paused while it was read: told once resumed.
      if (!done) await this.mayGoOn();
      if (done || this.over) return;
      this.tell(() => this.events.bytes(value));
    }
  }

  private async mayGoOn(): Promise<void> {
    while (this.paused && !this.over) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private failed(error: unknown): void {
    if (this.over) return;
    this.over = true;
    this.tell(() => this.events.fail(failureOf(this.phase, error)));
  }

  /** A defect above us must not look like a failure of the provider: the exchange ends and the process hears of it. */
  private tell(event: () => void): void {
    try {
      event();
    } catch (error) {
      this.cancel();
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** One whose server may be a gateway. */
class GatewayExchange extends FetchExchange {
  private readonly ask: AskServer;

  constructor(request: UpstreamRequest, events: UpstreamEvents, ask: AskServer) {
    super(request, events);
    this.ask = ask;
  }

  saidCost(then: (said: SaidCost | undefined) => void): void {
    gatewayCost(this.request, this.status, this.headers, this.ask, then);
  }
}

/** A program's own `fetch` may reject with anything, also with what throws when it is looked at. */
function failureOf(phase: FailurePhase, error: unknown): UpstreamFailure {
  try {
    return { phase: phase === "sent" && neverConnected(error) ? "connect" : phase, timedOut: isTimeOut(error), message: describe(error) };
  } catch {
    return { phase, timedOut: false, message: "fetch rejected with what is no error" };
  }
}

function urlOf(request: UpstreamRequest): string {
  if (!ORIGIN.test(request.origin) || !URL.canParse(request.origin)) throw new TypeError(`${request.origin} is no origin such as https://api.openai.com.`);
  return request.origin + request.path;
}

function headersOf(request: UpstreamRequest): Headers {
  const headers = new Headers({ "content-type": "application/json", "accept-encoding": "identity" });
  for (let index = 0; index + 1 < request.headers.length; index += 2) headers.set(request.headers[index] as string, request.headers[index + 1] as string);
  return headers;
}

function plainHeaders(headers: Headers): Record<string, string> {
  const plain: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of headers) if (!OF_THE_WIRE.has(name)) plain[name] = value;
  return plain;
}
