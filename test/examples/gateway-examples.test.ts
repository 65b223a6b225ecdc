import { execFile, spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openExampleProject, type ExampleProject } from "../support/examples.ts";
import { ROOT } from "../support/packed.ts";
import { ended } from "../support/run-cli.ts";

const run = promisify(execFile);
let project: ExampleProject;
let gateway: ChildProcess | undefined;
let url: string;

/** The installed command line on the example's configuration, in the project's own folder. */
beforeAll(async () => {
  project = await openExampleProject();
  const child = spawn(process.execPath, [join(project.folder, "node_modules/.bin/tollgate"), "start", "--config", "examples/gateway/config.yaml", "--port", "0"], { cwd: project.folder, env: project.environment, stdio: ["ignore", "pipe", "pipe"] });
  gateway = child;
  const over = ended(child);
  url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      const found = /ready: (\S+)/.exec(chunk.toString())?.[1];
      if (found !== undefined) resolve(found);
    });
    void over.then(({ stderr }) => reject(new Error(stderr)));
  });
}, 240_000);

afterAll(async () => {
  if (gateway !== undefined) {
    const closed = new Promise((resolve) => gateway?.once("close", resolve));
    gateway.kill("SIGTERM");
    await closed;
  }
  await project?.close();
});

test("every example is known here", () => {
  expect(readdirSync(join(ROOT, "examples/gateway")).toSorted()).toEqual(["config.yaml", "end-user.ts", "keys.sh", "keys.ts"]);
});

interface KeyInfo {
  readonly info: { readonly max_budget: number | null; readonly budget_duration: string | null; readonly budget_limits: readonly { budget_duration: string; max_budget: number }[] | null; readonly rpm_limit: number | null };
}

async function infoOf(key: string): Promise<KeyInfo["info"]> {
  const master = readFileSync(join(project.folder, ".tollgate/master-key"), "utf8").trim();
  const response = await fetch(`${url}/key/info?key=${key}`, { headers: { authorization: `Bearer ${master}` } });
  return ((await response.json()) as KeyInfo).info;
}

/** The monthly key, and the one of a day and a month. */
async function expectBudgets(monthly: string, both: string): Promise<void> {
  expect(await infoOf(monthly)).toMatchObject({ max_budget: 10, budget_duration: "30d" });
  expect((await infoOf(both)).budget_limits).toEqual([expect.objectContaining({ budget_duration: "24h", max_budget: 10 }), expect.objectContaining({ budget_duration: "30d", max_budget: 100 })]);
}

test("examples/gateway/keys.sh makes a key with a month's budget and one with two windows", async () => {
  const { stdout } = await run("sh", [join(project.folder, "examples/gateway/keys.sh")], { cwd: project.folder, env: { ...project.environment, TOLLGATE_URL: url } });
  const [monthly, both] = stdout.trim().split("\n").map((line) => (JSON.parse(line) as { key: string }).key);
  await expectBudgets(monthly ?? "", both ?? "");
});

test("examples/gateway/keys.ts makes the same keys from a program", async () => {
  const { stdout } = await project.node("examples/gateway/keys.ts", { TOLLGATE_URL: url });
  const keys = [...stdout.matchAll(/: (sk-\S+)$/gm)].map((match) => match[1] ?? "");
  expect(keys.length).toBe(3);
  expect(stdout).toContain("$10 per 30d: sk-");
  await expectBudgets(keys[0] ?? "", keys[1] ?? "");
  expect((await infoOf(keys[2] ?? "")).rpm_limit).toBe(60);
});

test("examples/gateway/end-user.ts: each user is refused at its own budget, having spent at most $0.0001", async () => {
  const { stdout } = await project.node("examples/gateway/end-user.ts", { TOLLGATE_URL: url });
  const lines = [...stdout.matchAll(/^(user-\d+): \$(0\.\d+) in (\d+) requests, then (\d+) budget_exceeded$/gm)];
  expect(lines.map((line) => line[1])).toEqual(["user-123", "user-456"]);
  for (const [, , cost, requests] of lines) {
    expect(Number(cost)).toBeLessThanOrEqual(0.0001);
    expect(Number(cost)).toBeGreaterThan(0.00005);
    expect(Number(requests)).toBeGreaterThan(0);
  }
});

test("examples/sdk/budget-manager.ts keeps the budget in the gateway when it is told its address", async () => {
  const master = readFileSync(join(project.folder, ".tollgate/master-key"), "utf8").trim();
  const { stdout, stderr } = await project.node("examples/sdk/budget-manager.ts", { TOLLGATE_URL: url, TOLLGATE_MASTER_KEY: master });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^This call: \$(0\.\d+)\nuser-123: \$0\.\d+ of \$10\n$/);
});
