import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CLI, ended, plainEnvironment, runCli } from "../support/run-cli.ts";
import { startReceiver, type Receiver } from "../alerts/receiver.ts";
import { TestLedger, usd } from "./ledger.ts";

let ledger: TestLedger;
let receiver: Receiver;
beforeEach(async () => { ledger = new TestLedger(); receiver = await startReceiver(); });
afterEach(async () => { await receiver.close(); ledger.remove(); });

const monitor = (argv: readonly string[], env: Record<string, string> = {}) => runCli(["monitor", "--data", ledger.folder, ...argv], { cwd: ledger.folder, env });

function configured(text: string): string {
  const file = join(ledger.folder, "config.yaml");
  writeFileSync(file, text);
  return file;
}

test("--once: exit 0 without alerts, 3 with; one JSON document in a pipe", async () => {
  ledger.write([{ at: Date.now(), user: "ann", cost: usd(12) }]);
  const quiet = await monitor(["--once", "--daily-limit", "20"]);
  expect([quiet.code, (JSON.parse(quiet.stdout) as { alerts: unknown[] }).alerts, quiet.stderr]).toEqual([0, [], ""]);
  const loud = await monitor(["--once", "--daily-limit", "10", "--user-limit", "12.000000001", "--budget", "24/monthly", "--budget", "12/lifetime"]);
  expect(loud.code).toBe(3);
  expect((JSON.parse(loud.stdout) as { alerts: { kind: string; spentExact: string }[] }).alerts.map(({ kind, spentExact }) => `${kind} ${spentExact}`)).toEqual(["daily_limit 12", "budget 12", "budget 12"]);
});

test("tollgate.monitor of a configuration: limits, budgets, channels; secrets from the environment; sent once over two runs", async () => {
  ledger.write([{ at: Date.now(), user: "ann", cost: usd(12) }]);
  const file = configured(`
tollgate:
  monitor:
    user_limit: 10
    budgets:
      - { name: all, max_budget: 100, budget_duration: monthly, at: [10] }
    time_zone: Asia/Kathmandu
    channels:
      - { type: slack, url: os.environ/SLACK_URL }
      - { type: webhook, url: os.environ/SLACK_URL, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw }
`);
  const env = { SLACK_URL: `${receiver.url}/very-secret` };
  const first = await monitor(["--once", "--config", file], env);
  expect([first.code, first.stderr]).toEqual([3, ""]);
  expect(JSON.parse(first.stdout)).toMatchObject({ alerts: [{ kind: "user_limit" }, { kind: "budget" }], added: 4, sent: 4 });
  expect(JSON.parse((await monitor(["--once", "--config", file], env)).stdout)).toMatchObject({ added: 0, sent: 0 });
  expect(receiver.received.length).toBe(4);
  expect(first.stdout + first.stderr).not.toContain("very-secret");
});

test("problems of the configuration are told all at once, with their paths and without secrets", async () => {
  const file = configured(`
tollgate:
  monitor:
    daily_limit: -1
    daly_limit: 1
    budgets: [{ budget_duration: 0d, at: [0] }]
    channels: [{ type: slack, url: my-secret-token }, { type: pager }, { type: email, host: h, from: a@b.c, to: [], password: p }]
`);
  const { code, stderr } = await monitor(["--once", "--config", file]);
  expect(code).toBe(1);
  for (const path of ["config_invalid", "monitor.daily_limit", 'did you mean "daily_limit"', "budgets[0].max_budget", "budgets[0].budget_duration", "budgets[0].at", "channels[0].url", "channels[1].type", "channels[2].user"]) expect(stderr).toContain(path);
  expect(stderr).not.toContain("my-secret-token");
});

test.each<[readonly string[], number, string]>([
  [["--daily-limit", "-5"], 1, "invalid_amount: thresholds.dailyLimit"], [["--daily-limit", "NaN"], 1, "invalid_amount"], [["--time-zone", "Mars/Base"], 1, "invalid_time_zone"], [["--budget", "ten"], 2, "usage: --budget"],
  [["--every", "0"], 2, "usage: --every"], [["--config", "none.yaml"], 1, "config_unreadable"], [["--data", "nowhere"], 1, "not_found"], [["--url", "http://127.0.0.1:1", "--key", "sk-x"], 1, "gateway_unreachable"],
])("%j ends with exit %i and one sentence", async (argv, code, sentence) => {
  const run = await monitor(["--once", ...argv]);
  expect([run.code, run.stdout]).toEqual([code, ""]);
  expect(run.stderr).toContain(sentence);
});

test("watching: each alert once as a line of JSON, new ones as they come, SIGTERM ends it with exit 0", async () => {
  ledger.write([{ at: Date.now(), user: "ann", cost: usd(12) }]);
  const child = spawn(process.execPath, [CLI, "monitor", "--data", ledger.folder, "--daily-limit", "10", "--user-limit", "13", "--every", "1"], { cwd: ledger.folder, env: plainEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  const end = ended(child);
  const lines: string[] = [];
  const until = (count: number): Promise<void> => new Promise((resolve) => {
    const look = (): void => { if (lines.length >= count) resolve(); };
    child.stdout?.on("data", look);
    look();
  });
  child.stdout?.on("data", (chunk: Buffer) => lines.push(...chunk.toString().trim().split("\n")));
  await until(1);
  ledger.write([{ at: Date.now(), user: "ann", cost: usd(1) }]);
  await until(2);
  child.kill("SIGTERM");
  expect((await end).code).toBe(0);
  expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual(["daily_limit", "user_limit"]);
});
