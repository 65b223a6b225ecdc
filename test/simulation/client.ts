import type { OpenAttempt } from "../../src/domain/limits/books.ts";
import type { Client } from "../../src/engine/call.ts";
import { demand } from "./shadow.ts";

/** A client that knows what it may be told: one outcome, and no end of an answer whose cost is not kept. */
export class SimulatedClient implements Client {
  attempt: OpenAttempt | undefined;
  left = false;
  outcome: string | undefined;
  private streaming = false;
  private readonly name: string;
  private readonly isKept: (attemptId: string) => boolean;

  constructor(name: string, isKept: (attemptId: string) => boolean) {
    this.name = name;
    this.isKept = isKept;
  }

  admitted(attempt: OpenAttempt): void { this.attempt = attempt; }
  refused(): void { this.end("refused", false); }
  failed(): void { this.end("failed", this.attempt !== undefined); }
  answer(): void { this.end("answer", true); }
  head(): void {
    demand(this.outcome === undefined && !this.streaming, () => `call ${this.name}: a head after ${this.outcome ?? "a head"}`);
    this.streaming = true;
  }
  bytes(): void { demand(this.streaming && this.outcome === undefined, () => `call ${this.name}: bytes outside a stream`); }
  broken(): void {
    demand(this.streaming, () => `call ${this.name}: broken before it began`);
    this.end("broken", true);
  }

  end(how: unknown, sent?: unknown): void {
    const outcome = typeof how === "string" ? how : "end";
    demand(this.outcome === undefined, () => `call ${this.name}: ${outcome} after ${this.outcome}`);
    demand(!this.left || this.attempt === undefined, () => `call ${this.name}: ${outcome} to a client that left`);
    this.outcome = outcome;
    if (sent === false) return;
    const id = this.attempt?.facts.attemptId ?? "";
    demand(this.isKept(id), () => `promise 3: call ${this.name} ends (${outcome}) and its cost is not in the journal`);
  }
}
