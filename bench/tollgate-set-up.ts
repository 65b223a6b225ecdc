// Tollgate as somebody would run it who means it: one priced model, and a key under budgets on four levels with request and
// token limits, all wide enough never to refuse.
import { MODEL } from "./traffic.ts";

const WIDE_BUDGET = 1_000_000;
const WIDE_REQUESTS = 100_000_000;
const WIDE_TOKENS = 1_000_000_000_000;

export function tollgateConfig(upstream: string): string {
  return [
    "model_list:",
    `  - model_name: ${MODEL}`,
    "    litellm_params:",
    `      model: openai/${MODEL}`,
    `      api_base: ${upstream}/v1`,
    "      api_key: simulated",
    "litellm_settings:",
    `  max_budget: ${WIDE_BUDGET}`,
    "  budget_duration: 30d",
    "",
  ].join("\n");
}

/** Makes team, user, member and key through the management API. @returns the key */
export async function setUpTollgate(origin: string, masterKey: string): Promise<string> {
  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(origin + path, {
      method: "POST", headers: { authorization: `Bearer ${masterKey}`, "content-type": "application/json" }, body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const limits = { rpm_limit: WIDE_REQUESTS, tpm_limit: WIDE_TOKENS };
  const user = `bench-${Date.now()}`;
  const team = await post("/team/new", { team_alias: user, max_budget: WIDE_BUDGET, ...limits });
  const teamId = String(team["team_id"]);
  await post("/user/new", { user_id: user, max_budget: WIDE_BUDGET });
  await post("/team/member_add", { team_id: teamId, member: { role: "user", user_id: user }, max_budget_in_team: WIDE_BUDGET });
  const key = await post("/key/generate", { team_id: teamId, user_id: user, max_budget: WIDE_BUDGET, budget_duration: "30d", ...limits });
  return String(key["key"]);
}

/** @returns what the key has spent, as a sentence. Throws if nothing was charged: then the bench would measure a gate that is off. */
export async function spendOfKey(origin: string, masterKey: string, key: string): Promise<string> {
  const response = await fetch(`${origin}/key/info?key=${encodeURIComponent(key)}`, { headers: { authorization: `Bearer ${masterKey}` } });
  const text = await response.text();
  const spend = /"spend":\s*"?([0-9.eE+-]+)/.exec(text)?.[1];
  if (!response.ok || spend === undefined || !(Number(spend) > 0)) throw new Error(`Nothing was charged to the key; /key/info answered ${response.status}: ${text}`);
  return `charged $${spend} to its key`;
}
