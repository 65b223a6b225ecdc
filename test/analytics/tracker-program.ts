import { appendFileSync } from "node:fs";
import { CostTracker } from "../../src/app/books/cost-tracker.ts";
import { seededRandom } from "../support/seeded-random.ts";

// A program that tracks calls and logs answers of others into one file, as fast as it may, and notes what it was told.
// Usage: tracker-program.ts LEDGER LOG SEED MILLISECONDS
const [path, log, seed, duration] = process.argv.slice(2) as [string, string, string, string];
const random = seededRandom(Number(seed));
const tracker = new CostTracker({ path });
const until = Date.now() + Number(duration);
let sent = 0;

async function work(): Promise<void> {
  while (Date.now() < until) {
    if (random() < 0.5) {
      const { cost } = await tracker.completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], mockResponse: "Hi", user: `user-${Math.floor(random() * 5)}` });
      appendFileSync(log, `call ${cost.callId} ${cost.total}\n`);
    } else {
      // The same few answers in all programs: each may be posted once.
      const shared = Math.floor(random() * 200);
      const answer = { id: `chatcmpl-${shared}`, created: 1_790_000_000 + shared, model: "gpt-4o-mini", choices: [], usage: { prompt_tokens: 10 + shared, completion_tokens: 5, total_tokens: 15 + shared } };
      const { callId, total, posted } = await tracker.logCost(answer, { user: "shared" });
      appendFileSync(log, `${posted ? "posted" : "known"} ${callId} ${total}\n`);
    }
    sent += 1;
  }
}
await Promise.all(Array.from({ length: 4 }, work));
await tracker.close();
process.stdout.write(`${sent}\n`);
