import { createPriceBook } from "../../adapters/prices/price-book.ts";
import { openaiChat } from "../../adapters/providers/openai/chat/dialect.ts";
import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd, type NanoUsd } from "../../base/money.ts";
import { affordableOutput, checkShare, checkTokens, costOfTokens, holdOfTokens, type Candidate } from "../../domain/optimizer/candidate.ts";
import { Qualities } from "../../domain/optimizer/quality.ts";
import { select, type Choice, type Selection, type Wanted } from "../../domain/optimizer/select.ts";
import { Waste } from "../../domain/optimizer/waste.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";
import { readLimit, usdNumber } from "../../surfaces/sdk/amounts.ts";
import type { Tollgate } from "../../surfaces/sdk/tollgate.ts";
import { tollgate as defaultInstance } from "../sdk.ts";
import { candidateOf, listedCandidates } from "./candidates.ts";
import type { CostAnalyzer } from "./cost-analyzer.ts";
import type { CostOptimizerOptions, ModelChoice, ModelSelection, OptimizedAnswer, OptimizedRequest, SelectionQuery, WasteReport, WhatIfQuery, WhatIfResult } from "./optimizer-types.ts";
import type { Period } from "../../domain/analytics/period.ts";
import type { CostFilter } from "../../domain/analytics/dimension.ts";
import { wasteReport } from "./waste-report.ts";
import { runWhatIf } from "./what-if.ts";

const MAX_OUTPUT_TOKENS = 1_000;
/** An answer shorter than this is none worth having: the gate's own floor (GATE 3). */
const OUTPUT_FLOOR = 64;
/** Bytes that a call adds to its body beside what is known here: names of members, the longest model name. */
const BODY_MARGIN_BYTES = 320;

/**
 * Chooses models by price and by the quality that you know or have measured, and says what past traffic would have cost otherwise.
 * Nothing that does not fit is ever chosen.
 *
 * @example
 * const optimizer = new CostOptimizer({ models: ["openai/gpt-4o", "openai/gpt-4o-mini"], scores: { "openai/gpt-4o": 0.95, "openai/gpt-4o-mini": 0.8 } });
 * const { model, estimatedCostExact } = await optimizer.selectBestModel({ task: "summary", inputTokens: 2_000, maxOutputTokens: 300, budget: 0.01, minQuality: 0.75 });
 */
export class CostOptimizer {
  private readonly options: CostOptimizerOptions;
  private readonly qualities: Qualities;
  private readonly abilities: ReadonlyMap<string, readonly string[]>;
  private readonly prices: PriceBook;
  private readonly now: () => number;

  /** @throws TollgateError `invalid_request` for scores outside 0 to 1 */
  constructor(options: CostOptimizerOptions = {}) {
    this.options = options;
    this.qualities = new Qualities(options.scores);
    this.abilities = new Map(Object.entries(options.abilities ?? {}));
    this.prices = options.prices ?? createPriceBook();
    this.now = options.now ?? Date.now;
  }

  /**
   * What a request with these tokens costs: `{ model, cost, costExact }`.
   * @throws TollgateError `unpriced`, `unknown_model`, `invalid_request`
   */
  async estimateCost(query: { model: string; inputTokens: number; outputTokens: number }): Promise<{ model: string; cost: number; costExact: string }> {
    const candidate = this.candidate(query.model);
    const cost = costOfTokens(candidate.price, checkTokens(query.inputTokens, "inputTokens"), checkTokens(query.outputTokens, "outputTokens"));
    if (cost === undefined) throw new TollgateError("unpriced", `${query.model} has no price. Register one with registerModel, or choose a listed model.`, { param: "model" });
    return { model: query.model, cost: usdNumber(cost), costExact: formatNanoUsd(cost) };
  }

  /** Keeps how well a model did: `true`, `false` or 0 to 1. Ten outcomes make a measured quality (its lower bound at 95 %). */
  recordOutcome({ model, task = "*", good }: { model: string; task?: string; good: boolean | number }): void {
    this.qualities.record(task, model, typeof good === "boolean" ? Number(good) : good);
  }

  /**
   * The cheapest model that fits: of `models`, else of all that the price lists know.
   * @throws TollgateError `no_model_fits` (`details.reasons`: one sentence per model), `invalid_amount`, `invalid_request`
   */
  async selectBestModel(query: SelectionQuery): Promise<ModelSelection> {
    const wanted = this.wanted(query, checkTokens(query.inputTokens, "inputTokens"));
    const candidates = this.options.models === undefined ? listedCandidates(this.prices, this.now(), this.abilities) : this.candidates();
    return selectionOf(select(wanted, candidates, this.qualities), wanted);
  }

