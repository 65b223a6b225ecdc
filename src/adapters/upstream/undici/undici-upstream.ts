import { subscribe } from "node:diagnostics_channel";
import { Client, Pool, type Dispatcher } from "undici";
import type { FailurePhase, Upstream, UpstreamEvents, UpstreamExchange, UpstreamRequest } from "../../../domain/upstream/upstream.ts";

export interface UndiciUpstreamOptions {
  /** Longest silence before the head and between two chunks, in milliseconds. */
  readonly idleTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
}

/**
 * Whether the socket that a request went out on had carried one before. Undici does not hand the socket to its
 * handlers, but publishes it, synchronously, when the request is written; the handler is found by the request object,
 * which undici creates, synchronously too, inside `dispatch`.
 */
const usedSockets = new WeakSet<object>();
const exchanges = new WeakMap<object, Exchange>();
let dispatching: Exchange | undefined;

subscribe("undici:request:create", (message) => {
  if (dispatching !== undefined) exchanges.set((message as { request: object }).request, dispatching);
});
subscribe("undici:client:sendHeaders", (message) => {
  const { request, socket } = message as { request: object; socket: object };
  const exchange = exchanges.get(request);
  if (exchange !== undefined) exchange.reused = usedSockets.has(socket);
  usedSockets.add(socket);
});

/** Providers over undici: one pool for each origin, driven by `dispatch`, without promises or streams on the way. */
export function createUndiciUpstream(options: UndiciUpstreamOptions = {}): Upstream & { close(): Promise<void>; destroy(): Promise<void> } {
  const timeouts = { headersTimeout: options.idleTimeoutMs ?? 120_000, bodyTimeout: options.idleTimeoutMs ?? 120_000, connectTimeout: options.connectTimeoutMs ?? 10_000 };
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, { ...timeouts, pipelining: 1 });
      pools.set(origin, pool);
    }
    return pool;
  };
  return {
    send(request, events) {
      const exchange = new Exchange(request, events, () => new Client(request.origin, { ...timeouts, pipelining: 1 }));
      exchange.dispatch(poolOf(request.origin));
      return exchange;
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
    async destroy() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}

class Exchange implements UpstreamExchange, Dispatcher.DispatchHandler {
  private readonly request: UpstreamRequest;
  private readonly events: UpstreamEvents;
  private readonly freshClient: () => Client;
  private controller: Dispatcher.DispatchController | undefined;
  private fresh: Client | undefined;
  private phase: FailurePhase = "connect";
  /** The provider may have seen a first try. */
  private mayHaveBeenSeen = false;
  private over = false;
  private paused = false;
  reused = false;

  constructor(request: UpstreamRequest, events: UpstreamEvents, freshClient: () => Client) {
    this.request = request;
    this.events = events;
    this.freshClient = freshClient;
  }

  dispatch(dispatcher: Dispatcher): void {
    const { path, headers, body } = this.request;
    dispatching = this;
    try {
      dispatcher.dispatch({ method: "POST", path, headers: headers as string[], body: body as Buffer }, this);
    } finally {
      dispatching = undefined;
    }
  }

  pause(): void {
    this.paused = true;
    this.controller?.pause();
  }

  resume(): void {
    this.paused = false;
    this.controller?.resume();
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.controller?.abort(new Error("cancelled"));
    this.forgetFresh();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.over) {
      controller.abort(new Error("cancelled"));
      return;
    }
    this.phase = "sent";
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number, headers: Record<string, string | string[] | undefined>): void {
    if (this.over || statusCode < 200) return;
    this.phase = "body";
    if (this.paused) controller.pause();
    this.events.head(statusCode, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.over) this.events.bytes(chunk);
  }

  onResponseEnd(): void {
    if (this.over) return;
    this.over = true;
    this.forgetFresh();
    this.events.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.over) return;
    const timedOut = /TIMEOUT/.test((error as { code?: string }).code ?? "");
    // A reused connection that dies before the first byte was most likely closed while idle (GATE 5.4).
    if (this.phase === "sent" && this.reused && !timedOut && this.fresh === undefined) {
      this.fresh = this.freshClient();
      this.mayHaveBeenSeen = true;
      this.phase = "connect";
      this.reused = false;
      this.dispatch(this.fresh);
      return;
    }
    this.over = true;
    this.forgetFresh();
    const phase = this.phase === "connect" && this.mayHaveBeenSeen ? "sent" : this.phase;
    this.events.fail({ phase, timedOut, message: error.message });
  }

  private forgetFresh(): void {
    void this.fresh?.destroy();
  }
}
