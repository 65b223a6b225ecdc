import { join } from "node:path";
import { CostTracker, SqliteCache } from "../../src/index.ts";
import { seededRandom } from "../support/seeded-random.ts";

/** Asks what others have asked, too, until it is killed; says each answer that it had from the cache. */
const [folder = "", seed = "1"] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const tracker = new CostTracker({ path: join(folder, "ledger.db"), cache: new SqliteCache({ path: join(folder, "cache.db"), maxEntries: 20 }) });
for (;;) {
  await Promise.all(Array.from({ length: 1 + Math.floor(random() * 4) }, async () => {
    const question = String(Math.floor(random() * 40));
    const { choices, cost } = await tracker.completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: question }], mockResponse: `answer ${question}`, user: `u-${question}` });
    if (choices[0]?.message.content !== `answer ${question}`) throw new Error(`wrong answer to ${question}`);
    process.stdout.write(cost.saved === undefined ? "bought\n" : "hit\n");
  }));
}
