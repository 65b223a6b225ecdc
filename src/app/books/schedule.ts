import { TollgateError } from "../../base/errors.ts";

const EVERY_MAX_MS = 2_147_483_647;

/** Runs something again and again, one after another and never two at a time, without keeping the program alive. */
export class Schedule {
  private timer: NodeJS.Timeout | undefined;
  private abort = new AbortController();
  private current: Promise<void> = Promise.resolve();
  private running = false;

  /** The first run begins at once; a run that takes longer than the interval swallows the next ones. @throws TollgateError `invalid_request`, `conflict` */
  start(everyMs: number, work: (signal: AbortSignal) => Promise<void>, onError: (error: unknown) => void): void {
    if (!(Number.isFinite(everyMs) && everyMs >= 100 && everyMs <= EVERY_MAX_MS)) throw new TollgateError("invalid_request", `everyMs must be milliseconds from 100 to ${EVERY_MAX_MS}, such as 60000.`, { param: "everyMs" });
    if (this.timer !== undefined) throw new TollgateError("conflict", "The monitor runs already; stop it before you start it with another interval.");
    this.abort = new AbortController();
    this.timer = setInterval(() => this.run(work, onError), everyMs);
    this.timer.unref();
    this.run(work, onError);
  }

  /** Ends the run in progress soon, and resolves when it has ended. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    this.abort.abort();
    await this.current;
  }

  private run(work: (signal: AbortSignal) => Promise<void>, onError: (error: unknown) => void): void {
    if (this.running) return;
    this.running = true;
    this.current = work(this.abort.signal)
      .catch((error: unknown) => onError(error))
      // A handler that throws must not end the schedule, nor the program.
      .catch((error: unknown) => { process.emitWarning(error instanceof Error ? error : String(error)); })
      .finally(() => { this.running = false; });
  }
}
