// The same with a call of your own in the middle, as in LiteLLM: ask, call, `update_cost`. A check that comes before the
// call can be passed by several calls at once; `budgets.completion` and `budgets.reserve` cannot.
import { BudgetManager, completion } from "tollgate";

const budgets = new BudgetManager({ projectName: "my-project" });
const user = "user-456";
const messages = [{ role: "user" as const, content: "Hey" }];

if (!(await budgets.isValidUser(user))) await budgets.createBudget({ totalBudget: 10, user, duration: "monthly" });

const projected = await budgets.projectedCost({ model: "gpt-3.5-turbo", messages, user, maxTokens: 100 });
console.log("projected:", projected);

if ((await budgets.getCurrentCost(user)) <= (await budgets.getTotalBudget(user))) {
  const response = await completion({ model: "gpt-3.5-turbo", messages });
  await budgets.updateCost({ user, response });
  await budgets.updateCost({ user, response }); // the same response counts once
  console.log(`counted once: ${(await budgets.getCurrentCost(user)) === response.cost.totalUsd}`);
}

// A hard cap around a call of your own: the money is held before the call.
const hold = await budgets.reserve({ user, model: "gpt-3.5-turbo", messages, maxTokens: 100 });
const response = await completion({ model: "gpt-3.5-turbo", messages, max_tokens: hold.outputCap ?? 100 });
await hold.settle(response);
console.log(`by model: ${JSON.stringify(await budgets.getModelCost(user))}`);
await budgets.close();
