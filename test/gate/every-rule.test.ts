import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { expect, test } from "vitest";

/** `- **4.6** The message …`, `| **4.1** | …` and a second rule in one line, as docs/gate.md writes its rules. */
const RULE = /\*\*(\d+\.\d+)\*\*/g;
/** The first argument of a call, where it is text: titles of tests, and of groups of tests, stand there. */
const TITLE = /\((["'`])((?:\\.|(?!\1)[^\\\n])*)\1/g;
/** "GATE 4.1, 4.6: …" anywhere in a title, or the numbers alone at its beginning. */
const QUOTED = /(?:GATE |^)(\d+\.\d+(?:, \d+\.\d+)*)(?=[:;,) ])/g;

/** Rules of what ARCHITECTURE.md, section 11, says is not built. Each goes from here with the code that keeps it. */
const NOT_BUILT: readonly string[] = [];

async function quotedRules(): Promise<Map<string, string>> {
  const quoted = new Map<string, string>();
  for await (const path of glob("test/**/{*.test,conformance}.ts")) {
    for (const [, , title] of readFileSync(path, "utf8").matchAll(TITLE)) {
      for (const [, numbers] of title!.matchAll(QUOTED)) for (const number of numbers!.split(", ")) quoted.set(number, `${path}: ${title}`);
    }
  }
  return quoted;
}

test("each rule of docs/gate.md is quoted in the title of a test, and no title quotes a rule that is not there", async () => {
  const rules = [...readFileSync("docs/gate.md", "utf8").matchAll(RULE)].map(([, number]) => number!);
  const quoted = await quotedRules();
  expect(rules.length).toBeGreaterThan(50);
  expect(rules.filter((rule) => !quoted.has(rule) && !NOT_BUILT.includes(rule)), "rules without a test").toEqual([]);
  expect([...quoted].filter(([number]) => !rules.includes(number)), "titles that quote no rule").toEqual([]);
});
