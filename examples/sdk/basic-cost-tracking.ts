// The cost of one answer. LiteLLM: `completion_cost`, `response._hidden_params["response_cost"]`.
import { completion, completionCost, costPerToken } from "tollgate";

const response = await completion({ model: "gpt-4", messages: [{ role: "user", content: "Explain machine learning in simple terms" }] });

console.log(`Cost: $${response.cost.total}`);
console.log("Usage:", response.usage);
for (const { dimension, quantity, total } of response.cost.lines) console.log(`  ${quantity} × ${dimension}: $${total}`);

// From the answer alone, or from counts: no call is made.
console.log(`Again: $${completionCost(response)}`);
console.log("1,000 in, 500 out:", costPerToken({ model: "gpt-4", promptTokens: 1_000, completionTokens: 500 }));
