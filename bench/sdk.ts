import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeBetween } from "./report.ts";
import type { SdkReport } from "./sdk-program.ts";

// `npm run bench:sdk`: what the SDK adds to a call, in CPU, over the bare `fetch` and the bare `openai` client, with books in memory
// and in SQLite. The provider is another process. `-- --write` puts the table into README.md, `-- --quick` takes short rounds.

const PROGRAM = fileURLToPath(new URL("sdk-program.ts", import.meta.url));
const README = fileURLToPath(new URL("README.md", import.meta.url));
const quick = process.argv.includes("--quick");
const roundMs = quick ? 600 : 2_000;
const rounds = quick ? 1 : 3;

interface Scenario {
  readonly way: string;
  readonly place: "none" | "memory" | "SQLite";
  /** The bare way that it is compared with. */
  readonly over: string;
}

const PLAIN: readonly Scenario[] = [
  { way: "fetch", place: "none", over: "fetch" },
  { way: "track(fetch)", place: "memory", over: "fetch" },
  { way: "track(fetch)", place: "SQLite", over: "fetch" },
  { way: "openai", place: "none", over: "openai" },
  { way: "track(client)", place: "memory", over: "openai" },
  { way: "track(client)", place: "SQLite", over: "openai" },
  { way: "completion", place: "memory", over: "openai" },
  { way: "completion", place: "SQLite", over: "openai" },
];
const SCENARIOS: readonly Scenario[] = [...PLAIN, ...PLAIN.map(({ way, place, over }) => ({ way: `${way}, streamed`, place, over: `${over}, streamed` }))];

const upstream = fork(fileURLToPath(new URL("upstream.ts", import.meta.url)));
const [{ port }] = (await once(upstream, "message")) as [{ port: number }];

async function run({ way, place }: Scenario): Promise<SdkReport> {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-sdk-"));
  try {
    const child = spawn(process.execPath, [PROGRAM, way, String(roundMs), `http://127.0.0.1:${port}`, place === "SQLite" ? join(folder, "ledger.db") : "memory"], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => { text += bytes.toString(); });
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`${way} with books in ${place} ended with ${code}`);
    return JSON.parse(text) as SdkReport;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const results = SCENARIOS.map(() => [] as number[]);
try {
  for (let round = 0; round < rounds; round += 1) for (const [place, scenario] of SCENARIOS.entries()) results[place]?.push((await run(scenario)).cpuMicrosPerCall);
} finally {
  upstream.disconnect();
}

const micros = SCENARIOS.map((_, place) => median(results[place] ?? []));
const bare = (over: string): number => micros[SCENARIOS.findIndex(({ way }) => way === over)] ?? 0;
const table = [
  "| Call by | books | CPU µs per call | over | added µs |", "|---|---|---:|---|---:|",
  ...SCENARIOS.map(({ way, place, over }, index) => {
    const own = micros[index] ?? 0;
    return `| \`${way}\` | ${place === "none" ? "" : place} | ${Math.round(own)} | ${way === over ? "" : `\`${over}\``} | ${way === over ? "" : Math.round(own - bare(over))} |`;
  }),
].join("\n");
process.stdout.write(`${table}\n`);
if (process.argv.includes("--write")) {
  writeBetween(README, "sdk", table);
}
