// The same question is bought once. The tutorial's fourth practice: avoid redundant requests for the same content.
import { CostAnalyzer, CostTracker, SqliteCache } from "tollgate";

// In a file, so that the next run of this program has the answers, too.
const cache = new SqliteCache({ path: "answers.db", ttlSeconds: 86_400 });
const tracker = new CostTracker({ path: "cached/costs.db", cache });

for (const user of ["user123", "user456", "user123"]) {
  const { cost } = await tracker.completion({
    model: "openai/gpt-3.5-turbo",
    messages: [{ role: "user", content: "What is the capital of France?" }],
    user,
  });
  console.log(cost.saved === undefined ? `${user} bought it for $${cost.total}` : `${user} had it for $${cost.total}, saved $${cost.saved}`);
}

const { requests, cacheHits, costExact, savedExact } = await new CostAnalyzer(tracker).total({ days: 30 });
console.log(`${cacheHits} of ${requests} requests from the cache: $${costExact} spent, $${savedExact} saved`);
await tracker.close();
await cache.close();
