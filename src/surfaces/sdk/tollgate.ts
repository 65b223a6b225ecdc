import type { UlidSource } from "../../base/ids.ts";
import type { Clock } from "../../base/clock.ts";
import type { CostSource } from "../../domain/analytics/source.ts";
import type { ResponseCache } from "../../domain/cache/response-cache.ts";
import type { Usd } from "./amounts.ts";
import { checkCache, checkCacheChoice } from "./cache/cache-options.ts";
import type { CallbackErrorInfo, Callbacks } from "./callbacks.ts";
import { CHAT } from "./chat-kind.ts";
import type { CompletionFunction, EmbeddingFunction, ResponsesFunction } from "./completion-types.ts";
import { activeContext, mergePayers, runInContext, type ContextOptions, type TrackOptions } from "./context.ts";
import type { AnswerWithUsage, CostFunctions, CostPerTokenParams, ModelInfo, ModelPrices, TextCall } from "./costs/cost-functions.ts";
import { lazyModelCost } from "./costs/model-cost.ts";
import type { Counted, TokenCounterParams } from "./costs/token-counter.ts";
import type { CustomLogger, FailureCallback, InputCallback, SuccessCallback } from "./custom-logger.ts";
import { EMBEDDING } from "./embedding-kind.ts";
import { RESPONSES } from "./responses-kind.ts";
import { contextSet, type Payers } from "./payers.ts";
import { perform, type Params } from "./perform.ts";
import type { SdkPlane } from "./plane.ts";
import type { Host } from "./track/billable.ts";
import { trackAnything } from "./track/track.ts";

/** What an instance needs before its first call; the plane is made by that call. */
export interface TollgateParts {
  readonly clock: Clock;
  readonly ids: UlidSource;
  readonly payers: Payers;
  readonly callbacks: Callbacks;
  readonly pricing: CostFunctions;
  /** The cache of answers, replaced by `tollgate.cache`. */
  readonly cache: { current: ResponseCache | undefined };
  /** Opens the books and puts the plane together; called once. */
  open(): SdkPlane | Promise<SdkPlane>;
  close(plane: SdkPlane): Promise<void>;
  /** Told that something was settled. */
  readonly settledListeners: Set<() => void>;
  /** From now on books in memory keep what reports read. */
  keepEntries(): void;
  /** Whose API stands at a host. */
  hostKind(host: string): Host;
  /** After `open`. @throws TollgateError `invalid_request` if these books cannot be read */
  costs(): CostSource;
}

const FLUSH_MS = 10_000;

/**
 * One instance: its books, budgets, callbacks and defaults. `createTollgate` makes one; the default export is one.
 * All functions are bound, so they can be taken off the instance.
 */
export class Tollgate implements AsyncDisposable {
  private readonly parts: TollgateParts;
  private opened: SdkPlane | Promise<SdkPlane> | undefined;
  private closing: Promise<void> | undefined;
  private readonly calls = new Set<Promise<unknown>>();

  /** @internal */
  constructor(parts: TollgateParts) {
    this.parts = parts;
    this.modelCost = lazyModelCost(() => parts.pricing);
  }

  /**
   * A chat completion from any provider with an OpenAI-compatible endpoint, with its exact cost.
   *
   * @param params OpenAI's parameters; `model` is `provider/model`
   * @returns OpenAI's answer with `cost`, or with `stream: true` a `CompletionStream`
   * @throws BudgetExceededError before anything is sent
   * @throws ProviderError for an answer of 4xx or 5xx after the last retry
   * @throws TollgateError `missing_key`, `unknown_model`, `unpriced`, `cost_not_boundable`, `upstream_timeout`, …
   * @example
   * const response = await tollgate.completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hi" }] });
   * console.log(response.cost.total); // "0.0001575" dollars
   */
  readonly completion: CompletionFunction = ((params: unknown) => this.call((plane) => perform(plane, CHAT, params as Params))) as CompletionFunction;

  /**
   * Embeddings, with their exact cost. Parameters, options and errors are those of `completion`; there is no stream.
   *
   * @example const { data, cost } = await tollgate.embedding({ model: "openai/text-embedding-3-small", input: ["one", "two"] });
   */
  readonly embedding: EmbeddingFunction = ((params: unknown) => this.call((plane) => perform(plane, EMBEDDING, params as Params))) as EmbeddingFunction;