  /**
   * Chooses a model, caps its answer so that the whole request fits the budget, calls it and has it tracked.
   * @throws TollgateError `no_model_fits` before anything is sent, and all errors of `completion`
   */
  async optimizeRequest(request: OptimizedRequest): Promise<OptimizedAnswer> {
    const { messages, user, tags, metadata, signal, budget } = request;
    const bound = openaiChat.read(new TextEncoder().encode(JSON.stringify({ model: "m", messages }))).inputBound + BODY_MARGIN_BYTES;
    const plain = this.wanted(request, bound);
    const wanted: Wanted = { ...plain, needs: (candidate) => holdOfTokens(candidate.price, bound, plain.maxOutputTokens) };
    const { selection, cap } = this.fitToBudget(wanted);
    const { tollgate = defaultInstance as Pick<Tollgate, "completion">, tracker } = this.options;
    const response = await tollgate.completion({
      model: selection.model, messages: [...messages], max_completion_tokens: cap, user, tags: tags === undefined ? undefined : [...tags], signal,
      metadata: { ...metadata, optimized: true, ...(request.task === undefined ? {} : { task: request.task }) }, ...(budget === undefined ? {} : { maxBudget: budget }),
    });
    await tracker?.logCost(response, { ...(user === undefined ? {} : { user }), ...(metadata === undefined ? {} : { metadata: { ...metadata } }), ...(tags === undefined ? {} : { tags: [...tags] }) });
    return { response, model: selection.model, cost: response.cost.totalUsd, maxOutputTokens: cap, alternatives: selection.alternatives };
  }

  /** What past traffic would have cost by another model, with cached input, or as batches. Reads every entry of the period. */
  async whatIf(query: WhatIfQuery): Promise<WhatIfResult> {
    return runWhatIf(this.analyzer(), query, this.prices);
  }

  /** What was paid for nothing, or need not have been paid. Reads every entry of the period. */
  async waste(query: Period & { filter?: CostFilter } = {}): Promise<WasteReport> {
    const waste = new Waste();
    for await (const entry of this.analyzer().entries(query)) waste.add(entry);
    return wasteReport(waste);
  }

  /** All of the wanted output where that fits; else the model that can say the most for the money. */
  private fitToBudget(wanted: Wanted): { selection: ModelSelection; cap: number } {
    const candidates = this.candidates();
    const whole = select(wanted, candidates, this.qualities);
    if (whole.fitting.length > 0 || wanted.budget === undefined) return { selection: selectionOf(whole, wanted), cap: wanted.maxOutputTokens };
    const { budget, inputTokens } = wanted;
    const floor = Math.min(wanted.maxOutputTokens, OUTPUT_FLOOR);
    const capped = select({ ...wanted, maxOutputTokens: floor, needs: (candidate) => holdOfTokens(candidate.price, inputTokens, floor) }, candidates, this.qualities);
    const best = selectionOf({ ...capped, fitting: [...capped.fitting].sort((a, b) => affordableOutput(b.candidate.price, inputTokens, budget) - affordableOutput(a.candidate.price, inputTokens, budget)) }, wanted);
    const { price, maximumOutput } = this.candidate(best.model);
    return { selection: best, cap: Math.min(affordableOutput(price, inputTokens, budget), wanted.maxOutputTokens, maximumOutput ?? wanted.maxOutputTokens) };
  }

  private wanted(query: Omit<SelectionQuery, "inputTokens">, inputTokens: number): Wanted {
    const { minQuality, requires = {} } = query;
    return {
      task: query.task ?? "*", inputTokens, maxOutputTokens: checkTokens(query.maxOutputTokens ?? MAX_OUTPUT_TOKENS, "maxOutputTokens"), budget: readLimit(query.budget, "budget"),
      minQuality: minQuality === undefined ? undefined : checkShare(minQuality, "minQuality"), abilities: requires.abilities ?? [],
      contextTokens: requires.contextTokens === undefined ? undefined : checkTokens(requires.contextTokens, "requires.contextTokens"), providers: requires.providers,
    };
  }

  /** Those that were named: no prompt is sent to a model that nobody chose. */
  private candidates(): Candidate[] {
    const { models } = this.options;
    if (models === undefined || models.length === 0) throw new TollgateError("invalid_request", 'Say which models may be used: new CostOptimizer({ models: ["openai/gpt-4o-mini", …] }).', { param: "models" });
    return [...new Set(models)].map((name) => this.candidate(name));
  }

  private candidate(name: string): Candidate {
    return candidateOf(name, this.prices, this.now(), this.abilities);
  }

  private analyzer(): CostAnalyzer {
    const { analyzer } = this.options;
    if (analyzer === undefined) throw new TollgateError("invalid_request", "Past traffic is read through an analyzer: new CostOptimizer({ analyzer: new CostAnalyzer(…) }).", { param: "analyzer" });
    return analyzer;
  }
}

/** @throws TollgateError `no_model_fits` */
function selectionOf({ fitting, rejected }: Selection, wanted: Wanted): ModelSelection {
  const [best, ...others] = fitting.map(choiceOf);
  if (best === undefined) throw noModelFits(rejected, wanted.budget);
  return { ...best, alternatives: others, rejected: rejected.map(({ name, reasons }) => ({ model: name, reasons })) };
}

function choiceOf({ candidate, cost, quality }: Choice): ModelChoice {
  return { model: candidate.name, estimatedCost: usdNumber(cost), estimatedCostExact: formatNanoUsd(cost), quality: quality?.score ?? null, qualityFrom: quality?.from ?? null };
}

function noModelFits(rejected: Selection["rejected"], budget: NanoUsd | undefined): TollgateError {
  const reasons = rejected.map(({ name, reasons: all }) => `${name} ${all.join(", and ")}.`);
  const shown = reasons.slice(0, 5).join(" ");
  return new TollgateError("no_model_fits", `No model fits${budget === undefined ? "" : ` a budget of $${formatNanoUsd(budget)}`}. ${shown}${reasons.length > 5 ? ` ${reasons.length - 5} more are in details.reasons.` : ""} Raise the budget, lower maxOutputTokens or minQuality, or name other models.`, { details: { reasons } });
}
