import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

const FOLDER = new URL("../../docs/sdk/", import.meta.url);
const run = promisify(execFile);
/** What snippets leave behind is gone with it. */
const folder = mkdtempSync(join(tmpdir(), "tollgate-sdk-docs-"));
symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(folder, "node_modules"));
let provider: MockProvider;

beforeAll(async () => {
  provider = await startMockProvider();
});

afterAll(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

const snippets = [...readdirSync(FOLDER).filter((name) => name.endsWith(".md")), "../../README.md"]
  .flatMap((name) => [...readFileSync(new URL(name, FOLDER), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map((match, at) => [name, at + 1, match[1] ?? ""] as const));

test("there are snippets to run", () => {
  expect(snippets.length).toBeGreaterThan(8);
});

test.each(snippets)("docs/sdk/%s, snippet %i runs as it stands", async (_name, _number, code) => {
  const source = (path: string): string => JSON.stringify(fileURLToPath(new URL(`../../src/${path}.ts`, import.meta.url)));
  const script = code.replaceAll('"tollgate/money"', source("money")).replaceAll('"tollgate/openai"', source("openai")).replaceAll('"tollgate"', source("index"));
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module-typescript", "-e", script], {
    cwd: folder,
    env: { PATH: process.env["PATH"], OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${provider.url}/v1` },
  });
  expect(stderr).toBe("");
  if (code.includes("console.log")) expect(stdout).not.toBe("");
});
