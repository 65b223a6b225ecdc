import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packedTollgate, ROOT } from "../support/packed.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";
import { plainEnvironment } from "../support/run-cli.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "tollgate-openai-"));
let provider: MockProvider;

beforeAll(async () => {
  const { project } = await packedTollgate();
  for (const openai of ["openai", "openai-6", undefined]) makeProject(openai ?? "none", join(project, "node_modules"), openai);
  provider = await startMockProvider();
}, 240_000);

afterAll(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The packed package as npm would install it beside one version of `openai`, or beside none; outside of the repository, whose own `openai` would be found. */
function makeProject(name: string, installed: string, openai: string | undefined): void {
  const modules = join(folder, name, "node_modules");
  mkdirSync(modules, { recursive: true });
  for (const entry of readdirSync(installed)) if (entry !== "tollgate" && !entry.startsWith(".")) symlinkSync(join(installed, entry), join(modules, entry));
  cpSync(join(installed, "tollgate"), join(modules, "tollgate"), { recursive: true });
  if (openai !== undefined) symlinkSync(join(ROOT, "node_modules", openai), join(modules, "openai"));
  writeFileSync(join(folder, name, "package.json"), '{ "type": "module" }');
}

async function program(name: string, code: string): Promise<unknown> {
  const path = join(folder, name, "program.mjs");
  writeFileSync(path, code);
  const { stdout } = await run(process.execPath, [path], { cwd: join(folder, name), env: plainEnvironment({ OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${provider.url}/v1` }) });
  return JSON.parse(stdout);
}

test.each(["openai", "openai-6"])("beside %s the import alone changes: calls are metered, budgets refuse, errors and helpers are the package's own", async (name) => {
  const before = provider.requests.length;
  expect(await program(name, `
    import OpenAI, { AzureOpenAI, OpenAI as Named, APIError, toFile } from "tollgate/openai";
    import Bare, { APIError as BareError } from "openai";
    import tollgate, { BudgetExceededError, track } from "tollgate";
    const costs = [];
    tollgate.successCallbacks = [(call) => costs.push(call.responseCost)];
    const client = new OpenAI();
    const call = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], max_tokens: 50 };
    const plain = await client.chat.completions.create(call);
    for await (const _ of await client.chat.completions.create({ ...call, stream: true }));
    await client.chat.completions.stream(call).finalChatCompletion();
    await track(client).chat.completions.create(call);
    await new AzureOpenAI({ apiKey: "k", endpoint: process.env.OPENAI_BASE_URL.slice(0, -3), apiVersion: "2024-10-21", baseURL: null }).chat.completions.create(call);
    await tollgate.flush();
    tollgate.maxBudget = 0;
    const error = await client.chat.completions.create(call).catch((caught) => caught);
    console.log(JSON.stringify([
      client instanceof Bare, Named === OpenAI, APIError === BareError, typeof toFile, plain.object, costs.length, costs.every((cost) => cost > 0),
      error instanceof APIError, error.status, BudgetExceededError.from(error)?.scope,
    ]));
  `)).toEqual([true, true, true, "function", "chat.completion", 5, true, true, 422, "process"]);
  expect(provider.requests.length - before).toBe(5);
});

test("without openai the rest of the package works, and the subpath says what is missing", async () => {
  expect(await program("none", `
    import { completion } from "tollgate";
    const { cost } = await completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], mockResponse: "Hi!" });
    const error = await import("tollgate/openai").catch((caught) => caught);
    console.log(JSON.stringify([cost.total, error.code, error.message.includes("'openai'")]));
  `)).toEqual(["0.0000135", "ERR_MODULE_NOT_FOUND", true]);
});
