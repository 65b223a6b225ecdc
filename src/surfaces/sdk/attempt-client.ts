import type { TollgateError } from "../../base/errors.ts";
import type { OpenAttempt, Refusal } from "../../domain/limits/books.ts";
import type { Client, Settled, UpstreamHeaders } from "../../engine/call.ts";
import type { CallHandle } from "../../engine/engine.ts";

/** How an admission went. */
export type Admission = { readonly kind: "admitted"; readonly attempt: OpenAttempt } | { readonly kind: "refused"; readonly refusal: Refusal } | { readonly kind: "failed"; readonly error: TollgateError };

/** What came of an admitted attempt, as far as its head. */
export type Outcome =
  | { readonly kind: "answer"; readonly status: number; readonly headers: UpstreamHeaders; readonly body: Uint8Array }
  | { readonly kind: "stream"; readonly headers: UpstreamHeaders }
  | { readonly kind: "failed"; readonly error: TollgateError }
  /** The caller left. */
  | { readonly kind: "left" };

/** Takes what a stream brings, in order; `over` once, at its end. */
export interface StreamSink {
  bytes(chunk: Uint8Array): void;
  over(error: TollgateError | undefined): void;
}

/** One attempt as the engine's client, turned into promises. */
export class AttemptClient implements Client {
  readonly admission: Promise<Admission>;
  readonly outcome: Promise<Outcome>;
  /** Resolves once the attempt is in the books, however it ended. Never, if it was not admitted. */
  readonly settled: Promise<Settled>;
  handle: CallHandle | undefined;
  private readonly onAdmitted: (attempt: OpenAttempt) => void;
  private admit!: (admission: Admission) => void;
  private come!: (outcome: Outcome) => void;
  private settle!: (settled: Settled) => void;
  private sink: StreamSink | undefined;
  /** What came before somebody took the stream. */
  private early: ((sink: StreamSink) => void)[] = [];

  /** @param onAdmitted told before anything is sent, so that no settlement is missed */
  constructor(onAdmitted: (attempt: OpenAttempt) => void) {
    this.onAdmitted = onAdmitted;
    this.admission = new Promise((resolve) => {
      this.admit = resolve;
    });
    this.outcome = new Promise((resolve) => {
      this.come = resolve;
    });
    this.settled = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  attach(sink: StreamSink): void {
    this.sink = sink;
    for (const event of this.early.splice(0)) event(sink);
  }

  /** Gives the attempt up; it is settled all the same. */
  leave(streaming: boolean): void {
    this.handle?.leave(streaming ? "cancel" : "cancel_at_hold");
    this.come({ kind: "left" });
  }

  settledAs(settled: Settled): void {
    this.settle(settled);
  }

  admitted(attempt: OpenAttempt): void {
    this.onAdmitted(attempt);
    this.admit({ kind: "admitted", attempt });
  }

  refused(refusal: Refusal): void {
    this.admit({ kind: "refused", refusal });
  }

  failed(error: TollgateError): void {
    this.admit({ kind: "failed", error });
    this.come({ kind: "failed", error });
  }

  answer(status: number, headers: UpstreamHeaders, body: Uint8Array): void {
    this.come({ kind: "answer", status, headers, body });
  }

  head(_status: number, headers: UpstreamHeaders): void {
    this.come({ kind: "stream", headers });
  }

  bytes(chunk: Uint8Array): void {
    this.pass((sink) => sink.bytes(chunk));
  }

  end(rest: Uint8Array | undefined): void {
    this.pass((sink) => {
      if (rest !== undefined) sink.bytes(rest);
      sink.over(undefined);
    });
  }

  broken(error: TollgateError): void {
    this.pass((sink) => sink.over(error));
  }

  private pass(event: (sink: StreamSink) => void): void {
    if (this.sink === undefined) this.early.push(event);
    else event(this.sink);
  }
}
