import type { Place } from "../../surfaces/cli/program.ts";
import { CostAnalyzer } from "../books/cost-analyzer.ts";
import { findGateway } from "./find-gateway.ts";

/** Over the gateway where `place` has a URL, else over the ledger's file. @throws TollgateError `usage` */
export function analyzerOf(place: Place, timeZone?: string): CostAnalyzer {
  const zone = timeZone === undefined ? {} : { timeZone };
  if (place.url === undefined) return new CostAnalyzer(place.data, zone);
  const { url, key } = findGateway(place);
  return new CostAnalyzer(url, { apiKey: key, ...zone });
}
