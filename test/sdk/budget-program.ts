import { BudgetManager } from "../../src/app/budgets/budget-manager.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";

/** Spends one user's budget until it is refused for good. */
const [path = "", url = ""] = process.argv.slice(2);
const manager = new BudgetManager({ projectName: "program", path, defaults: { apiBase: `${url}/v1`, apiKey: "sk-test" } });
let told = false;

async function spend(): Promise<void> {
  for (;;) {
    try {
      await manager.completion({ user: "ann", model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], max_tokens: 80 });
      if (!told) process.send?.("spent");
      told = true;
    } catch (error) {
      if (BudgetExceededError.from(error)?.code === "budget_exceeded") return;
      throw error;
    }
  }
}

await Promise.all(Array.from({ length: 8 }, spend));
await manager.close();
process.disconnect?.();
