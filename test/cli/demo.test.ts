import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CLI, ended, plainEnvironment, runCli } from "../support/run-cli.ts";

interface Closing {
  readonly requests: number;
  readonly answered: number;
  readonly refused: Record<string, number>;
  readonly upstream_errors: number;
  readonly clients_left: number;
  readonly by_team: { cost_nano_usd: string; requests: number }[];
  readonly by_customer: { cost_nano_usd: string }[];
  readonly audit: { agree: boolean; entries: number; totalNanoUsd: string };
}

const sum = (rows: { cost_nano_usd: string }[]): string => rows.reduce((all, row) => all + BigInt(row.cost_nano_usd), 0n).toString();

test("the demo works in a pipe and without keys: one JSON document on stdout, progress on stderr, every grouping sums to the ledger", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-demo-"));
  try {
    const run = await runCli(["demo", "--minutes", "0.15", "--port", "0", "--data", folder, "--seed", "3"], { env: { OPENAI_API_KEY: "sk-would-cost-money" } });
    expect(run.stderr).toMatch(/requests: \d+/);
    expect(run.code).toBe(0);
    const closing = JSON.parse(run.stdout) as Closing;
    expect(closing.requests).toBeGreaterThan(15);
    const refused = Object.values(closing.refused).reduce((all, times) => all + times, 0);
    expect(closing.answered + refused + closing.upstream_errors + closing.clients_left).toBe(closing.requests);
    expect(closing.audit).toMatchObject({ agree: true, entries: closing.requests - refused });
    expect(sum(closing.by_team)).toBe(closing.audit.totalNanoUsd);
    expect(sum(closing.by_customer)).toBe(closing.audit.totalNanoUsd);
    // On the same books again: new teams and keys, and the audit holds.
    const again = JSON.parse((await runCli(["demo", "--minutes", "0.05", "--port", "0", "--data", folder])).stdout) as Closing;
    expect(again.audit.agree).toBe(true);
    expect(again.by_team.length).toBeGreaterThanOrEqual(closing.by_team.length);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("Ctrl-C in the middle of the demo leaves clean books, its closing report and exit 0", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-demo-"));
  try {
    const child = spawn(process.execPath, [CLI, "demo", "--minutes", "5", "--port", "0", "--data", folder], { env: plainEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
    const run = ended(child);
    await new Promise<void>((resolve) => child.stderr.once("data", () => setTimeout(resolve, 2_000)));
    child.kill("SIGINT");
    const { code, stdout } = await run;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ audit: { agree: true } });
    expect(existsSync(join(folder, "gateway.json"))).toBe(false);
    expect(JSON.parse((await runCli(["audit", "--data", folder])).stdout)).toMatchObject({ agree: true, counters: "offline" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
