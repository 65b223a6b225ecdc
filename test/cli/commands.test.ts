import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, plainEnvironment, runCli, startCli, type StartedGateway } from "../support/run-cli.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tollgate-cli-"));
let gateway: StartedGateway;

beforeAll(async () => {
  gateway = await startCli(folder, { cwd: ROOT });
});

afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

const json = async (argv: readonly string[], env: Record<string, string> = {}): Promise<unknown> => {
  const run = await runCli([...argv], { env });
  expect(run.stderr).toBe("");
  expect(run.code).toBe(0);
  return JSON.parse(run.stdout);
};

const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
  const master = readFileSync(join(folder, "master-key"), "utf8").trim();
  const response = await fetch(`${gateway.url}${path}`, { method: "POST", headers: { authorization: `Bearer ${master}`, "content-type": "application/json" }, body: JSON.stringify(body) });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
};

describe("a newcomer's path", () => {
  test("the two commands that the start prints make a key with a $0.05 budget and spend it until it is refused", async () => {
    const commands = gateway.printed().split("\n").filter((line) => line.startsWith("  "));
    expect(commands).toHaveLength(2);
    const { stdout: text } = await ended(spawn("bash", ["-c", commands.join("\n")], { cwd: ROOT, env: plainEnvironment() }));
    expect(text).toMatch(/^sk-/);
    expect(text).toContain("budget_exceeded");
    expect(text).toContain("Max budget: 0.05");
  });
});

describe("keys", () => {
  test("create: JSON in a pipe, with the key that the gateway made", async () => {
    expect(await json(["keys", "create", "--data", folder, "--budget", "10", "--duration", "30d", "--alias", "ci", "--models", "gpt-4o,gpt-4o-mini", "--rpm", "60"])).toMatchObject({
      key: expect.stringMatching(/^sk-/), key_alias: "ci", max_budget: 10, budget_duration: "30d", models: ["gpt-4o", "gpt-4o-mini"], rpm_limit: 60,
    });
    expect(await json(["keys", "list", "--data", folder])).toContainEqual(expect.objectContaining({ key_alias: "ci" }));
  });

  test("--key-only prints the key alone", async () => {
    expect((await runCli(["keys", "create", "--data", folder, "--key-only"])).stdout).toMatch(/^sk-[\w-]+\n$/);
  });

  test("what the gateway refuses is told under the gateway's own code: 1 line, exit 1", async () => {
    const run = await runCli(["keys", "create", "--data", folder, "--budget", "-1"]);
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(run.stderr).toMatch(/^invalid_amount: .*\n$/);
  });

  test("gateway_unreachable: without a gateway the command that starts one is named", async () => {
    const run = await runCli(["keys", "list", "--data", "/nowhere/at all"], { cwd: ROOT });
    expect(run.code).toBe(1);
    expect(run.stderr).toContain("gateway_unreachable");
    expect(run.stderr).toContain("npm start -- --data '/nowhere/at all'");
  });

  test("gateway_unreachable: what answers elsewhere is no Tollgate, or nothing", async () => {
    const run = await runCli(["keys", "list", "--url", "http://127.0.0.1:1", "--key", "sk-any"]);
    expect(run).toMatchObject({ code: 1, stderr: "gateway_unreachable: No gateway answers at http://127.0.0.1:1. Start it, or name another with --url.\n" });
  });
});

