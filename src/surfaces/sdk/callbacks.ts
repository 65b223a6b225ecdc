import type { CallRecord, SuccessfulCall } from "./call-record.ts";
import type { CustomLogger, FailureCallback, InputCallback, SuccessCallback } from "./custom-logger.ts";

/** Where a callback failed, for `onCallbackError`. */
export interface CallbackErrorInfo {
  /** `"successCallbacks"`, `"logSuccessEvent"`, …; `"cache"`: not a callback, but the cache. */
  readonly callback: string;
  readonly callId: string;
}

export interface CallbackOptions {
  readonly onCallbackError?: ((error: unknown, info: CallbackErrorInfo) => void) | undefined;
  /** Given every detached callback, to keep a serverless function alive until it is done. */
  readonly waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
}

const INPUT_WAIT_MS = 1_000;
const LATE = Symbol("late");

type LoggerMethod = Exclude<keyof CustomLogger, "constructor">;

/**
 * The program's callbacks. The lists are plain arrays that a program may change or replace at any time. Apart from input
 * callbacks nothing here can delay or break a call: everything runs in a task of its own and its failure is told once.
 */
export class Callbacks {
  input: InputCallback[] = [];
  success: SuccessCallback[] = [];
  failure: FailureCallback[] = [];
  loggers: CustomLogger[] = [];
  private readonly options: CallbackOptions;
  private readonly pending = new Set<Promise<unknown>>();

  constructor(options: CallbackOptions) {
    this.options = options;
  }

  /** Whether anybody listens: records are only made if so. */
  get any(): boolean {
    return this.success.length > 0 || this.failure.length > 0 || this.loggers.length > 0;
  }

  /** Asks one input callback for its patch. One that throws or takes more than a second is skipped and told. */
  async patch(callback: InputCallback, call: CallRecord, startTime: Date): Promise<Readonly<Record<string, unknown>> | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const answer: unknown = callback(call, undefined, startTime, undefined);
      if (!isPromise(answer)) return patchIn(answer);
      const late = new Promise<typeof LATE>((resolve) => {
        timer = setTimeout(() => resolve(LATE), INPUT_WAIT_MS);
      });
      const first: unknown = await Promise.race([answer, late]);
      if (first !== LATE) return patchIn(first);
      // Its lateness is told; what it throws after that is not told again.
      answer.then(undefined, () => {});
      throw new Error(`An input callback took more than ${INPUT_WAIT_MS} ms and was skipped.`);
    } catch (error) {
      this.told(error, { callback: "inputCallbacks", callId: call.id });
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  succeeded(call: SuccessfulCall, startTime: Date, endTime: Date): void {
    for (const callback of [...this.success]) this.detach("successCallbacks", call, () => callback(call, call.response, startTime, endTime));
    this.log("logSuccessEvent", call, call.response, startTime, endTime);
  }

  failed(call: CallRecord, error: unknown, startTime: Date, endTime: Date): void {
    for (const callback of [...this.failure]) this.detach("failureCallbacks", call, () => callback(call, error, startTime, endTime));
    this.log("logFailureEvent", call, error, startTime, endTime);
  }

  log(method: LoggerMethod, call: CallRecord, what: unknown, startTime: Date, endTime: Date): void {
    for (const logger of [...this.loggers]) {
      const run = logger?.[method] as ((...values: unknown[]) => unknown) | undefined;
      if (typeof run === "function") this.detach(method, call, () => run.call(logger, call, what, startTime, endTime));
    }
  }

  /** Resolves once every callback started so far is done, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (this.pending.size > 0) {
      const left = end - Date.now();
      if (left <= 0) return;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, left);
      });
      await Promise.race([Promise.allSettled([...this.pending]), late]);
      clearTimeout(timer);
    }
  }

  /** In a task of its own: the caller of `completion` goes on first. */
  private detach(callback: string, call: CallRecord, run: () => unknown): void {
    const done = new Promise<void>((resolve) => {
      setImmediate(() => {
        try {
          const answer = run();
          if (!isPromise(answer)) {
            resolve();
            return;
          }
          answer.then(() => resolve(), (error: unknown) => {
            this.told(error, { callback, callId: call.id });
            resolve();
          });
        } catch (error) {
          this.told(error, { callback, callId: call.id });
          resolve();
        }
      });
    });
    this.outlast(done, call.id);
  }

  /** Work of the call's that its caller does not wait for: `flush` does, and `waitUntil` is given it. */
  outlast(work: Promise<unknown>, callId: string): void {
    this.pending.add(work);
    void work.finally(() => this.pending.delete(work));
    try {
      this.options.waitUntil?.(work);
    } catch (error) {
      this.told(error, { callback: "waitUntil", callId });
    }
  }

  /** Tells a failure that nobody else hears of. */
  told(error: unknown, info: CallbackErrorInfo): void {
    try {
      if (this.options.onCallbackError !== undefined) {
        this.options.onCallbackError(error, info);
        return;
      }
    } catch {
      // Even the teller of failures may fail; the warning below is the last resort.
    }
    process.emitWarning(`${info.callback === "cache" ? "The cache" : "A callback"} of Tollgate (${info.callback}, call ${info.callId}) failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, "TollgateCallbackWarning");
  }
}

function patchIn(answer: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof answer === "object" && answer !== null ? (answer as Readonly<Record<string, unknown>>) : undefined;
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
