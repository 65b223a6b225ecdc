import { usdNumber } from "./amounts.ts";
import type { Settled } from "../../engine/call.ts";
import type { Callbacks } from "./callbacks.ts";
import { frozenCopy, type CallRecord, type CallRecordType, type SuccessfulCall } from "./call-record.ts";
import type { Payer } from "./context.ts";
import { costOfAttempts, totalOf } from "./cost.ts";

/** Tells the program's callbacks what becomes of one call. Makes no copy of anything where nobody listens. */
export class CallLog {
  readonly startTime = new Date();
  private readonly callbacks: Callbacks;
  private readonly id: string;
  private readonly type: CallRecordType;
  private mocked = false;
  private base: Pick<CallRecord, "model" | "messages" | "metadata" | "user" | "tags" | "session" | "stream"> | undefined;
  private source: { readonly model: string; readonly messages: unknown; readonly payer: Payer; readonly stream: boolean } | undefined;
  private tries = 0;
  private toldEnd = false;

  constructor(callbacks: Callbacks, id: string, type: CallRecordType) {
    this.callbacks = callbacks;
    this.id = id;
    this.type = type;
  }

  /** The call as it will be sent. */
  set(source: { readonly model: string; readonly messages: unknown; readonly payer: Payer; readonly stream: boolean }, mocked: boolean): void {
    this.source = source;
    this.mocked = mocked;
    this.base = undefined;
  }

  /** Whether any callback would hear of this call. */
  get listens(): boolean {
    return this.callbacks.any || this.callbacks.loggers.length > 0;
  }

  record(attempts: readonly Settled[], response: unknown, usage: unknown): CallRecord {
    const { source } = this;
    this.base ??= {
      model: String(source?.model), messages: frozenCopy(source?.messages), metadata: frozenCopy(source?.payer.metadata ?? {}), user: source?.payer.user ?? null,
      tags: frozenCopy(source?.payer.tags ?? []), session: frozenCopy(source?.payer.session ?? null), stream: source?.stream ?? false,
    };
    const told = attempts.length === 0 ? null : frozenCopy(costOfAttempts(this.id, attempts, this.mocked));
    return Object.freeze({
      id: this.id, type: this.type, ...this.base,
      responseCost: attempts.length === 0 ? null : usdNumber(totalOf(attempts)),
      cost: told, usage: frozenCopy((usage ?? usageOf(attempts)) as CallRecord["usage"]), cacheHit: attempts[attempts.length - 1]?.charge.saved !== undefined, attempt: this.tries, response: response ?? null,
    }) as CallRecord;
  }

  sending(tries: number, attempts: readonly Settled[]): void {
    this.tries = tries;
    if (this.callbacks.loggers.length > 0) this.callbacks.log("logPreApiCall", this.record(attempts, null, undefined), undefined, this.startTime, this.startTime);
  }

  answered(attempts: readonly Settled[], response: unknown): void {
    if (this.callbacks.loggers.length > 0) this.callbacks.log("logPostApiCall", this.record(attempts, null, undefined), frozenCopy(response), this.startTime, new Date());
  }

  event(event: unknown): void {
    if (this.callbacks.loggers.length > 0) this.callbacks.log("logStreamEvent", this.record([], null, undefined), frozenCopy(event), this.startTime, new Date());
  }

  succeeded(attempts: readonly Settled[], response: object): void {
    if (this.toldEnd || !this.callbacks.any) return;
    this.toldEnd = true;
    const copy = frozenCopy(response);
    this.callbacks.succeeded(this.record(attempts, copy, (copy as { usage?: unknown }).usage) as SuccessfulCall, this.startTime, new Date());
  }

  failed(attempts: readonly Settled[], error: unknown): void {
    if (this.toldEnd || !this.callbacks.any) return;
    this.toldEnd = true;
    this.callbacks.failed(this.record(attempts, null, undefined), error, this.startTime, new Date());
  }
}

function usageOf(attempts: readonly Settled[]): unknown {
  const raw = attempts[attempts.length - 1]?.charge.rawUsage;
  return raw === undefined || raw === null ? null : JSON.parse(raw);
}