  /**
   * OpenAI's Responses API, plain or with `stream: true`, with its exact cost.
   *
   * @example const { output_text, cost } = await tollgate.responses({ model: "openai/gpt-4o-mini", input: "Hello" });
   */
  readonly responses: ResponsesFunction = ((params: unknown) => this.call((plane) => perform(plane, RESPONSES, params as Params))) as ResponsesFunction;

  /**
   * Runs `fn` so that every call inside is for this user, with these tags, metadata, limits and cache options. Contexts may be nested:
   * labels of the innermost win, limits of all of them hold.
   *
   * @example await tollgate.withContext({ user: "user-123", maxBudget: 0.05 }, () => agent.run())
   */
  readonly withContext = <T>(options: ContextOptions, fn: () => T): T => {
    const outer = activeContext();
    const own = contextSet(options.maxBudget, this.parts.ids, this.parts.clock.now());
    const session = outer?.payer.session === undefined || options.session === undefined ? [] : [this.parts.payers.sessionSetOf(outer.payer.session)];
    const cache = [...(outer?.cache ?? []), ...(options.cache === undefined ? [] : [options.cache])];
    checkCacheChoice(options.cache, "cache");
    return runInContext({ payer: mergePayers(outer?.payer, payerOf(options)), charges: [...(outer?.charges ?? []), ...session, ...(own === undefined ? [] : [own])], cache }, fn);
  };

  /**
   * A `fetch`, or a client of the `openai` package, that meters, prices and caps what it sends; everything else about it stays.
   * A refusal is answered as a response (422, or 429 while others hold the money), so that the client's own error handling meets it:
   * `BudgetExceededError.from(error)` finds it there.
   *
   * @param options who pays for what it sends, unless a context or the headers `x-tollgate-user`, `x-tollgate-tags` say otherwise; `outputCap: false` has
   *   requests refused whose whole output no budget affords, instead of shortened
   * @throws TollgateError `invalid_request` for what is neither
   * @example
   * const client = tollgate.track(new OpenAI(), { user: "user-123" });
   * await client.chat.completions.create({ model: "gpt-4o-mini", messages });
   */
  readonly track = <T>(target: T, options: TrackOptions = {}): T => trackAnything(target, { call: this.call, hostKind: this.parts.hostKind }, options);

  /** Dollars that this process may spend from its start, whenever it is set; `undefined`: no limit. */
  get maxBudget(): Usd | undefined {
    return this.parts.payers.maxBudget;
  }

  set maxBudget(value: Usd | undefined | null) {
    this.parts.payers.maxBudget = value;
    if (this.opened !== undefined && !(this.opened instanceof Promise)) this.opened.held.wakeAll();
  }

  /**
   * Where answers are kept to be given again, for $0: a `MemoryCache`, a `SqliteCache` or one of your own; `undefined`: nowhere.
   * @throws TollgateError `invalid_request` when set to what is no cache
   * @example tollgate.cache = new MemoryCache({ ttlSeconds: 600 })
   */
  get cache(): ResponseCache | undefined {
    return this.parts.cache.current;
  }

  set cache(cache: ResponseCache | undefined | null) {
    this.parts.cache.current = checkCache(cache);
  }

  /** Asked before each call; may return a patch of its parameters. Awaited in order, for a second each at most. */
  get inputCallbacks(): InputCallback[] {
    return this.parts.callbacks.input;
  }

  set inputCallbacks(list: InputCallback[]) {
    this.parts.callbacks.input = list;
  }

  /** Told of each answered call: `(call, response, startTime, endTime)`. */
  get successCallbacks(): SuccessCallback[] {
    return this.parts.callbacks.success;
  }

  set successCallbacks(list: SuccessCallback[]) {
    this.parts.callbacks.success = list;
  }

  /** Told of each call that failed or was refused: `(call, error, startTime, endTime)`. */
  get failureCallbacks(): FailureCallback[] {
    return this.parts.callbacks.failure;
  }

  set failureCallbacks(list: FailureCallback[]) {
    this.parts.callbacks.failure = list;
  }

  get callbacks(): CustomLogger[] {
    return this.parts.callbacks.loggers;
  }

  set callbacks(list: CustomLogger[]) {
    this.parts.callbacks.loggers = list;
  }

  /**
   * Dollars that an answer cost, by its usage; of an answer of Tollgate's own what was charged. From texts it takes a
   * tokenizer, and therefore a Promise.
   *
   * @throws TollgateError `unpriced`: an unknown model is never $0; `invalid_request` for usage that cannot be believed
   * @example tollgate.completionCost(response) // 0.0001575
   */
  readonly completionCost = ((given: AnswerWithUsage | TextCall, options?: { model?: string }) => this.parts.pricing.completionCost(given, options)) as CompletionCostFunction;

