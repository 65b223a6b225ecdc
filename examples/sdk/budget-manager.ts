// A budget for each user. LiteLLM: `BudgetManager(project_name=..., client_type="hosted")`.
import { BudgetManager } from "tollgate";

// In a file of this machine; with TOLLGATE_URL, of a running gateway.
const url = process.env["TOLLGATE_URL"];
const budgets = new BudgetManager(url === undefined ? { projectName: "my-project" } : { projectName: "my-project", clientType: "hosted", apiBase: url });

if (!(await budgets.isValidUser("user-123"))) {
  await budgets.createBudget({ totalBudget: 10, user: "user-123", duration: "monthly" });
}

// Asks, calls and counts in one step: two programs that ask at the same time cannot both spend the last cent.
const response = await budgets.completion({ user: "user-123", model: "gpt-4o-mini", messages: [{ role: "user", content: "Hey" }] });

console.log(`This call: $${response.cost.total}`);
console.log(`user-123: $${await budgets.getCurrentCost("user-123")} of $${await budgets.getTotalBudget("user-123")}`);
await budgets.close();
