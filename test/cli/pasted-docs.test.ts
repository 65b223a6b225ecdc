import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ended, plainEnvironment, startCli } from "../support/run-cli.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The start itself is done by the test, on a free port; this one needs an account. */
const NOT_PASTED = /^(?:npm start|OPENAI_API_KEY=\S+ npm start)$/;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What is between ```sh and ```, line by line. */
function commandsOf(document: string): string[] {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => (match[1] as string).trim().split("\n"));
}

test.each([
  ["README.md", 4, ["budget_exceeded", '"by":"key"', '"agree":true', '"by_team"']],
  ["docs/start.md", 8, ["x-litellm-response-cost", "x-tollgate-held", "budget_exceeded", '"team_alias":"Search"', "search-ranking", '"by":"team"', '"agree":true']],
  ["docs/cli.md", 3, ['"by":"model"', '"agree":true']],
] as const)("every command of %s works when it is pasted into a terminal in the checkout", { timeout: 120_000 }, async (document, least, parts) => {
  const checkout = mkdtempSync(join(tmpdir(), "tollgate-checkout-"));
  for (const name of ["src", "scripts", "node_modules", "package.json", "package-lock.json", "tollgate.example.yaml"]) symlinkSync(join(ROOT, name), join(checkout, name));
  const port = await freePort();
  const gateway = await startCli(".tollgate", { cwd: checkout, argv: ["--port", String(port)] });
  try {
    const commands = commandsOf(document).filter((line) => !NOT_PASTED.test(line)).map((line) => line
      .replaceAll("http://127.0.0.1:4000", gateway.url)
      .replace("demo --minutes 1 --port 4001", "demo --minutes 0.05 --port 0"));
    expect(commands.length).toBeGreaterThanOrEqual(least);
    const run = await ended(spawn("bash", ["-c", `set -e -o pipefail\n${commands.join("\necho\n")}`], { cwd: checkout, env: plainEnvironment(), stdio: ["ignore", "pipe", "pipe"] }));
    expect(run.code, run.stderr).toBe(0);
    for (const part of parts) expect(run.stdout).toContain(part);
  } finally {
    await gateway.stop();
    rmSync(checkout, { recursive: true, force: true });
  }
});
