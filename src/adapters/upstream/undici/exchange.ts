import { performance } from "node:perf_hooks";
import type { Dispatcher } from "undici";
import type { FailurePhase, UpstreamEvents, UpstreamExchange, UpstreamRequest } from "../../../domain/upstream/upstream.ts";
import type { Connection } from "./connection.ts";
import { describe, isLostConnection, isTimeOut } from "./failure.ts";

/** Lends connections to exchanges. */
export interface ConnectionSource {
  /** A connection that was never used. */
  fresh(): Connection;
  /** The exchange ended well; the connection may serve another. */
  giveBack(connection: Connection): void;
  /** The connection is of no more use. */
  discard(connection: Connection): void;
}

/**
 * One request on its way: the handler that undici calls and the exchange that the engine holds, in one object. Says
 * nothing after `end`, `fail` or `cancel`.
 */
export class Exchange implements Dispatcher.DispatchHandler, UpstreamExchange {
  private readonly source: ConnectionSource;
  private readonly events: UpstreamEvents;
  private readonly options: Dispatcher.DispatchOptions;
  private connection: Connection;
  private controller: Dispatcher.DispatchController | undefined;
  /** Set once anything may have reached the provider, on this connection or the one before. */
  private sent = false;
  private reused = false;
  /** When a reused connection was written to, monotonic milliseconds. */
  private writtenMs = 0;
  private retried = false;
  private answering = false;
  private headSeen = false;
  private paused = false;
  private over = false;
  private cancelled = false;

  private readonly staleMs: number;

  /** @param staleMs how long after a write a reused connection may turn out to have been closed before it */
  constructor(source: ConnectionSource, connection: Connection, request: UpstreamRequest, events: UpstreamEvents, staleMs: number) {
    this.staleMs = staleMs;
    this.source = source;
    this.connection = connection;
    this.events = events;
    // `blocking` keeps later requests off the connection until the head; one exchange at a time needs no such guard.
    this.options = { method: "POST", path: request.path, headers: request.headers as string[], body: request.body, blocking: false };
  }

  begin(): void {
    this.connection.dispatch(this.options, this);
  }

  pause(): void {
    this.paused = true;
    this.controller?.pause();
  }

  /** Later, never within an event: undici's parsers cannot be entered while one of them is at work. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    queueMicrotask(() => {
      if (!this.paused && !this.over) this.controller?.resume();
    });
  }

  cancel(): void {
    this.cancelled = true;
    if (this.over) return;
    this.over = true;
    this.source.discard(this.connection);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.over) {
      controller.abort(new Error("The exchange was given up."));
      return;
    }
    this.controller = controller;
    this.sent = true;
    this.reused = this.connection.takeSocket();
    if (this.reused) this.writtenMs = performance.now();
    if (this.paused) controller.pause();
  }

  /** The first byte of an answer. */
  onResponseStarted(): void {
    this.answering = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Parameters<UpstreamEvents["head"]>[1]): void {
    if (this.over || status < 200) return;
    this.headSeen = true;
    try {
      this.events.head(status, headers);
    } catch (error) {
      this.crash(error);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.over) return;
    try {
      this.events.bytes(chunk);
    } catch (error) {
      this.crash(error);
    }
  }

  onResponseEnd(): void {
    if (this.over) return;
    this.over = true;
    this.source.giveBack(this.connection);
    try {
      this.events.end();
    } catch (error) {
      rethrow(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.over) return;
    this.source.discard(this.connection);
    // A reset that was on its way may be heard before anything was written: then it is only known that the connection is old.
    // One that was closed while idle says so within a round trip; who is silent for longer is at work on the request.
    const stale = this.reused ? performance.now() - this.writtenMs <= this.staleMs : !this.sent && this.connection.wasUsed;
    if (stale && !this.answering && !this.connection.continued && !this.retried && isLostConnection(error)) {
      this.again();
      return;
    }
    this.over = true;
    const failure = { phase: this.phase(), timedOut: isTimeOut(error), message: describe(error) };
    // A microtask later, so that nobody hears of a failure before `send` has returned.
    queueMicrotask(() => {
      if (!this.cancelled) this.events.fail(failure);
    });
  }

  /** GATE 5.4: the provider may have closed the reused connection before it saw the request; a new one cannot be stale. */
  private again(): void {
    this.retried = true;
    this.reused = false;
    this.controller = undefined;
    this.connection = this.source.fresh();
    this.connection.dispatch(this.options, this);
  }

  private phase(): FailurePhase {
    if (this.headSeen) return "body";
    return this.sent ? "sent" : "connect";
  }

  /** A defect above us: undici would swallow it, so the exchange ends and the process hears of it. */
  private crash(error: unknown): void {
    this.cancel();
    rethrow(error);
  }
}

function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
