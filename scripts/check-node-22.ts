import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packedTollgate, ROOT } from "../test/support/packed.ts";

// `npm run check:node-22`: the packed package under the oldest Node that it promises. Not part of `npm test`, since it installs that Node
// by npm, once, beside the repository's own, whose command it would replace as a dependency.
const VERSION = "22.19.0";
const folder = join(ROOT, "node_modules/.cache/node-22");
const node = join(folder, "node_modules/node/bin/node");

if (!existsSync(node)) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true, "allowScripts": { "node": true } }');
  execFileSync("npm", ["install", `node@${VERSION}`, "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: ["ignore", 2, 2] });
}
const { project } = await packedTollgate();
const data = mkdtempSync(join(tmpdir(), "tollgate-node-22-"));

function run(name: string, code: string, type: "module" | "commonjs" = "module"): void {
  const said = execFileSync(node, [`--input-type=${type}`, "-e", code], { cwd: project, encoding: "utf8", env: { ...process.env, DATA: data } }).trim();
  if (said !== "ok") throw new Error(`${name} said ${said}`);
  process.stdout.write(`${name}: ok\n`);
}

const CALL = '{ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], mockResponse: "Hi!" }';
try {
  run("version", `console.log(process.version === "v${VERSION}" ? "ok" : process.version)`);
  run("completion", `
    import tollgate, { completion, BudgetExceededError } from "tollgate";
    const { cost } = await completion(${CALL});
    for await (const _ of await completion({ ...${CALL}, stream: true }));
    tollgate.maxBudget = cost.total;
    const refused = await completion(${CALL}).catch((error) => error);
    console.log(cost.total === "0.0000135" && BudgetExceededError.isInstance(refused) ? "ok" : cost.total);
  `);
  run("BudgetManager on SQLite", `
    import { BudgetManager, CostAnalyzer } from "tollgate";
    const path = process.env.DATA + "/ledger.db";
    const budgets = new BudgetManager({ projectName: "p", path });
    await budgets.createBudget({ user: "ann", totalBudget: "0.0002" });
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => budgets.completion({ user: "ann", max_tokens: 100, ...${CALL} })));
    const spent = await budgets.getCurrentCost("ann");
    await budgets.resetCost("ann");
    const reset = await budgets.getCurrentCost("ann");
    await budgets.close();
    const analyzer = new CostAnalyzer(path);
    const total = await analyzer.totalCost();
    await analyzer.close();
    console.log(spent <= 0.0002 && spent > 0.0001 && reset === 0 && total === spent && results.some(({ status }) => status === "rejected") ? "ok" : [spent, reset, total].join(" "));
  `);
  run("require", 'const { completion, BudgetManager } = require("tollgate"); console.log(typeof completion === "function" && typeof BudgetManager === "function" ? "ok" : "no")', "commonjs");
  run("tollgate/openai", `
    import http from "node:http";
    import { createRequire } from "node:module";
    import tollgate, { track } from "tollgate";
    const answer = JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices: [], usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 } });
    const server = http.createServer((request, response) => request.resume().on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(answer))).listen(0, "127.0.0.1", async () => {
      let cost;
      tollgate.successCallbacks = [(call) => { cost = call.cost.total; }];
      const { default: OpenAI } = await import("tollgate/openai");
      await new OpenAI({ apiKey: "sk", baseURL: "http://127.0.0.1:" + server.address().port + "/v1" }).chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }] });
      await tollgate.flush();
      console.log(cost === "0.0000135" ? "ok" : cost);
      server.close();
      server.closeAllConnections();
    });
  `);
  const version = execFileSync(node, [join(project, "node_modules/.bin/tollgate"), "--version"], { encoding: "utf8" }).trim();
  process.stdout.write(`command line: ${version}\n`);
} finally {
  rmSync(data, { recursive: true, force: true });
}
