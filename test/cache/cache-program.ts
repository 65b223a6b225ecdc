import { SqliteCache } from "../../src/adapters/cache/sqlite/sqlite-cache.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { answerOf, keyOf, NOW } from "./conformance.ts";

/** Keeps and reads answers until it is killed; says how many it has read, and ends badly if one was another key's. */
const [path = "", seed = "1"] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const cache = new SqliteCache({ path, maxBytes: 300_000, maxEntries: 40 });
let read = 0;
for (let step = 0; ; step += 1) {
  const key = keyOf(Math.floor(random() * 60));
  const found = await cache.get(key, NOW + step);
  if (found !== undefined) {
    const text = new TextDecoder().decode(found.body);
    const [name, length = "0"] = text.split(":", 2);
    if (name !== key || text.length !== Number(length)) {
      process.stdout.write(`wrong ${key} ${text.slice(0, 100)}\n`);
      process.exit(1);
    }
    read += 1;
  } else {
    const length = 100 + Math.floor(random() * 20_000);
    const head = `${key}:${length}:`;
    try {
      await cache.set(key, answerOf(head + "x".repeat(length - head.length), { storedAt: NOW, expiresAt: null }), NOW + step);
    } catch (error) {
      if (!(error as Error).message.includes("locked")) throw error;
    }
  }
  if (step % 50 === 0) process.stdout.write(`read ${read}\n`);
}
