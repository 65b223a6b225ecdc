import { formatNanoUsd } from "../../base/money.ts";
import type { Waste, WasteSums } from "../../domain/optimizer/waste.ts";
import { usdNumber } from "../../surfaces/sdk/amounts.ts";
import type { Amount, WasteReport } from "./optimizer-types.ts";

/** The findings in dollars. */
export function wasteReport(waste: Waste): WasteReport {
  const byStatus = [...waste.failed].map(([status, sums]) => ({ status, ...amountOf(sums) })).sort((a, b) => b.cost - a.cost || (a.status < b.status ? -1 : 1));
  const failed = [...waste.failed.values()].reduce((sum, one) => ({ requests: sum.requests + one.requests, cost: sum.cost + one.cost }), { requests: 0, cost: 0n });
  return {
    total: amountOf(waste.total),
    failedCalls: { ...amountOf(failed), byStatus },
    retries: amountOf(waste.retries),
    clientsThatLeft: amountOf(waste.left),
    unusedHolds: [...waste.holds]
      .map(([model, { requests, held, cost }]) => ({ model, requests, heldExact: formatNanoUsd(held), usedExact: formatNanoUsd(cost), usedShare: held > 0n ? usdNumber(cost) / usdNumber(held) : null }))
      .sort((a, b) => (a.usedShare ?? 2) - (b.usedShare ?? 2) || (a.model < b.model ? -1 : 1)),
    repeatedPrompts: waste.fingerprinted === 0
      ? { known: false, reason: "No request of this period carries a fingerprint of its prompt; add fingerprintPrompts() to inputCallbacks to have them recorded." }
      : { known: true, ...amountOf(waste.repeated), fingerprinted: waste.fingerprinted, complete: !waste.fingerprintsForgotten },
  };
}

function amountOf({ requests, cost }: WasteSums): Amount {
  return { requests, cost: usdNumber(cost), costExact: formatNanoUsd(cost) };
}
