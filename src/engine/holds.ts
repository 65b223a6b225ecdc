import { TollgateError } from "../base/errors.ts";
import type { NanoUsd } from "../base/money.ts";
import { correctionOf, entryOf, type Charge } from "../domain/ledger/entry.ts";
import type { OpenAttempt } from "../domain/limits/books.ts";
import type { Price } from "../domain/pricing/price.ts";
import { settledPriceOf, type Deployment } from "../domain/upstream/deployment.ts";
import type { Call, Settled } from "./call.ts";
import type { Admission, Engine } from "./engine.ts";
import { chargeOfReading, chargeWithoutUsage } from "./meter.ts";

/** So many settled holds are remembered, for who settles twice. */
const REMEMBERED_MAX = 10_000;

/** How a held request came out: the provider's answer (or as much of it as tells its usage), its cost, or that it was never sent. */
export type HoldOutcome = { readonly answer: Uint8Array } | { readonly cost: NanoUsd } | "released";

interface Hold {
  readonly call: Call;
  readonly attempt: OpenAttempt;
  readonly deployment: Deployment;
  readonly price: Price | undefined;
  readonly startedMs: number;
}

interface SettledHold extends Settled {
  readonly hold: Hold;
}

/**
 * Money held for requests that somebody else sends. A hold passes the same gate as a request and is settled once, by
 * what its owner reports; one that is never settled is charged in full, as a request that was never heard of again
 * (GATE 5.3).
 */
export class Holds {
  private readonly engine: Engine;
  private readonly open = new Map<string, Hold>();
  private readonly settled = new Map<string, SettledHold>();

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** @throws TollgateError `unpriced`, `cost_not_boundable` before anything is held */
  reserve(call: Call, then: (admission: Admission) => void): void {
    const { clock } = this.engine;
    this.engine.admit(call, (admission) => {
      if (admission.kind === "open") {
        const { attempt, deployment, price } = admission;
        this.open.set(call.requestId, { call, attempt, deployment, price, startedMs: clock.monotonic() });
      }
      then(admission);
    });
  }

  /** Milliseconds after which a hold that nobody settled is charged in full. */
  get lifetimeMs(): number {
    return this.engine.settings.requestTimeoutMs;
  }

  /**
   * Settles a hold; to settle one again changes nothing and tells what stands.
   * @param keyId whose hold it must be; `undefined` may settle any
   * @throws TollgateError `not_found`
   */
  settle(id: string, keyId: string | null | undefined, outcome: HoldOutcome, then: (settled: Settled) => void): void {
    const hold = this.open.get(id);
    if (hold !== undefined && mayTouch(keyId, hold.call.keyId)) {
      this.close(id, hold, this.chargeFor(hold, outcome), then);
      return;
    }
    const before = this.settled.get(id);
    if (before === undefined || !mayTouch(keyId, before.hold.call.keyId)) {
      throw new TollgateError("not_found", "There is no open hold of this id. One that is not settled in time, or that a restart met open, was charged in full.", { param: "id" });
    }
    // Charged in full because nothing was heard: what is heard after all corrects it (GATE 5.6).
    if (before.charge.estimated === "no_status") this.correct(id, before, this.chargeFor(before.hold, outcome), then);
    else then(before);
  }

  /** Charges what was never settled. Called about once a second. */
  tick(): void {
    const now = this.engine.clock.monotonic();
    for (const [id, hold] of this.open) {
      // Oldest first: the first that has time left ends the search.
      if (now < hold.startedMs + this.lifetimeMs) return;
      this.close(id, hold, chargeWithoutUsage(hold.attempt.hold.nanoUsd, "no_status", undefined, this.circumstances(hold, "timeout")), () => {});
    }
  }

  /** Charges every open hold: nobody can settle it any more (GATE 5.7). */
  closeAll(): void {
    for (const [id, hold] of this.open) {
      this.close(id, hold, chargeWithoutUsage(hold.attempt.hold.nanoUsd, "shutdown", undefined, this.circumstances(hold, "shutdown")), () => {});
    }
  }

  get count(): number {
    return this.open.size;
  }

  private chargeFor(hold: Hold, outcome: HoldOutcome): Charge {
    if (outcome === "released") return chargeWithoutUsage(0n, null, undefined, this.circumstances(hold, "not_connected"));
    if ("cost" in outcome) return chargeWithoutUsage(outcome.cost, null, undefined, this.circumstances(hold, "ok"));
    const { call, deployment, attempt } = hold;
    const reading = call.dialect.plain.read(outcome.answer);
    const price = settledPriceOf(deployment, this.engine.prices, call.at, reading.model);
    return chargeOfReading(reading, price, attempt.hold.nanoUsd, this.circumstances(hold, reading.complete ? "ok" : "cut_short"));
  }

  private correct(id: string, before: SettledHold, charge: Charge, then: (settled: Settled) => void): void {
    const { attempt, deployment, hold } = before;
    const held = attempt.hold.nanoUsd;
    const settled = { attempt, deployment, charge, hold };
    this.settled.set(id, settled);
    const correction = correctionOf(entryOf(attempt.facts, held, before.charge), entryOf(attempt.facts, held, charge));
    if (correction === undefined) then(settled);
    else this.engine.books.post(correction, hold.call.charges, () => then(settled));
  }

  private close(id: string, hold: Hold, charge: Charge, then: (settled: Settled) => void): void {
    const { attempt, deployment } = hold;
    const settled = { attempt, deployment, charge, hold };
    this.open.delete(id);
    if (this.settled.size >= REMEMBERED_MAX) this.settled.delete(this.settled.keys().next().value as string);
    this.settled.set(id, settled);
    this.engine.books.close(attempt, charge, () => {
      this.engine.observer.settled(settled);
      then(settled);
    });
  }

  private circumstances(hold: Hold, status: Charge["status"]): { status: Charge["status"]; httpStatus: number | null; durationMs: number } {
    return { status, httpStatus: null, durationMs: Math.round(this.engine.clock.monotonic() - hold.startedMs) };
  }
}

function mayTouch(keyId: string | null | undefined, owner: string | null): boolean {
  return keyId === undefined || keyId === owner;
}
