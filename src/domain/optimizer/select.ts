import { formatNanoUsd, type NanoUsd } from "../../base/money.ts";
import { costOfTokens, type Candidate } from "./candidate.ts";
import { SAMPLES_MIN, type Qualities, type Quality } from "./quality.ts";

export interface Wanted {
  readonly task: string;
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
  /** What the request may cost at most, with `maxOutputTokens` used. */
  readonly budget: NanoUsd | undefined;
  readonly minQuality: number | undefined;
  /** Abilities, each of which the candidate must have. */
  readonly abilities: readonly string[];
  readonly contextTokens: number | undefined;
  readonly providers: readonly string[] | undefined;
  /** What the request takes of the budget if it is not the plain cost: the hold of the gate. */
  readonly needs?: ((candidate: Candidate) => NanoUsd | undefined) | undefined;
}

export interface Choice {
  readonly candidate: Candidate;
  readonly cost: NanoUsd;
  readonly quality: Quality | undefined;
}

export interface Rejection {
  readonly name: string;
  readonly reasons: readonly string[];
}

export interface Selection {
  /** Those that fit, the cheapest first; then the better, then by name. */
  readonly fitting: readonly Choice[];
  readonly rejected: readonly Rejection[];
}

/** Who fits, and why the others do not. Never falls back to one that does not fit. */
export function select(wanted: Wanted, candidates: readonly Candidate[], qualities: Qualities): Selection {
  const fitting: Choice[] = [];
  const rejected: Rejection[] = [];
  for (const candidate of candidates) {
    const reasons: string[] = [];
    const cost = costOfTokens(candidate.price, wanted.inputTokens, wanted.maxOutputTokens);
    const quality = qualities.of(wanted.task, candidate.name);
    if (cost === undefined) reasons.push("has no price");
    else budgetReason(wanted, candidate, cost, reasons);
    qualityReason(wanted, candidate, quality, qualities, reasons);
    roomReasons(wanted, candidate, reasons);
    if (wanted.providers !== undefined && !wanted.providers.includes(candidate.provider)) reasons.push(`is not sold by ${wanted.providers.join(" or ")}`);
    for (const ability of wanted.abilities) if (!candidate.abilities.includes(ability)) reasons.push(`is not known to have ${ability}`);
    if (reasons.length > 0) rejected.push({ name: candidate.name, reasons });
    else fitting.push({ candidate, cost: cost as NanoUsd, quality });
  }
  return { fitting: fitting.sort(cheapestFirst), rejected };
}

function budgetReason({ budget, needs }: Wanted, candidate: Candidate, cost: NanoUsd, reasons: string[]): void {
  if (budget === undefined) return;
  const amount = needs === undefined ? cost : needs(candidate);
  if (amount === undefined) reasons.push("has no bound for its cost");
  else if (amount > budget) reasons.push(`needs $${formatNanoUsd(amount)}, $${formatNanoUsd(amount - budget)} more than the budget`);
}

function qualityReason({ minQuality, task }: Wanted, { name }: Candidate, quality: Quality | undefined, qualities: Qualities, reasons: string[]): void {
  if (minQuality === undefined) return;
  if (quality === undefined) {
    const samples = qualities.samples(task, name);
    reasons.push(samples === 0 ? "has no score and no recorded outcomes" : `has ${samples} recorded outcomes, and ${SAMPLES_MIN} are needed`);
  } else if (quality.score < minQuality) {
    reasons.push(`has quality ${quality.score.toFixed(3)} (${quality.from}), below ${minQuality}`);
  }
}

function roomReasons(wanted: Wanted, { maximumOutput, contextWindow }: Candidate, reasons: string[]): void {
  if (maximumOutput !== undefined && wanted.maxOutputTokens > maximumOutput) reasons.push(`answers ${maximumOutput} tokens at most`);
  const needed = Math.max(wanted.contextTokens ?? 0, wanted.inputTokens + wanted.maxOutputTokens);
  if (contextWindow !== undefined && needed > contextWindow) reasons.push(`has a window of ${contextWindow} tokens, and ${needed} are needed`);
  else if (contextWindow === undefined && wanted.contextTokens !== undefined) reasons.push("has an unknown window");
}

function cheapestFirst(a: Choice, b: Choice): number {
  if (a.cost !== b.cost) return a.cost < b.cost ? -1 : 1;
  const better = (b.quality?.score ?? 0) - (a.quality?.score ?? 0);
  if (better !== 0) return better;
  return a.candidate.name < b.candidate.name ? -1 : 1;
}