describe("report and audit", () => {
  test("spend, report from the file and over HTTP, and the audit agree to the nano-dollar", async () => {
    await post("/team/new", { team_id: "search", team_alias: "Search" });
    const { key } = await post("/key/generate", { max_budget: 0.004, key_alias: "spender", team_id: "search" });
    const spent = (await runCli(["spend", "--data", folder, "--key", String(key)]));
    expect(spent.code).toBe(0);
    const { spent_nano_usd: nano, refused } = JSON.parse(spent.stdout) as { spent_nano_usd: string; refused: unknown };
    expect(refused).toMatchObject({ error: { tollgate_code: "budget_exceeded" } });
    const audit = (await json(["audit", "--data", folder])) as { totalNanoUsd: string };
    expect(audit).toMatchObject({ agree: true, counters: "live" });
    const remote = ["--url", gateway.url];
    const env = { TOLLGATE_MASTER_KEY: readFileSync(join(folder, "master-key"), "utf8").trim() };
    for (const by of ["key", "team", "model", "user", "customer", "internal-user", "tag", "day", "provider"]) {
      const overHttp = await json(["report", "--by", by, ...remote], env);
      expect(overHttp).toMatchObject({ by, total: { cost_nano_usd: audit.totalNanoUsd } });
      // The gateway has committed what it was asked for, so the file says the same.
      expect(await json(["report", "--by", by, "--data", folder])).toEqual(overHttp);
    }
    expect(await json(["report", "--by", "team", "--data", folder, "--days", "1"])).toMatchObject({ rows: expect.arrayContaining([expect.objectContaining({ team: "search", name: "Search", cost_nano_usd: nano })]) });
    expect(await json(["report", "--by", "key", "--data", folder])).toMatchObject({ rows: expect.arrayContaining([expect.objectContaining({ name: "spender", cost_nano_usd: nano })]) });
    expect(await json(["report", "--data", folder, "--to", "2020-01-01"])).toMatchObject({ rows: [], total: { cost_nano_usd: "0" } });
  });

  test("after the gateway has stopped, report and audit read the file; a changed balance is named, exit 1", async () => {
    const other = mkdtempSync(join(tmpdir(), "tollgate-offline-"));
    try {
      const started = await startCli(other);
      const key = (await runCli(["keys", "create", "--data", other, "--key-only"])).stdout.trim();
      await runCli(["spend", "--data", other, "--key", key, "--requests", "2", "--model", "gpt-4o-mini"]);
      expect((await started.stop()).code).toBe(0);
      expect(existsSync(join(other, "gateway.json"))).toBe(false);
      expect(await json(["audit", "--data", other])).toMatchObject({ agree: true, entries: 2, counters: "offline" });
      expect(await json(["report", "--data", other])).toMatchObject({ total: { requests: 2 } });
      const database = new DatabaseSync(join(other, "ledger.db"));
      database.exec("UPDATE balances SET spent = spent + 1 WHERE scope = 'global'");
      database.close();
      const audit = await runCli(["audit", "--data", other]);
      expect(audit.code).toBe(1);
      expect(JSON.parse(audit.stdout)).toMatchObject({ agree: false, firstDifference: expect.stringContaining("global") });
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  test("ledger_unreadable: a folder without a ledger, and a file that is none", async () => {
    const run = await runCli(["report", "--data", "/nowhere"]);
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(run.stderr).toMatch(/^ledger_unreadable: There is no ledger in the data folder \/nowhere\..*\n$/);
  });
});

test("the owner of a key is its internal user, in keys create and in report; whom the calls were for is the user", async () => {
  await post("/user/new", { user_id: "olga", user_alias: "Olga" });
  const { stdout } = await runCli(["keys", "create", "--data", folder, "--internal-user", "olga", "--key-only"]);
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${stdout.trim()}`, "content-type": "application/json" }, body: JSON.stringify({ model: "gpt-4o-mini", user: "shop-17", max_tokens: 20, messages: [{ role: "user", content: "hi" }] }) });
  expect(answer.status).toBe(200);
  await answer.text();
  const env = { TOLLGATE_MASTER_KEY: readFileSync(join(folder, "master-key"), "utf8").trim() };
  const [olga, shop] = [await json(["report", "--by", "user", "--internal-user", "olga", "--url", gateway.url], env), await json(["report", "--by", "internal-user", "--user", "shop-17", "--url", gateway.url], env)] as { rows: Record<string, unknown>[]; total: unknown }[];
  expect(olga?.rows).toMatchObject([{ user: "shop-17", requests: 1 }]);
  expect(shop?.rows).toMatchObject([{ internal_user: "olga", name: "Olga", requests: 1 }]);
  expect(shop?.total).toEqual(olga?.total);
  expect((await runCli(["keys", "create", "--data", folder, "--user", "olga"])).stderr).toMatch(/^usage: .*--user/);
});

describe("usage: exit 2, one sentence, the nearest name", () => {
  test.each([
    [["audt"], "Did you mean audit?"],
    [["keys", "lst"], "Did you mean list?"],
    [["start", "--prot", "1"], "Did you mean --port?"],
    [["start", "--port", "70000"], "--port must be a whole number from 0 to 65535"],
    [["start", "--port", "0x10"], "--port must be a whole number"],
    [["demo", "--minutes", "0"], "--minutes must be a number above 0"],
    [["demo", "--seed", "-1"], "--seed must be a whole number"],
    [["report", "--by", "teem"], "Allowed choices are model, provider, team"],
    [["report", "--days", "0"], "--days must be a whole number"],
    [["report", "--from", "yesterday"], "--from must be a date"],
    [["report", "--from", "2026-02-01", "--to", "2026-01-01"], "--to lies before --from"],
    [["report", "--days", "3", "--to", "2026-01-01"], "either --days, or --from and --to"],
    [["report", "--url", "nonsense", "--key", "k"], "--url must be an address"],
    [["report", "--url", "http://127.0.0.1:1"], "--url needs --key"],
    [["spend"], "--key <key>"],
    [["audit", "extra"], "Too many arguments"],
  ])("%j", async (argv, sentence) => {
    const run = await runCli(argv);
    expect(run).toMatchObject({ code: 2, stdout: "" });
    expect(run.stderr).toMatch(/^usage: [^\n]+\n$/);
    expect(run.stderr).toContain(sentence);
  });

  test("--help and --version go to stdout and are no errors; no command shows the help", async () => {
    expect(await runCli(["--version"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" });
    expect(await runCli(["-v"])).toMatchObject({ code: 0 });
    for (const command of ["start", "demo", "keys", "spend", "report", "audit"]) expect((await runCli([command, "--help"])).stdout).toContain(`Usage: tollgate ${command}`);
    expect((await runCli([])).code).toBe(2);
  });
});
