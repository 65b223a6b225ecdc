import { TollgateError } from "../../../base/errors.ts";
import { ask, type GatewayAddress } from "../gateway-client.ts";
import { CUSTOMERS, KEYS, LIMITED_CUSTOMER, TEAMS, type DemoKey } from "./office.ts";

export interface DemoKeyInUse extends DemoKey {
  readonly secret: string;
  /** As it is called in this run. */
  readonly name: string;
  readonly budget: number | undefined;
  readonly customerNames: readonly string[];
}

const RUNS_MAX = 1_000;

/** Makes teams, keys and a customer. A folder with earlier demos in it gets new ones, told apart by a number. */
export async function setUpOffice(gateway: GatewayAddress, minutes: number): Promise<readonly DemoKeyInUse[]> {
  const run = await firstTeam(gateway);
  const named = (name: string): string => (run === 1 ? name : `${name}-${run}`);
  for (const team of TEAMS.slice(1)) await ask(gateway, "/team/new", { team_id: named(team.id), team_alias: named(team.name), max_budget: team.budget, budget_duration: "30d" });
  await ask(gateway, "/customer/new", { user_id: named(LIMITED_CUSTOMER.id), max_budget: dollarsOf(LIMITED_CUSTOMER.budgetPerMinute, minutes) });
  const keys: DemoKeyInUse[] = [];
  for (const key of KEYS) {
    const budget = key.budgetPerMinute === undefined ? undefined : dollarsOf(key.budgetPerMinute, minutes);
    const { key: secret } = (await ask(gateway, "/key/generate", {
      key_alias: named(key.alias), team_id: named(key.team), ...(budget === undefined ? {} : { max_budget: budget }), ...(key.rpm === undefined ? {} : { rpm_limit: key.rpm }),
    })) as { key: string };
    keys.push({ ...key, secret, budget, name: named(key.alias), team: named(key.team), customerNames: key.customers === true ? CUSTOMERS.map(named) : [] });
  }
  return keys;
}

/** The number of this run in its data folder. */
async function firstTeam(gateway: GatewayAddress): Promise<number> {
  const [team] = TEAMS;
  for (let run = 1; run <= RUNS_MAX; run += 1) {
    const suffix = run === 1 ? "" : `-${run}`;
    try {
      await ask(gateway, "/team/new", { team_id: `${team?.id}${suffix}`, team_alias: `${team?.name}${suffix}`, max_budget: team?.budget, budget_duration: "30d" });
      return run;
    } catch (error) {
      if (!(error instanceof TollgateError) || error.code !== "already_exists") throw error;
    }
  }
  throw new TollgateError("already_exists", `The data folder holds ${RUNS_MAX} demos. Choose another with --data.`);
}

/** A tenth of a cent is exact enough for a demo's budget. */
function dollarsOf(perMinute: number, minutes: number): number {
  return Math.max(1, Math.round(perMinute * minutes * 1_000)) / 1_000;
}
