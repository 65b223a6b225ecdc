import type { Command } from "commander";
import { TollgateError } from "../../base/errors.ts";
import type { CostFilter, Dimension } from "../../domain/analytics/dimension.ts";

/** What every command that reads costs can be narrowed to, under the same names. */
export interface FilterOptions {
  readonly model?: string;
  readonly provider?: string;
  /** Whom calls were for. `customer`, as the gateway's API has it, is the same. */
  readonly user?: string;
  readonly customer?: string;
  /** Whose own budget was charged: the owner of a key without a team. */
  readonly internalUser?: string;
  readonly keyName?: string;
  readonly team?: string;
  readonly tag?: string;
}

/** What costs can be grouped by, as a command line writes it. */
export const DIMENSION_NAMES = {
  model: "model", provider: "provider", team: "team", key: "key", user: "user", customer: "user", "internal-user": "internalUser", tag: "tag",
} as const satisfies Record<string, Dimension>;

export function withFilter(command: Command): Command {
  return command.option("--model <name>", "only this model").option("--provider <name>", "only this provider")
    .option("--user <name>", "only calls for this user").option("--customer <name>", "the same, as the gateway's API calls a user").option("--internal-user <id>", "only what this owner of keys was charged")
    .option("--key-name <name>", "only this key, by alias or id").option("--team <name>", "only this team, by alias or id").option("--tag <name>", "only this tag");
}

/** @throws TollgateError `usage` */
export function filterOf({ model, provider, user, customer, internalUser, keyName, team, tag }: FilterOptions): CostFilter {
  if (user !== undefined && customer !== undefined && user !== customer) throw new TollgateError("usage", "--user and --customer are two names of one thing; give one of them.");
  const said = { model, provider, user: user ?? customer, internalUser, key: keyName, team, tag };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}
