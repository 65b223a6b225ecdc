import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, sum } from "../../src/money.ts";
import { startReceiver, type Receiver } from "../alerts/receiver.ts";
import { openExampleProject, type ExampleProject } from "../support/examples.ts";
import { ROOT } from "../support/packed.ts";

let project: ExampleProject;
let chat: Receiver;
/** What the tracked calls said that they cost. */
let costs: { readonly user: string; readonly model: string; readonly cost: string }[];

/** All examples read the file that the tracked calls write. */
beforeAll(async () => {
  [project, chat] = await Promise.all([openExampleProject(), startReceiver()]);
  const said = await says("tracked-calls.ts");
  costs = [...said.matchAll(/^(\w+) (\S+): \$(\S+)$/gm)].map(([, user = "", model = "", cost = ""]) => ({ user, model, cost }));
}, 240_000);

afterAll(async () => {
  await chat?.close();
  await project?.close();
});

async function says(name: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout, stderr } = await project.node(`examples/books/${name}`, environment);
  expect(stderr).toBe("");
  return stdout;
}

const total = (): string => sum(...costs.map(({ cost }) => cost));

test("every example is known here", () => {
  expect(readdirSync(join(ROOT, "examples/books")).toSorted()).toEqual(["analysis.ts", "caching.ts", "dashboards.ts", "export-csv.ts", "monitoring.ts", "optimizing.ts", "plans.ts", "slack-alerts.ts", "tracked-calls.ts"]);
});

test("tracked-calls.ts tells the cost of each call", () => {
  expect(costs.map(({ user, model }) => [user, model])).toEqual([["user123", "gpt-4"], ["user123", "gpt-3.5-turbo"], ["user456", "gpt-3.5-turbo"]]);
  for (const { cost } of costs) expect(parse(cost)).toBeGreaterThan(0n);
});

test("analysis.ts: the total and every breakdown are the sum of the calls, to the last digit", async () => {
  const stdout = await says("analysis.ts");
  expect(stdout).toContain(`Total cost (30 days): $${total()}\n`);
  for (const kind of ["model", "user", "day"]) {
    const rows = [...stdout.matchAll(new RegExp(`^${kind} \\S+: \\$(\\S+)`, "gm"))].map((match) => match[1] ?? "");
    expect([kind, sum(...rows)]).toEqual([kind, total()]);
  }
  expect(stdout).toMatch(/^efficiency \S*gpt-4\S*: \$\S+ a token, [\d.]+ tokens a request$/m);
});

test("monitoring.ts: no alert below the limits, one above; the report has the exact total", async () => {
  expect(await says("monitoring.ts")).toBe(`No cost alerts\nTotal 30-day cost: $${total()}, 2 models, 2 users, 0 alerts\n`);
  const stdout = await says("monitoring.ts", { DAILY_LIMIT: "0.0001" });
  expect(stdout).toMatch(/^daily_limit: .+\nTotal 30-day cost: .*, 1 alerts\n$/);
});

test("caching.ts buys an answer once, for both users and for the next run of the program", async () => {
  const lines = (await says("caching.ts")).trim().split("\n");
  const cost = /^user123 bought it for \$(\S+)$/.exec(lines[0] ?? "")?.[1] ?? "";
  expect(parse(cost)).toBeGreaterThan(0n);
  expect(lines.slice(1)).toEqual([`user456 had it for $0, saved $${cost}`, `user123 had it for $0, saved $${cost}`, `2 of 3 requests from the cache: $${cost} spent, $${sum(cost, cost)} saved`]);
  const again = (await says("caching.ts")).trim().split("\n");
  expect(again[0]).toBe(`user123 had it for $0, saved $${cost}`);
  expect(again[3]).toBe(`5 of 6 requests from the cache: $${cost} spent, $${sum(cost, cost, cost, cost, cost)} saved`);
});

test("dashboards.ts draws a PNG and an SVG", async () => {
  expect(await says("dashboards.ts")).toBe("Drawn: daily_costs.png, model_comparison.svg\n");
  expect(readFileSync(join(project.folder, "daily_costs.png")).subarray(1, 4).toString()).toBe("PNG");
  expect(readFileSync(join(project.folder, "model_comparison.svg"), "utf8")).toContain("gpt-4");
});

test("export-csv.ts writes a row for each call", async () => {
  expect(await says("export-csv.ts")).toBe(`Exported 3 records, $${total()}, to costs_export.csv\n`);
  const lines = readFileSync(join(project.folder, "costs_export.csv"), "utf8").trim().split("\n");
  expect(lines.length).toBe(4);
  for (const { user, cost } of costs) expect(lines.filter((line) => line.includes(user) && line.includes(cost)).length).toBeGreaterThan(0);
});

test("slack-alerts.ts sends an alert once, also when it is run again", async () => {
  const environment = { DAILY_LIMIT: "0.0001", SLACK_WEBHOOK_URL: `${chat.url}/services/T/B/x` };
  expect(await says("slack-alerts.ts", environment)).toBe("1 alerts, 1 sent\n");
  expect(await says("slack-alerts.ts", environment)).toBe("1 alerts, 0 sent\n");
  expect(chat.received.map(({ path, body }) => [path, (JSON.parse(body) as { text: string }).text.includes("$0.0001")])).toEqual([["/services/T/B/x", true]]);
});

test("plans.ts: a plan that has the money lets the call through, one that has not refuses it unsent", async () => {
  const stdout = await says("plans.ts");
  expect(stdout).toMatch(/^user123: request successful, \$(0\.\d+)\nuser123: within budget: true, \$\1 of \$10, \$9\.\d+ left\nuser456: budget_exceeded\nuser456: within budget: \w+, \$0 of \$0\.00001, \$\S+ left\n$/);
});

test("optimizing.ts: the cheapest that is good enough, and a request that stays under its budget", async () => {
  const stdout = await says("optimizing.ts");
  expect(stdout).toMatch(/^1,000 tokens in and out of gpt-4: \$0\.09\nGood enough for research: openai\/gpt-4-turbo\nSelected model: openai\/gpt-3\.5-turbo, cost: \$0\.00\d+\nResponse: \S/);
});
