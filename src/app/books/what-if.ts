import { splitModel } from "../../adapters/providers/registry.ts";
import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import { checkShare } from "../../domain/optimizer/candidate.ts";
import { Waste } from "../../domain/optimizer/waste.ts";
import { WhatIf, type Supposition, type WhatIfSums } from "../../domain/optimizer/what-if.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";
import { usdNumber } from "../../surfaces/sdk/amounts.ts";
import { candidateOf } from "./candidates.ts";
import type { CostAnalyzer } from "./cost-analyzer.ts";
import type { CachingEvidence, Change, WhatIfQuery, WhatIfResult } from "./optimizer-types.ts";
import { wasteReport } from "./waste-report.ts";

/** @throws TollgateError `invalid_request`, `unknown_model` */
export async function runWhatIf(analyzer: CostAnalyzer, query: WhatIfQuery, prices: PriceBook): Promise<WhatIfResult> {
  const said = [query.model, query.caching, query.batch].filter((one) => one !== undefined);
  if (said.length !== 1) throw new TollgateError("invalid_request", "A what-if supposes one thing: model, caching or batch.", { param: "model" });
  const { supposed, assumes } = await supposition(analyzer, query, prices);
  const whatIf = new WhatIf(supposed);
  const waste = query.caching === undefined ? undefined : new Waste();
  for await (const entry of analyzer.entries(query)) {
    whatIf.add(entry);
    waste?.add(entry);
  }
  return {
    ...changeOf(whatIf.total),
    byModel: [...whatIf.byModel].map(([model, sums]) => ({ model, ...changeOf(sums) })).sort((a, b) => b.saved - a.saved || (a.model < b.model ? -1 : 1)),
    notPriced: [...whatIf.notPriced].map(([reason, { requests, cost }]) => ({ reason, requests, cost: usdNumber(cost), costExact: formatNanoUsd(cost) })),
    assumes, ...(waste === undefined ? {} : { evidence: await cachingEvidence(analyzer, query, waste) }),
  };
}

/** What the period itself says of how much a cache could have held. */
async function cachingEvidence(analyzer: CostAnalyzer, query: WhatIfQuery, waste: Waste): Promise<CachingEvidence> {
  const rows = (await analyzer.costByModel(query)).filter((row) => row.inputTokens > 0);
  return {
    cachedInput: rows.map(({ label: model, inputTokens, cachedTokens }) => ({ model, inputTokens, cachedTokens, share: Math.floor((cachedTokens * 1_000) / inputTokens) / 1_000 })),
    repeatedPrompts: wasteReport(waste).repeatedPrompts,
  };
}

async function supposition(analyzer: CostAnalyzer, query: WhatIfQuery, prices: PriceBook): Promise<{ supposed: Supposition; assumes: string[] }> {
  if (query.model !== undefined) {
    const { provider } = candidateOf(query.model, prices, Date.now(), new Map());
    const model = splitModel(query.model)?.model ?? query.model;
    return { supposed: { kind: "model", priceAt: (at) => prices.find(provider, model, at) }, assumes: [`${query.model} would have used the same numbers of tokens; every model counts its own.`, "Its price is the one of each request's day."] };
  }
  if (query.batch !== undefined) {
    return { supposed: { kind: "batch", permille: permilleOf(query.batch.payShare, "batch.payShare") }, assumes: ["Every answered request could have waited for a batch."] };
  }
  const priceOf = (entry: { provider: string; upstreamModel: string; at: number }): ReturnType<PriceBook["find"]> => prices.find(entry.provider, entry.upstreamModel, entry.at);
  if (query.caching !== undefined && query.caching !== true) {
    const permille = permilleOf(query.caching.share, "caching.share");
    return { supposed: { kind: "caching", permilleOf: () => permille, priceOf }, assumes: [`${permille / 10} % of the plain input would have been read from the provider's cache; writing it there is not counted.`] };
  }
  const shown = new Map((await analyzer.costByModel(query)).filter((row) => row.cachedTokens > 0 && row.inputTokens > 0).map((row) => [row.model, Math.floor((row.cachedTokens * 1_000) / row.inputTokens)]));
  return { supposed: { kind: "caching", permilleOf: (model) => shown.get(model), priceOf }, assumes: ["The plain input would have been cached as often as each model's input was in this period; models that showed no cached input keep their cost."] };
}

function permilleOf(share: unknown, param: string): number {
  return Math.round(checkShare(share, param) * 1_000);
}

function changeOf({ requests, before, after }: WhatIfSums): Change {
  return {
    requests, before: usdNumber(before), beforeExact: formatNanoUsd(before), after: usdNumber(after), afterExact: formatNanoUsd(after),
    saved: usdNumber(before - after), savedExact: formatNanoUsd(before - after),
  };
}
