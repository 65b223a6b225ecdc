import { TollgateError } from "../base/errors.ts";
import type { InFlightItem } from "../base/in-flight.ts";
import type { AttemptStatus, Charge, EstimateReason } from "../domain/ledger/entry.ts";
import type { OpenAttempt } from "../domain/limits/books.ts";
import type { Price } from "../domain/pricing/price.ts";
import { settledPriceOf, type Deployment } from "../domain/upstream/deployment.ts";
import { gatewayCallId } from "../domain/upstream/said-cost.ts";
import type { Reading, StreamReader } from "../domain/upstream/dialect.ts";
import type { UpstreamEvents, UpstreamExchange, UpstreamFailure } from "../domain/upstream/upstream.ts";
import type { Call, Client, LeavePolicy, Settled, UpstreamHeaders } from "./call.ts";
import type { Engine } from "./engine.ts";
import { chargeAsSaid, chargeOfReading, chargeWithoutUsage, costSeen } from "./meter.ts";

/** A plain answer beyond this is no chat completion; it is not read to its end. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * One upstream try: driven by the upstream's events, settled exactly once. The client may leave at any time; the
 * metering goes on without it.
 */
export class Attempt implements UpstreamEvents, InFlightItem {
  /** Among the engine's attempts. */
  place = -1;
  private readonly engine: Engine;
  private readonly call: Call;
  private readonly client: Client;
  private readonly deployment: Deployment;
  readonly open: OpenAttempt;
  private readonly price: Price | undefined;
  private readonly startedMs: number;
  private exchange: UpstreamExchange | undefined;
  private status = 0;
  private headers: UpstreamHeaders = {};
  private stream: StreamReader | undefined;
  private chunks: Uint8Array[] = [];
  private size = 0;
  private settling = false;
  private clientGone = false;
  /** Monotonic milliseconds at which the attempt is given up. */
  deadlineMs: number;

  constructor(engine: Engine, call: Call, client: Client, deployment: Deployment, open: OpenAttempt, price: Price | undefined) {
    this.engine = engine;
    this.call = call;
    this.client = client;
    this.deployment = deployment;
    this.open = open;
    this.price = price;
    this.startedMs = engine.clock.monotonic();
    this.deadlineMs = this.startedMs + engine.settings.requestTimeoutMs;
  }

