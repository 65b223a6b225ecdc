// What every call cost, in a database. LiteLLM's tutorial builds one by hand: `CostTracker(db_path="costs.db")`, `log_cost`.
import { completion, CostTracker } from "tollgate";

const costTracker = new CostTracker({ path: "costs.db" });

// Calls through the tracker are in the database by themselves, even if the program is killed.
await costTracker.completion({ model: "gpt-4", messages: [{ role: "user", content: "Write a TypeScript function" }], user: "user123" });

// An answer from elsewhere is logged once, however often it is given.
const response = await completion({ model: "gpt-4", messages: [{ role: "user", content: "Hello" }] });
await costTracker.logCost(response, { user: "user123", metadata: { feature: "greeting" } });

for await (const entry of costTracker.entries({ days: 30, order: "oldest" })) {
  console.log(entry.model, entry.inputTokens, entry.outputTokens, entry.costExact, entry.user, JSON.stringify(entry.metadata));
}
await costTracker.close();