  /** Dollars of the input and of the output. @throws TollgateError `unpriced` @example tollgate.costPerToken({ model: "openai/gpt-4o-mini", promptTokens: 1000, completionTokens: 500 }) // [0.00015, 0.0003] */
  readonly costPerToken = (params: CostPerTokenParams): [promptCost: number, completionCost: number] => this.parts.pricing.costPerToken(params);

  /** Tokens of messages or a text, and how they were counted. @example await tollgate.tokenCounter({ model: "openai/gpt-4o-mini", text: "Hello" }) // { tokens: 1, method: "o200k_base", … } */
  readonly tokenCounter = (params: TokenCounterParams): Promise<Counted> => this.parts.pricing.tokenCounter(params);

  /** Prices and sizes of a model under LiteLLM's names, dollars per unit. @throws TollgateError `unpriced` */
  readonly getModelInfo = (model: string): ModelInfo => this.parts.pricing.getModelInfo(model);

  /** Gives prices to models, or other prices; they count for this instance from its next call on. @throws TollgateError `invalid_amount`, `unknown_field`, `unsupported_field`: nothing changes then */
  readonly registerModel = (models: ModelPrices): void => this.parts.pricing.registerModel(models);

  /** Every priced model by `provider/model`. */
  readonly modelCost: Readonly<Record<string, ModelInfo>>;

  /** @internal */
  get pricing(): CostFunctions {
    return this.parts.pricing;
  }

  /** Waits for callbacks that are under way, ten seconds at most. */
  readonly flush = async (): Promise<void> => {
    await this.parts.callbacks.flush(FLUSH_MS);
  };

  /** Waits for calls in flight and callbacks, then closes the books. A later call opens them again. */
  readonly close = (): Promise<void> => {
    this.closing ??= this.closeBooks().finally(() => {
      this.closing = undefined;
    });
    return this.closing;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What other surfaces of Tollgate run their calls on. */
  readonly plane = (): SdkPlane | Promise<SdkPlane> => {
    if (this.opened === undefined) {
      const opened = this.parts.open();
      this.opened = opened;
      if (opened instanceof Promise) {
        opened.then((plane) => {
          if (this.opened === opened) this.opened = plane;
        }, () => {
          // Books that could not be opened are tried again by the next call.
          if (this.opened === opened) this.opened = undefined;
        });
      }
    }
    return this.opened;
  };

  /** @internal Told that something was settled, until the function returned is called. */
  readonly onSettled = (listener: () => void): (() => void) => {
    this.parts.settledListeners.add(listener);
    return () => void this.parts.settledListeners.delete(listener);
  };

  /** @internal From now on what reports read is kept, also where the books are in memory. */
  readonly keepEntries = (): void => this.parts.keepEntries();

  /** What a `CostAnalyzer` reads. Books in memory keep what it needs from the first time that this is asked, or that a tracker is made for this instance. */
  readonly costs = async (): Promise<CostSource> => {
    this.parts.keepEntries();
    await this.plane();
    return this.parts.costs();
  };

  private async closeBooks(): Promise<void> {
    const { opened } = this;
    if (opened === undefined) return this.flush();
    const plane = await opened;
    await this.callsUnderWay();
    // Calls from now on open books of their own; those that came meanwhile have these.
    this.opened = undefined;
    await this.callsUnderWay();
    // Streams that nobody reads keep their calls open: their time-out ends them.
    await new Promise<void>((resolve) => plane.engine.whenIdle(resolve));
    await this.flush();
    await this.parts.close(plane);
  }

  /** @internal Work on the books, which stay open until it is done. */
  readonly call = async <T>(run: (plane: SdkPlane) => Promise<T>): Promise<T> => {
    const plane = this.plane();
    const running = plane instanceof Promise ? plane.then(run) : run(plane);
    this.calls.add(running);
    try {
      return await running;
    } finally {
      this.calls.delete(running);
    }
  };

  /** Before its attempt is open a call is known to nobody else. */
  private async callsUnderWay(): Promise<void> {
    await Promise.allSettled(this.calls);
  }
}

export interface CompletionCostFunction {
  (call: TextCall & { usage?: never }): Promise<number>;
  (response: AnswerWithUsage, options?: { model?: string }): number;
}

function payerOf({ user, tags, metadata, session }: ContextOptions): Omit<ContextOptions, "maxBudget"> {
  return { user, tags, metadata, session };
}

export type { CallbackErrorInfo };