  begin(): void {
    const { call, deployment, open } = this;
    try {
      const body = call.request.edit({
        ...(deployment.model === call.request.model ? {} : { model: deployment.model }),
        ...(open.sendCap === undefined ? {} : { cap: open.sendCap }),
        capField: deployment.capField,
        includeUsage: call.request.stream && deployment.supportsStreamOptions,
      });
      this.exchange = this.engine.upstream.send(
        { origin: deployment.origin, path: deployment.paths[call.dialect.route], headers: deployment.headers, body },
        this,
      );
    } catch (error) {
      // A hold that nobody settles would stay for ever, and who waits for the same turn of the journal must not suffer.
      this.fail({ phase: "connect", timedOut: false, message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The client left, or its time was up, before the hold was durable: nothing is sent and nothing charged (GATE 5.2). */
  neverSend(clientGone: boolean): void {
    this.clientGone = clientGone;
    const error = new TollgateError("upstream_timeout", "The request took longer than the gateway allows before it could be sent. Nothing was charged; try again.");
    this.settle(chargeWithoutUsage(0n, null, undefined, this.circumstances(clientGone ? "client_gone" : "timeout")), (settled) => this.client.failed(error, settled));
  }

  pause(): void {
    this.exchange?.pause();
  }

  resume(): void {
    this.exchange?.resume();
  }

  /** The client is gone: read on for a while and charge what was really used, or stop at once (GATE 5.5). */
  leave(policy: LeavePolicy): void {
    if (this.clientGone) return;
    this.clientGone = true;
    if (this.settling) return;
    const { settings, clock } = this.engine;
    // A plain answer is made as a whole before any of it is seen.
    if (policy === "cancel_at_hold" || (policy === "cancel" && this.stream === undefined && (this.status !== 0 || !this.call.request.stream))) {
      this.giveUp("client_gone", "client_gone", this.open.hold.nanoUsd);
      return;
    }
    if (policy === "cancel") {
      const seen = this.stream?.reading().outputBytes ?? 0;
      const cost = costSeen(this.price, this.call.request.inputBound, seen, this.open.hold.nanoUsd);
      this.giveUp("client_gone", "client_gone", cost);
      return;
    }
    this.deadlineMs = Math.min(this.deadlineMs, clock.monotonic() + settings.drainMs);
    this.exchange?.resume();
  }

  /** Ends what takes too long, or what a shutdown cannot wait for: the full hold is charged. */
  expire(reason: "timeout" | "shutdown"): void {
    if (this.clientGone) this.giveUp("client_gone", "client_gone", this.open.hold.nanoUsd);
    else this.giveUp(reason, reason === "shutdown" ? "shutdown" : "cut_short", this.open.hold.nanoUsd);
  }

  head(status: number, headers: UpstreamHeaders): void {
    if (this.settling) return;
    this.status = status;
    this.headers = headers;
    const type = headers["content-type"];
    const isStream = typeof type === "string" && type.toLowerCase().includes("text/event-stream");
    const { stream } = this.call.dialect;
    if (status >= 200 && status < 300 && isStream && stream !== undefined) {
      this.stream = stream({ withholdUsage: !this.call.request.wantsUsage });
      if (!this.clientGone) this.client.head(status, headers, this.open, this.deployment);
    }
  }

  bytes(chunk: Uint8Array): void {
    if (this.settling) return;
    const { stream } = this;
    if (stream !== undefined) {
      const complete = stream.push(chunk, this.forward);
      if (complete) this.settleStream();
      return;
    }
    this.size += chunk.length;
    if (this.size <= ANSWER_BYTES_MAX) this.chunks.push(chunk);
    else this.endTooLarge();
  }

  end(): void {
    if (this.settling) return;
    if (this.stream !== undefined) {
      this.settleStream();
      return;
    }
    const body = joined(this.chunks, this.size);
    if (this.status < 200 || this.status >= 300) {
      this.settleAsSaid(chargeWithoutUsage(0n, null, undefined, this.circumstances("upstream_error")), (settled) => this.passError(body, settled));
      return;
    }
    const reading = this.call.dialect.plain.read(body);
    this.settleAsSaid(this.chargeOf(reading, reading.complete ? "ok" : "cut_short"), (settled) => this.client.answer(this.status, this.headers, body, settled));
  }

  fail(failure: UpstreamFailure): void {
    if (this.settling) return;
    this.engine.observer.upstreamFailed(this.call, this.deployment, failure);
    if (failure.phase === "connect") {
      const error = new TollgateError(failure.timedOut ? "upstream_timeout" : "upstream_unreachable", "The provider could not be reached. Nothing was charged; try again.");
      this.settle(chargeWithoutUsage(0n, null, undefined, this.circumstances("not_connected")), (settled) => this.client.failed(error, settled));
      return;
    }
    if (failure.phase === "body" && (this.status < 200 || this.status >= 300)) {
      const body = joined(this.chunks, this.size);
      this.settle(chargeWithoutUsage(0n, null, undefined, this.circumstances("upstream_error")), (settled) => this.passError(body, settled));
      return;
    }
    const error = new TollgateError(failure.timedOut ? "upstream_timeout" : "upstream_failed", failure.phase === "sent"
      ? "The provider took the request and never answered. It may have worked on it, so the held amount was charged."
      : "The provider's answer broke off, so the held amount was charged.");
    this.settleBroken(error, failure.phase === "sent" ? "no_status" : "cut_short", failure.timedOut ? "timeout" : "cut_short", this.open.hold.nanoUsd);
  }

  private readonly forward = (bytes: Uint8Array): void => {
    if (!this.clientGone) this.client.bytes(bytes);
  };

  private settleStream(): void {
    const stream = this.stream as StreamReader;
    const reading = stream.reading();
    const charge = this.chargeOf(reading, reading.complete ? "ok" : "cut_short");
    this.settleAsSaid(charge, (settled) => this.client.end(stream.release(), settled));
  }

  private giveUp(status: AttemptStatus, estimated: EstimateReason, cost: bigint): void {
    if (this.settling) return;
    this.exchange?.cancel();
    const error = status === "shutdown"
      ? new TollgateError("shutting_down", "The gateway is stopping and could not wait for the end of this answer.")
      : new TollgateError("upstream_timeout", "The request took longer than the gateway allows, so it was ended and the held amount charged.");
    // What the provider refused with a status costs nothing, however long its refusal takes (GATE 5.2).
    if (this.status !== 0 && (this.status < 200 || this.status >= 300)) {
      const refused = status === "timeout" ? new TollgateError("upstream_timeout", "The provider's refusal did not end in the time that the gateway allows. Nothing was charged; try again.") : error;
      this.settle(chargeWithoutUsage(0n, null, undefined, this.circumstances(status)), (settled) => this.client.failed(refused, settled));
    }
    else this.settleBroken(error, estimated, status, cost);
  }

  /** An answer that is not kept whole cannot be read, let alone be handed on as whole: it is cut short here (GATE 5.3). */
  private endTooLarge(): void {
    this.exchange?.cancel();
    const error = new TollgateError("upstream_failed", `The provider's answer is larger than ${ANSWER_BYTES_MAX / 1024 / 1024} MB, so it was cut off. Ask for less, or for a stream.`);
    if (this.status < 200 || this.status >= 300) this.settle(chargeWithoutUsage(0n, null, undefined, this.circumstances("upstream_error")), (settled) => this.client.failed(error, settled));
    else this.settleBroken(error, "cut_short", "cut_short", this.open.hold.nanoUsd);
  }

  private settleBroken(error: TollgateError, estimated: EstimateReason, status: AttemptStatus, cost: bigint): void {
    const streaming = this.stream !== undefined;
    const charge = chargeWithoutUsage(cost, estimated, this.stream?.reading(), this.circumstances(status));
    this.settle(charge, (settled) => (streaming ? this.client.broken(error, settled) : this.client.failed(error, settled)));
  }

  private passError(body: Uint8Array, settled: Settled): void {
    if (this.engine.settings.showAuthErrors === true && this.status !== 0) {
      this.client.answer(this.status, this.headers, body, settled);
    } else if (this.status === 401 || this.status === 403) {
      this.client.failed(new TollgateError("upstream_auth", "The provider refused the credentials of this deployment. The operator must correct its api_key."), settled);
    } else if (this.status < 400) {
      this.client.failed(new TollgateError("upstream_failed", `The provider answered with status ${this.status}, which is not followed. Check api_base of the deployment.`), settled);
    } else {
      this.client.answer(this.status, this.headers, body, settled);
    }
  }

  private chargeOf(reading: Reading, status: AttemptStatus): Charge {
    const price = settledPriceOf(this.deployment, this.engine.prices, this.call.at, reading.model);
    return chargeOfReading(reading, price, this.open.hold.nanoUsd, this.circumstances(status));
  }

  private circumstances(status: AttemptStatus): { status: AttemptStatus; httpStatus: number | null; durationMs: number } {
    const durationMs = Math.round(this.engine.clock.monotonic() - this.startedMs);
    return { status: this.clientGone && status === "ok" ? "client_gone" : status, httpStatus: this.status === 0 ? null : this.status, durationMs };
  }

  /** Where the provider is a gateway, what it charged stands as it is; nobody prices a call twice. */
  private settleAsSaid(charge: Charge, then: (settled: Settled) => void): void {
    if (this.exchange?.saidCost === undefined) {
      this.settle(charge, then);
      return;
    }
    // Whoever leaves while it is asked changes nothing any more.
    this.settling = true;
    this.exchange.saidCost((said) => this.settle(said === undefined ? charge : chargeAsSaid(charge, said), then));
  }

  private settle(charge: Charge, then: (settled: Settled) => void): void {
    this.settling = true;
    this.chunks = [];
    const { open: attempt, deployment } = this;
    const settled: Settled = this.exchange?.saidCost === undefined ? { attempt, deployment, charge } : { attempt, deployment, charge, gatewayCallId: gatewayCallId(this.headers) };
    this.engine.books.close(this.open, charge, () => {
      this.engine.finished(this, settled);
      if (!this.clientGone) then(settled);
    });
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
