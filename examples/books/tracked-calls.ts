// Every call tracked as it is made, for the user who made it. The tutorial: `completion_with_cost_tracking`.
import { CostTracker } from "tollgate";

const tracker = new CostTracker({ path: "costs.db" });

for (const [user, model] of [["user123", "gpt-4"], ["user123", "gpt-3.5-turbo"], ["user456", "gpt-3.5-turbo"]] as const) {
  const response = await tracker.completion({ model, messages: [{ role: "user", content: "Write a TypeScript function" }], user });
  console.log(`${user} ${model}: $${response.cost.total}`);
}
await tracker.close();
