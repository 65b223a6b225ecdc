import { estimatingBook } from "../../adapters/prices/dearest.ts";
import { loadLitellmMap } from "../../adapters/prices/litellm-map.ts";
import { createPriceBook } from "../../adapters/prices/price-book.ts";
import type { PriceBook } from "../../domain/pricing/price.ts";
import { startSimulatedProvider, type SimulatedProviderOptions } from "../../surfaces/simulated/simulated-provider.ts";
import { createCatalogue } from "../catalogue.ts";
import type { Config } from "../config/config.ts";
import type { Environment } from "../config/load-config.ts";
import type { Closers } from "./closers.ts";

/** What can be called, at which prices; without any provider a simulated one is started. */
export async function openCatalogue(config: Config, env: Environment, simulation: SimulatedProviderOptions, closers: Closers): Promise<{ catalogue: ReturnType<typeof createCatalogue>; prices: PriceBook; simulated: boolean }> {
  const litellmMap = config.priceMap === undefined ? undefined : await loadLitellmMap(config.priceMap);
  const listed = createPriceBook(litellmMap === undefined ? {} : { litellmMap });
  const prices = config.unpriced === "estimate" ? estimatingBook(listed) : listed;
  const simulated = config.simulated === "always" || (config.simulated === "auto" && config.models.length === 0) ? await startSimulatedProvider(simulation) : undefined;
  if (simulated !== undefined) closers.add(() => simulated.close());
  const simulatedUrl = simulated === undefined ? undefined : `${simulated.url}/v1`;
  return { catalogue: createCatalogue({ config, book: prices, env, simulatedUrl }), prices, simulated: simulated !== undefined };
}
