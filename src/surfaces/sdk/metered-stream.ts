import { TollgateError } from "../../base/errors.ts";
import type { Settled } from "../../engine/call.ts";
import type { AttemptClient, StreamSink } from "./attempt-client.ts";
import type { Cost } from "./cost.ts";
import { ServerEvents } from "./server-events.ts";

/** Puts the answer together from the events of a stream. */
export interface Fold<Event, Answer> {
  add(event: Event): void;
  /** @param usage the provider's usage object, where the events did not carry it */
  answer(usage: unknown): Answer;
}

/** What becomes of a stream, for who made it. */
export interface StreamHooks<Event, Answer> {
  /** @throws Error for events that are errors */
  check(event: Event): void;
  costOf(settled: Settled): Cost;
  /** @param data as it came, JSON text */
  onEvent(event: Event, data: string): void;
  onOver(end: { readonly answer: (Answer & { cost: Cost }) | undefined; readonly error: unknown; readonly cost: Cost }): void;
}

const QUEUE_FULL = 256;
const QUEUE_LOW = 64;

/**
 * A stream of events that knows its cost once it is over: read it with `for await`, once. `break` cancels the request
 * and settles what was used. A slow reader slows its own provider down.
 */
export class MeteredStream<Event, Answer> implements AsyncIterable<Event>, AsyncDisposable {
  private readonly client: AttemptClient;
  private readonly fold: Fold<Event, Answer>;
  private readonly hooks: StreamHooks<Event, Answer>;
  private readonly cost: Promise<Cost>;
  private readonly events = new ServerEvents();
  private queue: Event[] = [];
  private paused = false;
  private taken = false;
  private draining = false;
  private left = false;
  private over = false;
  private error: unknown;
  private result: (Answer & { cost: Cost }) | undefined;
  private wake: (() => void) | undefined;

  /** @internal */
  constructor(client: AttemptClient, fold: Fold<Event, Answer>, hooks: StreamHooks<Event, Answer>, reasonOfLeaving: () => unknown) {
    this.client = client;
    this.fold = fold;
    this.hooks = hooks;
    const sink: StreamSink = {
      bytes: (chunk) => this.take(() => this.events.push(chunk)),
      over: (error) => {
        this.take(() => this.events.end());
        this.error ??= error;
      },
    };
    client.attach(sink);
    this.cost = client.settled.then((settled) => this.finish(settled, reasonOfLeaving));
  }

  [Symbol.asyncIterator](): AsyncIterator<Event, undefined> {
    if (this.taken) throw new TollgateError("invalid_request", "A stream has one reader, and it was taken already (finalCost and finalResponse read to the end by themselves). Keep the events, or call finalResponse.");
    this.taken = true;
    return {
      next: () => this.next(),
      return: async () => {
        await this.abort();
        return { done: true, value: undefined };
      },
    };
  }

  /**
   * The exact cost, once the stream is over: read to its end, left by `break` or `abort`, or broken off. Reads on by
   * itself if nobody reads. Never rejects.
   */
  async finalCost(): Promise<Cost> {
    this.drainIfUnread();
    return this.cost;
  }

  /** The answer put together, with its cost. @throws what ended the stream early */
  async finalResponse(): Promise<Answer & { cost: Cost }> {
    this.drainIfUnread();
    await this.cost;
    if (this.result !== undefined) return this.result;
    throw this.error;
  }

  /** Cancels the request; what was used until now is settled. Resolves once it is in the books. */
  async abort(): Promise<void> {
    if (!this.over) {
      this.left = true;
      this.queue = [];
      this.client.leave(true);
    }
    await this.cost;
  }

  /** The events as lines of JSON, to pass on to a browser; cancelling it cancels the request. */
  toReadableStream(): ReadableStream<Uint8Array> {
    const iterator = this[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
      },
      async cancel() {
        await iterator.return?.();
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  private async next(): Promise<IteratorResult<Event, undefined>> {
    for (;;) {
      const event = this.queue.shift();
      if (event !== undefined) {
        if (this.paused && this.queue.length <= QUEUE_LOW) this.resume();
        return { done: false, value: event };
      }
      if (this.error !== undefined && !this.left) throw this.error;
      if (this.over) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private take(read: () => readonly string[]): void {
    if (this.error !== undefined || this.left) return;
    try {
      for (const data of read()) {
        if (data.trim() === "[DONE]") continue;
        const event = parse(data) as Event;
        this.hooks.check(event);
        this.fold.add(event);
        this.hooks.onEvent(event, data);
        if (!this.draining) this.queue.push(event);
      }
    } catch (error) {
      this.error = error;
    }
    if (this.queue.length >= QUEUE_FULL && !this.paused) {
      this.paused = true;
      this.client.handle?.pause();
    }
    this.wake?.();
    this.wake = undefined;
  }

  private drainIfUnread(): void {
    if (this.taken) return;
    this.taken = true;
    this.draining = true;
    this.queue = [];
    this.resume();
  }

  private resume(): void {
    this.paused = false;
    this.client.handle?.resume();
  }

  private finish(settled: Settled, reasonOfLeaving: () => unknown): Cost {
    const cost = this.hooks.costOf(settled);
    const { charge } = settled;
    if (charge.status === "client_gone") this.error ??= reasonOfLeaving();
    if (this.error === undefined) {
      try {
        this.result = Object.assign(this.fold.answer(charge.rawUsage === null ? undefined : JSON.parse(charge.rawUsage)) as Answer & { cost: Cost }, { cost });
      } catch (error) {
        this.error = error;
      }
    }
    this.over = true;
    this.wake?.();
    this.wake = undefined;
    this.hooks.onOver({ answer: this.result, error: this.error, cost });
    return cost;
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch (cause) {
    throw new TollgateError("upstream_failed", "The provider's stream has an event that is no JSON.", { cause });
  }
}
