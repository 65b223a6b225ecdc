import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { rolldown } from "rolldown";
import { beforeAll, expect, test } from "vitest";
import { packedTollgate, ROOT, type Packed } from "../support/packed.ts";
import { ended, plainEnvironment } from "../support/run-cli.ts";

const run = promisify(execFile);
const { version, exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string; exports: Record<string, unknown> };
let packed: Packed;

beforeAll(async () => {
  packed = await packedTollgate();
}, 240_000);

async function program(code: string, type: "module" | "commonjs" = "module"): Promise<unknown> {
  const { stdout } = await run(process.execPath, [`--input-type=${type}`, "-e", code], { cwd: packed.project, env: plainEnvironment() });
  return JSON.parse(stdout);
}

test("in an empty project the installed package is imported, and calls cost what they cost", async () => {
  expect(await program(`
    import tollgate, { completion, BudgetExceededError } from "tollgate";
    import { sum } from "tollgate/money";
    const call = { model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], mockResponse: "Hi!" };
    const { cost } = await completion(call);
    tollgate.maxBudget = cost.total;
    const refused = await completion(call).catch((error) => error);
    console.log(JSON.stringify([cost.total, sum(cost.total, cost.total), BudgetExceededError.isInstance(refused), refused.code]));
  `)).toEqual(["0.0000135", "0.000027", true, "budget_exceeded"]);
});

/** Subpaths that need an optional peer are imported where it is installed. */
const alone = Object.keys(exports).filter((name) => name !== "./package.json" && name !== "./openai");

test("every subpath is imported and required, by the same names", async () => {
  const names = alone.map((name) => `tollgate${name.slice(1)}`);
  const imported = await program(`console.log(JSON.stringify(await Promise.all(${JSON.stringify(names)}.map(async (name) => Object.keys(await import(name)).filter((key) => key !== "module.exports").toSorted()))))`);
  const required = await program(`console.log(JSON.stringify(${JSON.stringify(names)}.map((name) => Object.keys(require(name)).filter((key) => key !== "module.exports" && key !== "__esModule").toSorted())))`, "commonjs");
  expect(required).toEqual(imported);
  expect((imported as string[][]).every((keys) => keys.length > 0)).toBe(true);
});

test("importing the installed package starts nothing, opens nothing and makes no instance", async () => {
  expect(await program(`
    const before = process.getActiveResourcesInfo().length;
    await import("tollgate");
    console.log(JSON.stringify([process.getActiveResourcesInfo().length - before, Object.getOwnPropertySymbols(globalThis).includes(Symbol.for("tollgate@1"))]));
  `)).toEqual([0, false]);
});

test("npx tollgate runs the command line", async () => {
  const { stdout } = await run("npx", ["--no-install", "tollgate", "--help"], { cwd: packed.project, env: plainEnvironment() });
  expect(stdout).toContain("Usage: tollgate");
  expect((await run("npx", ["--no-install", "tollgate", "--version"], { cwd: packed.project, env: plainEnvironment() })).stdout.trim()).toBe(version);
});

test("tollgate start serves from the tarball, its threads too; the books agree afterwards", async () => {
  const data = mkdtempSync(join(tmpdir(), "tollgate-packed-"));
  const bin = join(packed.project, "node_modules/.bin/tollgate");
  const options = { cwd: packed.project, env: plainEnvironment() };
  const child = spawn(process.execPath, [bin, "start", "--port", "0", "--data", data], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const over = ended(child);
  try {
    const welcome = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes("spend --key")) resolve(text);
      });
      void over.then(({ stderr }) => reject(new Error(stderr)));
    });
    expect(welcome).toContain("npx tollgate keys create");
    const url = /ready: (\S+)/.exec(welcome)?.[1] ?? "";
    const key = readFileSync(join(data, "master-key"), "utf8").trim();
    const answer = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] }) });
    expect([answer.status, Number(answer.headers.get("x-litellm-response-cost")) > 0]).toEqual([200, true]);
  } finally {
    child.kill("SIGTERM");
    const { code } = await over;
    expect(code).toBe(0);
  }
  const audit = await run(process.execPath, [bin, "audit", "--data", data], options);
  expect(audit.stdout).toContain('"agree":true');
  const report = await run(process.execPath, [bin, "report", "--by", "model", "--data", data], options);
  expect(report.stdout).toContain("gpt-4o-mini");
  rmSync(data, { recursive: true, force: true });
});

/** What a bundler for browsers and edge workers makes of a line of code. */
async function bundled(code: string): Promise<{ readonly code: string; readonly bytes: number }> {
  const build = await rolldown({
    input: "entry", cwd: packed.project, platform: "node", external: /^node:/,
    plugins: [{ name: "entry", resolveId: (id) => (id === "entry" ? join(packed.project, "entry.js") : null), load: (id) => (id === join(packed.project, "entry.js") ? code : null) }],
  });
  const { output } = await build.generate({ format: "esm", minify: true });
  await build.close();
  const first = output[0].code;
  return { code: first, bytes: Buffer.byteLength(first) };
}

test("what a program does not use is not in its bundle", async () => {
  const nothing = await bundled('import "tollgate";');
  const errors = await bundled('import { BudgetExceededError } from "tollgate"; console.log(BudgetExceededError.isInstance(1));');
  const money = await bundled('import { sum } from "tollgate/money"; console.log(sum("0.1", "0.2"));');
  const calls = await bundled('import { completion } from "tollgate"; console.log(completion);');
  expect(nothing.bytes).toBeLessThan(100);
  expect(money.bytes).toBeLessThan(8_000);
  expect(errors.bytes).toBeLessThan(20_000);
  // The prices of all providers are the larger half of it.
  expect(calls.bytes).toBeLessThan(900_000);
  expect(calls.code.includes("node:sqlite")).toBe(false);
});
