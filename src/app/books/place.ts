import { GatewayCosts } from "../../adapters/costs/gateway/gateway-costs.ts";
import { TollgateError } from "../../base/errors.ts";
import type { CostSource } from "../../domain/analytics/source.ts";

export function isUrl(place: string): boolean {
  return /^https?:\/\//i.test(place);
}

/**
 * Opens the costs at a gateway's URL, in a ledger's file or in a gateway's data folder, to read.
 * @throws TollgateError `not_found`, `ledger_unreadable`, `ledger_newer`, `missing_key`, `config_invalid`
 */
export async function openPlace(place: string, apiKey?: string): Promise<CostSource> {
  // Only who reads a file loads what reads files.
  if (!isUrl(place)) return (await import("./open-costs.ts")).openCosts(place);
  if (!URL.canParse(place)) throw new TollgateError("config_invalid", `${JSON.stringify(place.slice(0, 200))} is no address. Give a gateway's, such as "http://127.0.0.1:4000".`);
  const key = apiKey ?? process.env["TOLLGATE_MASTER_KEY"]?.trim();
  if (key === undefined || key === "") throw new TollgateError("missing_key", "The books of a gateway are open to its master key: pass apiKey, or set TOLLGATE_MASTER_KEY.", { param: "apiKey" });
  return new GatewayCosts({ url: place, key });
}
