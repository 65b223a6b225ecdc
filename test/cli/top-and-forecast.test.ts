import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { printTop, type TopLook } from "../../src/surfaces/cli/top.ts";
import { TestLedger, usd } from "../monitor/ledger.ts";
import { runCli, startCli } from "../support/run-cli.ts";

const DAY_MS = 86_400_000;
let ledger: TestLedger;
beforeEach(() => { ledger = new TestLedger(); });
afterEach(() => ledger.remove());

const json = async (argv: readonly string[]): Promise<Record<string, unknown>> => {
  const run = await runCli([...argv, "--data", ledger.folder]);
  expect(run).toMatchObject({ code: 0, stderr: "" });
  expect(run.stdout.trim().split("\n")).toHaveLength(1);
  return JSON.parse(run.stdout) as Record<string, unknown>;
};

test("top: in a pipe one document with the last minutes by model, exact to the nano-dollar, the dearest now first", async () => {
  const now = Date.now();
  ledger.write([{ at: now - 3 * DAY_MS, model: "old", cost: usd(50) }, { at: now - 30_000, model: "a", cost: 1n }, { at: now - 20_000, model: "b", cost: usd(2) }, { at: now - 10_000, model: "a", cost: usd(1) }]);
  const look = await json(["top"]);
  expect(look).toMatchObject({ by: "model", minutes: 5, recent: { cost_nano_usd: "3000000001", cost_usd: "3.000000001", requests: 3 } });
  expect((look["rows"] as { model: string; recent: object }[]).map(({ model, recent }) => [model, recent])).toEqual([
    ["b", { cost_nano_usd: "2000000000", cost_usd: "2", requests: 1 }], ["a", { cost_nano_usd: "1000000001", cost_usd: "1.000000001", requests: 2 }],
  ]);
});

test("top --by customer and tag: the same total, who named none stands apart", async () => {
  ledger.write([{ at: Date.now() - 10_000, user: "ann", tags: ["x"], cost: usd(1) }, { at: Date.now() - 10_000, cost: usd(2) }]);
  expect(await json(["top", "--by", "customer", "--minutes", "60"])).toMatchObject({ recent: { cost_usd: "3" }, rows: [{ customer: null, name: "(none)" }, { customer: "ann" }] });
  expect(await json(["top", "--by", "tag", "--once"])).toMatchObject({ recent: { cost_usd: "3" }, rows: [{ tag: null }, { tag: "x" }] });
});

test("user is whom calls were for, in every command; customer is the same, and the owner of a key is internal-user", async () => {
  const now = Date.now();
  ledger.write([{ at: now - 10_000, user: "ann", cost: usd(1) }, { at: now - 10_000, user: "bob", cost: usd(2) }, { at: now - 10_000, cost: usd(4) }]);
  const users = [["bob", "2"], ["ann", "1"]];
  for (const by of ["user", "customer"]) {
    for (const command of ["report", "top"]) {
      const { rows } = (await json([command, "--by", by])) as { rows: Record<string, string & { cost_usd: string }>[] };
      expect(rows.map((row) => [row[by], row["cost_usd"] ?? row["recent"]?.cost_usd]).filter(([user]) => user !== null && user !== ""), command).toEqual(users);
    }
    expect(await json(["report", `--${by}`, "bob"])).toMatchObject({ total: { cost_usd: "2" } });
    expect(await json(["forecast", `--${by}`, "bob"])).toMatchObject({ spentExact: "2" });
    expect(await json(["export", "--out", join(ledger.folder, `${by}.csv`), `--${by}`, "bob"])).toMatchObject({ rows: 1, totalExact: "2" });
  }
  const analyzer = new CostAnalyzer(ledger.path);
  expect((await analyzer.costByUser({ limit: 3 })).map((row) => [row.user, row.costExact]).filter(([user]) => user !== null)).toEqual(users);
  await analyzer.close();
  expect(await json(["report", "--by", "internal-user"])).toMatchObject({ rows: [{ internal_user: "", cost_usd: "7" }] });
  expect(await json(["report", "--internal-user", "ann"])).toMatchObject({ total: { cost_usd: "0" } });
});

