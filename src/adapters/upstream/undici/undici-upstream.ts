import { buildConnector } from "undici";
import type { Upstream, UpstreamEvents, UpstreamExchange, UpstreamRequest } from "../../../domain/upstream/upstream.ts";
import type { ConnectionOptions } from "./connection.ts";
import { Exchange } from "./exchange.ts";
import { OriginConnections } from "./origin-connections.ts";

export interface UndiciUpstreamOptions {
  /** The longest silence, before the head and between two pieces of the body, in milliseconds. */
  readonly idleTimeoutMs?: number;
  /** The longest time for name look-up, TCP and TLS together, in milliseconds. */
  readonly connectTimeoutMs?: number;
  /** How long an unused connection is kept when the provider does not say so, in milliseconds. */
  readonly keepAliveMs?: number;
  /** How long after a request a reused connection may turn out to have been closed before it; later the request may be at work, and is not sent again. */
  readonly staleMs?: number;
}

export interface UndiciUpstream extends Upstream {
  /** Lets open exchanges end, refuses new ones, closes every connection. */
  close(): Promise<void>;
  /** Breaks off open exchanges (they fail) and closes every connection. */
  destroy(): Promise<void>;
}

/**
 * The port `Upstream` over undici: HTTP/1.1 POST requests, each on a connection of its own, kept alive between
 * requests. Redirects are not followed, bodies are not decompressed.
 *
 * @example
 * const upstream = createUndiciUpstream({ idleTimeoutMs: 120_000 });
 * upstream.send({ origin: "https://api.openai.com", path: "/v1/chat/completions", headers: ["authorization", "…"], body }, events);
 */
export function createUndiciUpstream(options: UndiciUpstreamOptions = {}): UndiciUpstream {
  const { idleTimeoutMs = 120_000, connectTimeoutMs = 10_000, keepAliveMs = 30_000, staleMs = 1_000 } = options;
  const clientOptions: ConnectionOptions = {
    allowH2: false,
    pipelining: 1,
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    connect: buildConnector({ allowH2: false, timeout: connectTimeoutMs }),
  };
  return new Origins(clientOptions, staleMs);
}

class Origins implements UndiciUpstream {
  private readonly options: ConnectionOptions;
  private readonly staleMs: number;
  private readonly origins = new Map<string, OriginConnections>();
  private closed = false;

  constructor(options: ConnectionOptions, staleMs: number) {
    this.options = options;
    this.staleMs = staleMs;
  }

  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamExchange {
    if (this.closed) return refused(events, "The upstream is closed.");
    let connections = this.origins.get(request.origin);
    if (connections === undefined) {
      if (!ORIGIN.test(request.origin) || !URL.canParse(request.origin)) return refused(events, `${request.origin} is no origin such as https://api.openai.com.`);
      connections = new OriginConnections(request.origin, this.options);
      this.origins.set(request.origin, connections);
    }
    const exchange = new Exchange(connections, connections.take(), request, events, this.staleMs);
    exchange.begin();
    return exchange;
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(Array.from(this.origins.values(), (connections) => connections.close()));
  }

  async destroy(): Promise<void> {
    this.closed = true;
    await Promise.all(Array.from(this.origins.values(), (connections) => connections.destroy()));
  }
}

const ORIGIN = /^https?:\/\/[^/?#]+$/;

/** Nothing was sent, and nobody hears of it before `send` has returned. */
function refused(events: UpstreamEvents, message: string): UpstreamExchange {
  let cancelled = false;
  queueMicrotask(() => {
    if (!cancelled) events.fail({ phase: "connect", timedOut: false, message });
  });
  return {
    pause() {},
    resume() {},
    cancel() {
      cancelled = true;
    },
  };
}
