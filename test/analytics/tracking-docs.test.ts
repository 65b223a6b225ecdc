import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

const run = promisify(execFile);
let provider: MockProvider;
let folder: string;
beforeAll(async () => {
  provider = await startMockProvider();
  folder = mkdtempSync(join(tmpdir(), "tollgate-tracking-docs-"));
});
afterAll(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

const snippets = [...readFileSync(new URL("../../docs/books/tracking.md", import.meta.url), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map((match, at) => [at + 1, match[1] ?? ""] as const);

test("there are snippets to run", () => {
  expect(snippets.length).toBeGreaterThan(4);
});

test.each(snippets)("docs/books/tracking.md, snippet %i runs as it stands, in one file with those before", async (_number, code) => {
  const script = code.replaceAll('"tollgate"', JSON.stringify(fileURLToPath(new URL("../../src/index.ts", import.meta.url))));
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module-typescript", "-e", script], {
    cwd: folder, timeout: 20_000, env: { PATH: process.env["PATH"], OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${provider.url}/v1` },
  });
  expect(stderr).toBe("");
  expect(stdout).not.toBe("");
});
