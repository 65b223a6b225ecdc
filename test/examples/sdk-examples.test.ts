import { execFile } from "node:child_process";
import { cpSync, readdirSync, symlinkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openExampleProject, type ExampleProject } from "../support/examples.ts";
import { ROOT } from "../support/packed.ts";

let project: ExampleProject;

beforeAll(async () => {
  project = await openExampleProject();
}, 240_000);

afterAll(() => project?.close());

/** What each example of `examples/sdk` says, in order. */
const SAID: Readonly<Record<string, readonly RegExp[]>> = {
  "cost-callback.ts": [/^Request cost: \$(0\.\d+)\nThe answer says the same: \$\1\n$/],
  "max-budget.ts": [/^Spent \$0\.000[89]\d* of \$0\.001, never more$/m, /^budget_exceeded: \$0\.000[89]\d* of \$0\.001$/m],
  "basic-cost-tracking.ts": [/^Cost: \$(0\.\d+)$/m, /prompt_tokens: \d+/, /^ {2}\d+ × output: \$0\.\d+$/m, /^Cost: \$0?(\.\d+)[^]*^Again: \$0?\1$/m, /^1,000 in, 500 out: .*0\.03/m],
  "budget-manager.ts": [/^This call: \$(0\.\d+)\nuser-123: \$\1 of \$10\n$/],
  "budget-manager-step-by-step.ts": [/projectedCost: 0\.\d+/, /^counted once: true$/m, /^by model: \{"[^"]*gpt-3\.5-turbo":0\.\d+\}$/m],
  "cost-database.ts": [/^gpt-4 \d+ \d+ 0\.\d+ user123 \S+\ngpt-4\S* \d+ \d+ 0\.\d+ user123 \{"feature":"greeting"\}\n$/],
  "callbacks.ts": [/^pre: gpt-3\.5-turbo, attempt 1$/m, /^logged: \$0\.\d+, cache hit: false, metadata: \{"feature":"search"\}$/m, /^success: (?:1?\d|20) tokens out$/m, /^failed: gpt-3\.5-turbo, lost: nothing$/m, /^failure: .*budget/m],
};

test("every example is known here", () => {
  expect(readdirSync(join(ROOT, "examples/sdk")).toSorted()).toEqual(Object.keys(SAID).toSorted());
});

test.each(Object.entries(SAID))("examples/sdk/%s runs in an empty project with the packed package", async (name, patterns) => {
  const { stdout, stderr } = await project.node(`examples/sdk/${name}`);
  expect(stderr).toBe("");
  for (const pattern of patterns) expect(stdout).toMatch(pattern);
});

test("every example is right about its types, as the package declares them", async () => {
  const folder = join(project.folder, "typed");
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules/@types"), join(folder, "node_modules/@types"));
  symlinkSync(join(project.folder, "node_modules/tollgate"), join(folder, "node_modules/tollgate"));
  cpSync(join(ROOT, "examples"), join(folder, "examples"), { recursive: true });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({
    compilerOptions: { target: "es2024", module: "nodenext", types: ["node"], strict: true, noUncheckedIndexedAccess: true, erasableSyntaxOnly: true, noEmit: true },
    include: ["examples"],
  }));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]).catch((error: { stdout: string }) => error);
  expect(stdout).toBe("");
});
