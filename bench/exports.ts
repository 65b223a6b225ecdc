import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fork } from "node:child_process";
import { createTollgate } from "../src/app/sdk.ts";
import { exportCosts } from "../src/app/books/export-costs.ts";
import { CostTracker } from "../src/app/books/cost-tracker.ts";
import { writeQuarter } from "./quarter.ts";

/**
 * `npm run bench:exports [rows]`: how fast and in how much memory a ledger of so many rows is exported, and how fast costs are
 * logged into a tracker. Each measurement has a process of its own, so that its peak of resident memory is its own.
 */
const PARTS = ["idle", "csv", "jsonl", "jsonl.gz", "parquet", "tracker, memory", "tracker, SQLite"] as const;
type Part = (typeof PARTS)[number];

interface Measured {
  readonly rows: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMb: number;
  readonly fileMb?: number;
}

const TRACKED = 50_000;
const AT_ONCE = 200;

if (process.send === undefined) await lead(Number(process.argv[2] ?? 1_000_000));
else process.send(await measure(process.argv[2] as Part, process.argv[3] ?? "", Number(process.argv[4])), () => process.disconnect());

async function lead(rows: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-exports-"));
  try {
    const path = join(folder, "ledger.db");
    console.log(`ledger of ${rows} rows written: ${Math.round(writeQuarter(path, rows))} rows/s`);
    let idle = 0;
    for (const part of PARTS) {
      const { rows: done, seconds, cpuSeconds, peakMb, fileMb } = await inOwnProcess(part, folder, rows);
      if (part === "idle") idle = peakMb;
      else console.log(`${part.padEnd(16)} ${String(Math.round(done / seconds)).padStart(8)} rows/s (${Math.round(done / cpuSeconds)} a second of CPU)   peak ${peakMb.toFixed(0).padStart(4)} MB (${(peakMb - idle).toFixed(0)} above an idle process)${fileMb === undefined ? "" : `   file ${fileMb.toFixed(1)} MB`}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function inOwnProcess(part: Part, folder: string, rows: number): Promise<Measured> {
  const child = fork(new URL(import.meta.url), [part, folder, String(rows)]);
  return new Promise((resolve, reject) => {
    child.on("message", (measured) => resolve(measured as Measured));
    child.on("exit", (code) => { if (code !== 0) reject(new Error(`${part} ended with ${code}`)); });
  });
}

async function measure(part: Part, folder: string, rows: number): Promise<Measured> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  let done = 0;
  let file: string | undefined;
  if (part.startsWith("tracker")) done = await track(part === "tracker, memory" ? undefined : join(folder, "tracked.db"));
  else if (part !== "idle") {
    file = join(folder, `costs.${part}`);
    ({ rows: done } = await exportCosts(join(folder, "ledger.db"), { path: file, from: 0, to: 2 ** 47 }));
    if (done !== rows) throw new Error(`${done} rows instead of ${rows}`);
  }
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const peakMb = process.resourceUsage().maxRSS / 1_024;
  return { rows: done, seconds, cpuSeconds: (user + system) / 1e6, peakMb, ...(file === undefined ? {} : { fileMb: statSync(file).size / 1e6 }) };
}

/** Answers as a provider gives them, priced and booked; a program logs so many at a time. */
async function track(path: string | undefined): Promise<number> {
  const tollgate = createTollgate();
  const tracker = path === undefined ? new CostTracker({ tollgate }) : new CostTracker({ path });
  for (let first = 0; first < TRACKED; first += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, async (_, index) => tracker.logCost({
      id: `chatcmpl-${first + index}`, object: "chat.completion", created: 1_790_000_000, model: "gpt-4o-mini", choices: [], usage: { prompt_tokens: 100 + index, completion_tokens: 20, total_tokens: 120 + index },
    }, { user: `user-${index % 50}`, tags: ["bench"] })));
  }
  const { entries } = await tracker.query({ limit: 1 });
  if (entries.length !== 1) throw new Error("nothing was tracked");
  await tracker.close();
  await tollgate.close();
  return TRACKED;
}
