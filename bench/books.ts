import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeBetween } from "./report.ts";
import type { ProgramReport } from "./books-program.ts";

// `npm run bench:books`: how many attempts (an admission and its settlement) books take, in memory and in one SQLite
// file shared by processes. `-- --write` puts the table into README.md, `-- --quick` takes short rounds.

const PROGRAM = fileURLToPath(new URL("books-program.ts", import.meta.url));
const README = fileURLToPath(new URL("README.md", import.meta.url));
const quick = process.argv.includes("--quick");
const roundMs = quick ? 800 : 4_000;
const rounds = quick ? 1 : 3;

interface Program {
  readonly concurrency: number;
  readonly thinkMs: number;
}

interface Scenario {
  readonly name: string;
  readonly place: "memory" | "file";
  readonly programs: readonly Program[];
}

const eager = (concurrency: number): Program => ({ concurrency, thinkMs: 0 });
const SCENARIOS: readonly Scenario[] = [
  { name: "memory, 32 at a time", place: "memory", programs: [eager(32)] },
  { name: "SQLite, one process, one at a time", place: "file", programs: [eager(1)] },
  { name: "SQLite, one process, 32 at a time", place: "file", programs: [eager(32)] },
  { name: "SQLite, four processes, 16 at a time each", place: "file", programs: Array.from({ length: 4 }, () => eager(16)) },
  { name: "SQLite, four processes, 16 at a time each, 5 ms per request", place: "file", programs: Array.from({ length: 4 }, () => ({ concurrency: 16, thinkMs: 5 })) },
  { name: "SQLite, three greedy processes (64 at a time) and one that asks one at a time: the latter", place: "file", programs: [eager(1), eager(64), eager(64), eager(64)] },
];

function run(place: string, { concurrency, thinkMs }: Program): Promise<ProgramReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, place, String(roundMs), String(concurrency), String(thinkMs)], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => { text += bytes.toString(); });
    child.on("exit", (code) => (code === 0 ? resolve(JSON.parse(text) as ProgramReport) : reject(new Error(`a program ended with ${code}`))));
  });
}

async function round(scenario: Scenario): Promise<readonly ProgramReport[]> {
  if (scenario.place === "memory") return await Promise.all(scenario.programs.map((program) => run("memory", program)));
  const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-books-"));
  try {
    return await Promise.all(scenario.programs.map((program) => run(join(folder, "ledger.db"), program)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const figure = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(value >= 10 ? 1 : 2));

/** One row: all programs of the scenario, or only the first where it is about that one. */
function row(scenario: Scenario, results: readonly (readonly ProgramReport[])[]): string {
  const seen = scenario.name.endsWith("the latter") ? results.map((reports) => reports.slice(0, 1)) : results;
  const perSecond = median(seen.map((reports) => reports.reduce((sum, report) => sum + report.attempts, 0) / (roundMs / 1_000)));
  const share = median(seen.map((reports) => Math.min(...reports.map((one) => one.attempts)) / Math.max(...reports.map((one) => one.attempts))));
  const of = (member: keyof ProgramReport, over: (values: number[]) => number): string => figure(median(seen.map((reports) => over(reports.map((one) => one[member])))));
  const worst = (values: number[]): number => Math.max(...values);
  return `| ${scenario.name} | ${figure(perSecond)} | ${of("openP50", worst)} | ${of("openP99", worst)} | ${of("openMax", worst)} | ${of("cpuMicrosPerAttempt", worst)} | ${seen[0]?.length === 1 ? "" : share.toFixed(2)} |`;
}

const lines = [
  "| Books | attempts/s | open p50 ms | p99 | max | CPU µs per attempt | least share / greatest |",
  "|---|---|---|---|---|---|---|",
];
const results = SCENARIOS.map(() => [] as (readonly ProgramReport[])[]);
for (let i = 0; i < rounds; i += 1) for (const [place, scenario] of SCENARIOS.entries()) results[place]?.push(await round(scenario));
for (const [place, scenario] of SCENARIOS.entries()) lines.push(row(scenario, results[place] ?? []));
const table = lines.join("\n");
process.stdout.write(`${table}\n`);
if (process.argv.includes("--write")) {
  writeBetween(README, "books", table);
}
