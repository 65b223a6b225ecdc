// A budget for the whole program. LiteLLM: `litellm.max_budget = 0.001`.
import tollgate, { BudgetExceededError, completion } from "tollgate";
import { compare, sum } from "tollgate/money";

tollgate.maxBudget = 0.001;

let spent = "0";
let refusal: BudgetExceededError | undefined;
for (let call = 0; call < 1_000 && refusal === undefined; call += 1) {
  try {
    const { cost } = await completion({ model: "gpt-3.5-turbo", messages: [{ role: "user", content: `Hello, number ${call}` }] });
    spent = sum(spent, cost.total);
  } catch (error) {
    // Refused before anything was sent: the budget is not passed, not even by the last call.
    refusal = BudgetExceededError.from(error);
    if (refusal === undefined) throw error;
  }
}
console.log(`Spent $${spent} of $0.001, ${compare(spent, "0.001") <= 0 ? "never more" : "and more"}`);
console.log(`${refusal?.code}: $${refusal?.currentCost} of $${refusal?.maxBudget}`);
