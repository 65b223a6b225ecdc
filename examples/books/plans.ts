// Plans with a budget each. The tutorial: `BudgetManager` with `user_budgets` and `completion_with_budget_check`.
import { BudgetExceededError, BudgetManager, BudgetPlans } from "tollgate";

const budgets = new BudgetManager({ projectName: "plans" });
const plans = new BudgetPlans({ budgets, plans: { trial: "0.00001", free: 1, basic: 10, pro: 100, enterprise: Infinity }, defaultPlan: "free" });
await plans.assignPlan("user123", "basic");
await plans.assignPlan("user456", "trial");

for (const user of ["user123", "user456"]) {
  try {
    const response = await plans.completionWithBudgetCheck({ user, model: "gpt-4", messages: [{ role: "user", content: "Hello" }] });
    console.log(`${user}: request successful, $${response.cost.total}`);
  } catch (error) {
    if (!BudgetExceededError.isInstance(error)) throw error;
    console.log(`${user}: ${error.code}`); // nothing was sent
  }
  const { withinBudget, budget, spending, remaining } = await plans.checkBudget(user);
  console.log(`${user}: within budget: ${withinBudget}, $${spending} of $${budget}, $${remaining} left`);
}
await budgets.close();
