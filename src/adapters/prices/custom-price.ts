import { TollgateError } from "../../base/errors.ts";
import type { Price } from "../../domain/pricing/price.ts";
import { RateCollector, rateField, readRate, SUPPORTED_FIELDS, UNSUPPORTED_FIELDS } from "./litellm-fields.ts";

/** Every LiteLLM price field that a deployment may carry; those in `UNSUPPORTED_PRICE_FIELDS` have no function yet. */
export const CUSTOM_PRICE_FIELDS: readonly string[] = [...SUPPORTED_FIELDS, ...UNSUPPORTED_FIELDS];

/** Price fields that are known and not priced: whoever reads a configuration reports them, never ignores them. */
export const UNSUPPORTED_PRICE_FIELDS: readonly string[] = UNSUPPORTED_FIELDS;

/**
 * The price in a deployment's configuration. An explicit 0 is a price of zero; a field that is absent is no rate, so
 * a price without `output_cost_per_token` leaves output unpriced.
 *
 * @param fields LiteLLM price fields (dollars per unit) as decimal text; other members are ignored
 * @param identity the deployment: its id names the price's version, `"config/<id>"`
 * @returns `undefined` if there is no price field
 * @throws TollgateError `config_invalid` with the field as `param`, for text that is no decimal number from zero up
 * @example readCustomPrice({ input_cost_per_token: "1.5e-7", output_cost_per_token: "6e-7" }, { id: "fast", provider: "openai", model: "gpt-4o-mini" })
 */
export function readCustomPrice(
  fields: Readonly<Record<string, string>>,
  identity: { readonly id: string; readonly provider: string; readonly model: string },
): Price | undefined {
  const collector = new RateCollector();
  for (const [name, text] of Object.entries(fields)) {
    const field = rateField(name);
    if (field === undefined) continue;
    const amount = readRate(text);
    if (amount === undefined) {
      throw new TollgateError("config_invalid", `${name} is ${JSON.stringify(text)}; it must be dollars per unit as a decimal number from 0 up, such as 0.00000015 or 1.5e-7.`, { param: name });
    }
    collector.add(field.dimension, field.aboveInputTokens, amount.rate);
  }
  if (collector.empty) return undefined;
  return { version: `config/${identity.id}`, provider: identity.provider, model: identity.model, rates: collector.rates, tiers: collector.tiers };
}