test("every command that reads costs says over a running gateway's URL what it says over the file, with a key from the environment", async () => {
  const now = Date.now();
  ledger.write(Array.from({ length: 20 }, (_, index) => ({ at: now - (index + 1) * DAY_MS, user: index % 2 === 0 ? "ann" : "bob", tags: ["x"], cost: usd(3) + BigInt(index) })));
  ledger.write([{ at: now - 10_000, user: "ann", cost: usd(1) }]);
  const gateway = await startCli(ledger.folder);
  try {
    const master = readFileSync(join(ledger.folder, "master-key"), "utf8").trim();
    const out = join(ledger.folder, "out.jsonl");
    const commands = [
      ["top", "--by", "user", "--minutes", "60"], ["top", "--by", "tag"], ["forecast", "--budget", "1000/monthly", "--user", "ann"], ["optimize", "waste"], ["optimize", "what-if", "--batch", "0.5"],
      ["report", "--by", "day", "--time-zone", "Asia/Kathmandu", "--days", "9"], ["report", "--tag", "x"], ["export", "--out", out, "--force", "--user", "bob"], ["monitor", "--once", "--budget", "1/lifetime"],
    ];
    for (const command of commands) {
      const [file, url] = [await runCli([...command, "--data", ledger.folder]), await runCli([...command, "--url", gateway.url], { env: { TOLLGATE_MASTER_KEY: master }, cwd: ledger.folder })];
      // The instant of the look, and what moves with it, differ.
      const still = (text: string): unknown => JSON.parse(text, (name, value: unknown) => (["at", "exhaustion", "atEnd"].includes(name) ? null : value));
      expect([url.stderr, url.code], command.join(" ")).toEqual([file.stderr, file.code]);
      expect(still(url.stdout), command.join(" ")).toEqual(still(file.stdout));
    }
    const wrong = await runCli(["top", "--url", gateway.url, "--key", "sk-wrong"]);
    expect(wrong).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toMatch(/^invalid_key: [^\n]+\n$/);
  } finally {
    await gateway.stop();
  }
});

test("report --by day: every day so far, also those without costs, none to come; what cannot be a period is refused in one sentence", async () => {
  const now = Date.now();
  const date = (days: number): string => new Date(now + days * DAY_MS).toISOString().slice(0, 10);
  ledger.write([{ at: now - 3 * DAY_MS, cost: usd(1) }, { at: now - 1_000, cost: usd(2) }]);
  const days = async (argv: readonly string[]): Promise<unknown> => ((await json(["report", "--by", "day", ...argv])) as { rows: { day: string; cost_usd: string }[] }).rows.map((row) => `${row.day} ${row.cost_usd}`);
  const all = [`${date(-3)} 1`, `${date(-2)} 0`, `${date(-1)} 0`, `${date(0)} 2`];
  expect(await days([])).toEqual(all);
  expect(await days(["--from", date(-3), "--to", date(400)])).toEqual(all);
  expect(await days(["--days", "2"])).toEqual(all.slice(2));
  expect(await days(["--from", date(5)])).toEqual([]);
  for (const [argv, code, sentence] of [
    [["--time-zone", "Mars/Base"], 1, "invalid_time_zone: "], [["--from", "2026-02-30"], 2, "--from must be a date"], [["--to", "2026-11-24T10:00:00"], 2, "--to must be a date"], [["--days", "36501"], 2, "--days must be a whole number"],
    [["--days", "1e2"], 2, "--days must be a whole number"], [["--user", "a", "--customer", "b"], 2, "two names of one thing"], [["--by", "users"], 2, "Allowed choices"],
  ] as const) {
    const run = await runCli(["report", ...argv, "--data", ledger.folder]);
    expect([run.code, run.stdout], argv.join(" ")).toEqual([code, ""]);
    expect(run.stderr).toContain(sentence);
  }
});

