// The same as keys.sh, from a program.
import { readFileSync } from "node:fs";

const url = process.env["TOLLGATE_URL"] ?? "http://127.0.0.1:4000";
const masterKey = process.env["TOLLGATE_MASTER_KEY"] ?? readFileSync(".tollgate/master-key", "utf8").trim();

async function generateKey(settings: object): Promise<{ key: string; max_budget: number | null; budget_duration: string | null }> {
  const response = await fetch(`${url}/key/generate`, {
    method: "POST",
    headers: { authorization: `Bearer ${masterKey}`, "content-type": "application/json" },
    body: JSON.stringify(settings),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Awaited<ReturnType<typeof generateKey>>;
}

const monthly = await generateKey({ max_budget: 10, budget_duration: "30d" });
console.log(`$${monthly.max_budget} per ${monthly.budget_duration}: ${monthly.key}`);

const both = await generateKey({
  budget_limits: [
    { budget_duration: "24h", max_budget: 10 },
    { budget_duration: "30d", max_budget: 100 },
  ],
});
console.log(`$10 per 24h and $100 per 30d: ${both.key}`);

// Limits of rate, and of one model's spend, are given the same way.
const limited = await generateKey({ tpm_limit: 100_000, rpm_limit: 60, max_parallel_requests: 5, model_max_budget: { "gpt-4o-mini": { max_budget: 1, budget_duration: "24h" } } });
console.log(`60 requests and 100,000 tokens a minute: ${limited.key}`);
