import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));
/** `import … from`, `export … from` and `import "…"` that stay at run time; a dynamic import is no static one. */
const STATIC = /^\s*(?:import|export)\b(?!\s+type\b)(?!\s*\()(?:[^"';]*?\bfrom)?\s*"([^"]+)"/gm;

/** Everything that importing a file loads, as package names, built-in modules and paths under `src`. */
function reachedFrom(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const [, name = ""] of readFileSync(path, "utf8").matchAll(STATIC)) {
      if (name.startsWith(".")) visit(join(dirname(path), name));
      else packages.add(name);
    }
  };
  visit(join(SRC, entry));
  return { files, packages };
}

/** Built in, open nothing when loaded, and are there in every Node of the last years. */
const HARMLESS = new Set(["node:async_hooks", "node:buffer", "node:crypto", "node:perf_hooks"]);

test.each(["index.ts", "money.ts"])("importing %s reaches no package and no node:sqlite, statically", (entry) => {
  const { files, packages } = reachedFrom(entry);
  expect([...files].every((path) => existsSync(path))).toBe(true);
  expect([...packages].filter((name) => !HARMLESS.has(name))).toEqual([]);
});

test("the reader of imports sees what the command line reaches", () => {
  const { packages } = reachedFrom("cli.ts");
  expect([...packages]).toEqual(expect.arrayContaining(["commander"]));
});

function inFreshProcess(script: string): Record<string, unknown> {
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", env: { PATH: process.env["PATH"] ?? "" } })) as Record<string, unknown>;
}

const INDEX = JSON.stringify(join(SRC, "index.ts"));

test("importing the root starts nothing, opens nothing, makes no instance and reads no prices", () => {
  const found = inFreshProcess(`
    const before = process.getActiveResourcesInfo().length;
    let parsed = 0;
    const parse = JSON.parse;
    JSON.parse = (...all) => { parsed += 1; return parse(...all); };
    const { default: tollgate, BudgetExceededError } = await import(${INDEX});
    console.log(JSON.stringify({ started: process.getActiveResourcesInfo().length - before, parsed, made: Object.getOwnPropertySymbols(globalThis).includes(Symbol.for("tollgate@1")), instance: typeof tollgate.completion, error: typeof BudgetExceededError, madeNow: Object.getOwnPropertySymbols(globalThis).includes(Symbol.for("tollgate@1")) }));
  `);
  expect(found).toEqual({ started: 0, parsed: 0, made: false, instance: "function", error: "function", madeNow: true });
});

test("every copy of the module shares one default instance and knows the other's errors", () => {
  const found = inFreshProcess(`
    const a = await import(${INDEX});
    const b = await import(${JSON.stringify(`file://${join(SRC, "index.ts")}?copy`)});
    a.default.maxBudget = 0.001;
    const error = await b.completion({ model: "nobody", messages: [] }).catch((caught) => caught);
    console.log(JSON.stringify({ budget: b.default.maxBudget, same: a.default.completion === b.default.completion, known: a.TollgateError.isInstance(error), code: error.code }));
  `);
  expect(found).toEqual({ budget: 0.001, same: true, known: true, code: "unknown_model" });
});
