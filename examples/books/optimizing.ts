// The cheapest model that is good enough, within a budget for the request. The tutorial: `CostOptimizer`.
import { CostOptimizer, CostTracker } from "tollgate";

const tracker = new CostTracker({ path: "costs.db" });
const optimizer = new CostOptimizer({
  tracker,
  models: ["openai/gpt-4", "openai/gpt-4-turbo", "openai/gpt-3.5-turbo"],
  // How good they are at your work is yours to say (or to measure: `recordOutcome`).
  scores: { "openai/gpt-4": 1, "openai/gpt-4-turbo": 0.8, "openai/gpt-3.5-turbo": 0.6 },
});

const { costExact } = await optimizer.estimateCost({ model: "openai/gpt-4", inputTokens: 1_000, outputTokens: 1_000 });
console.log(`1,000 tokens in and out of gpt-4: $${costExact}`);

const good = await optimizer.selectBestModel({ task: "research", inputTokens: 1_000, minQuality: 0.8 });
console.log(`Good enough for research: ${good.model}`);

const { model, response } = await optimizer.optimizeRequest({
  messages: [{ role: "user", content: "Write a simple function to reverse a string" }],
  task: "code generation",
  budget: 0.01, // dollars for this request; it cannot cost more
});
console.log(`Selected model: ${model}, cost: $${response.cost.total}`);
console.log(`Response: ${response.choices[0]?.message.content?.slice(0, 100)}`);
await tracker.close();
