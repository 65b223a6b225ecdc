// Budgets of end users need no keys: each `user` of a request has the one of `max_end_user_budget` (config.yaml).
import { readFileSync } from "node:fs";

const url = process.env["TOLLGATE_URL"] ?? "http://127.0.0.1:4000";
const key = process.env["TOLLGATE_MASTER_KEY"] ?? readFileSync(".tollgate/master-key", "utf8").trim();

/** Asks until the user's budget refuses. */
async function spend(user: string): Promise<void> {
  let cost = 0;
  for (let request = 0; request < 1_000; request += 1) {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o-mini", user, messages: [{ role: "user", content: `Hello, number ${request}` }] }),
    });
    const body = (await response.json()) as { error?: { tollgate_code: string } };
    if (response.ok) {
      cost += Number(response.headers.get("x-litellm-response-cost"));
      continue;
    }
    console.log(`${user}: $${cost.toFixed(7)} in ${request} requests, then ${response.status} ${body.error?.tollgate_code}`);
    return;
  }
}

await spend("user-123");
await spend("user-456"); // has a budget of its own
