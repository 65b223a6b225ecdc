import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startCli, type StartedGateway } from "../support/run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "tollgate-optimize-"));
let gateway: StartedGateway;
let master: string;
beforeAll(async () => {
  gateway = await startCli(folder);
  master = readFileSync(join(folder, "master-key"), "utf8").trim();
  await runCli(["spend", "--data", folder, "--key", master, "--requests", "3", "--model", "gpt-4o"]);
});
afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

const json = async (argv: readonly string[]): Promise<Record<string, unknown>> => {
  const run = await runCli(argv);
  expect(run).toMatchObject({ code: 0, stderr: "" });
  return JSON.parse(run.stdout) as Record<string, unknown>;
};

test("what-if: before is what the ledger says, from the file and from the gateway alike; the same model saves nothing", async () => {
  const report = await json(["report", "--url", gateway.url, "--key", master]) as { total: { cost_usd: string } };
  const same = await json(["optimize", "what-if", "--model", "openai/gpt-4o", "--url", gateway.url, "--key", master]);
  expect(same).toMatchObject({ requests: 3, beforeExact: report.total.cost_usd });
  const cheaper = await json(["optimize", "what-if", "--model", "openai/gpt-4o-mini", "--data", folder]);
  expect(cheaper["beforeExact"]).toBe(report.total.cost_usd);
  expect(await json(["optimize", "what-if", "--model", "openai/gpt-4o-mini", "--url", gateway.url, "--key", master])).toEqual(cheaper);
  expect(await json(["optimize", "what-if", "--batch", "1", "--data", folder])).toMatchObject({ savedExact: "0" });
  expect(await json(["optimize", "what-if", "--caching", "--data", folder])).toHaveProperty("assumes");
});

test("waste: answered calls are none", async () => {
  expect(await json(["optimize", "waste", "--data", folder])).toMatchObject({ total: { requests: 3 }, failedCalls: { requests: 0 }, retries: { requests: 0 } });
});

test("cheapest: the cheaper model of two, and none where the budget holds neither", async () => {
  const asked = ["optimize", "cheapest", "--models", "openai/gpt-4o,openai/gpt-4o-mini", "--input-tokens", "1000", "--max-output-tokens", "100"];
  // 1,000 x $0.15 and 100 x $0.60 per million.
  expect(await json(asked)).toMatchObject({ model: "openai/gpt-4o-mini", estimatedCostExact: "0.00021", alternatives: [{ model: "openai/gpt-4o" }] });
  const none = await runCli([...asked, "--budget", "0.0001"]);
  expect(none).toMatchObject({ code: 1, stdout: "" });
  expect(none.stderr).toMatch(/^no_model_fits: /);
});

test("cheapest without models: of the whole price list", async () => {
  const answer = await json(["optimize", "cheapest", "--input-tokens", "1000"]) as { estimatedCostExact: string; alternatives: unknown[] };
  expect(Number(answer.estimatedCostExact)).toBeGreaterThan(0);
  expect(answer.alternatives.length).toBeGreaterThan(1_000);
});

test.each([
  [["what-if"], 1, "supposes one thing"], [["what-if", "--batch", "2"], 2, "--batch must be a share"], [["what-if", "--model", "nonsense"], 1, "unknown_model"],
  [["waste", "--days", "0"], 2, "--days must be a whole number"], [["waste", "--from", "yesterday"], 1, "from must be a date"], [["cheapest", "--models", "openai/gpt-4o"], 2, "--input-tokens"],
] as const)("optimize %j is refused in one sentence", async (argv, code, sentence) => {
  const run = await runCli(["optimize", ...argv, ...(argv[0] === "cheapest" ? [] : ["--data", folder])]);
  expect(run).toMatchObject({ code, stdout: "" });
  expect(run.stderr).toContain(sentence);
});

test("docs/cli.md names every option of optimize", async () => {
  const rows = readFileSync(fileURLToPath(new URL("../../docs/cli.md", import.meta.url)), "utf8").split("\n");
  for (const command of ["what-if", "waste", "cheapest"]) {
    const row = rows.find((line) => line.startsWith(`| \`optimize ${command}\``)) ?? "";
    const options = [...(await runCli(["optimize", command, "--help"])).stdout.matchAll(/^ +(?:-\w, )?(--[\w-]+)/gm)].map((match) => match[1] ?? "");
    expect(options.length).toBeGreaterThan(4);
    for (const option of options) if (!["--data", "--url", "--key", "--json", "--help"].includes(option)) expect(row).toContain(option);
  }
});