test("top on a terminal: no more rows than it has, and the total is of all", () => {
  let text = "";
  const sums = { costExact: "1", requests: 1 };
  const look: TopLook = { at: "2026-11-24T15:30:00.000Z", recent: { costExact: "30", requests: 30 }, today: { costExact: "30", requests: 30 }, rows: Array.from({ length: 30 }, (_, index) => ({ id: `m${index}`, label: `m${index}`, recent: sums, today: sums })) };
  printTop({ isTerminal: true, colour: false, columns: 60, rows: 12, out: (part) => { text += part; }, remark: () => {} }, look, { data: "", by: "model", minutes: 5, every: 2 });
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(12);
  expect(text).toMatch(/total \(24 more\) +30 +\$30\.00 +30 +\$30\.00/);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
});

test("forecast: equal days burn at their cost, and only of whom is asked for", async () => {
  const now = Date.now();
  ledger.write(Array.from({ length: 20 }, (_, index) => ({ at: now - (index + 1) * DAY_MS, user: "ann", cost: usd(11) })));
  const answer = await json(["forecast", "--budget", "100000/yearly"]);
  expect(answer).toMatchObject({ enough: true, historyDays: 19, budgetExact: "100000", window: "yearly", burnPerDay: { low: 11, expected: 11, expectedExact: "11", high: 11 } });
  expect(await json(["forecast", "--user", "nobody"])).toMatchObject({ enough: false, historyDays: 0, spentExact: "0" });
});

test("forecast: with too little history it says so and makes no figures", async () => {
  ledger.write([1, 2, 3].map((days) => ({ at: Date.now() - days * DAY_MS, cost: usd(1) })));
  const answer = await json(["forecast", "--budget", "10/monthly"]);
  expect(answer).toMatchObject({ enough: false, historyDays: 2, reason: "There are 2 whole days of history; a forecast needs 7." });
  expect(answer).not.toHaveProperty("burnPerDay");
});

test.each([
  [["top", "--by", "teem"], 2, "usage: "], [["top", "--every", "0"], 2, "--every must be a whole number"], [["top", "--data", "/nowhere"], 1, "not_found: There is no ledger at /nowhere"], [["top", "--url", "http://127.0.0.1:1"], 2, "--url needs --key"],
  [["forecast", "--budget", "-3"], 2, "--budget must be dollars and a window"], [["forecast", "--budget", "100"], 2, "write 100/monthly, 100/30d or 100/lifetime"], [["forecast", "--budget", "100/lifetime"], 2, "needs a window that ends"], [["forecast", "--user", "a", "--customer", "b"], 2, "two names of one thing"], [["forecast", "--budget", "3/often"], 1, "invalid_duration: "], [["forecast", "--data", "/nowhere"], 1, "not_found: "],
] as const)("%j is refused in one sentence", async (argv, code, sentence) => {
  const run = await runCli([...argv, ...(argv.includes("--data" as never) ? [] : ["--data", ledger.folder])]);
  expect(run).toMatchObject({ code, stdout: "" });
  expect(run.stderr).toContain(sentence);
});

test("docs/cli.md names every option of report, top, forecast and monitor", async () => {
  const rows = readFileSync(fileURLToPath(new URL("../../docs/cli.md", import.meta.url)), "utf8").split("\n");
  for (const command of ["report", "top", "forecast", "monitor"]) {
    const row = rows.find((line) => line.startsWith(`| \`${command}\``)) ?? "";
    const options = [...(await runCli([command, "--help"])).stdout.matchAll(/^ +(?:-\w, )?(--[\w-]+)/gm)].map((match) => match[1] ?? "");
    expect(options.length).toBeGreaterThan(5);
    for (const option of options) if (!["--data", "--url", "--key", "--json", "--help"].includes(option)) expect(row).toContain(option);
  }
});
