// `--parts`: where Tollgate's time goes. Node's own sampling profiler runs in every thread while the load does; its samples
// inside the measured window are added up by part, and scaled to the CPU time that the kernel accounts for.
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { stopChild } from "./child.ts";
import type { JobResult } from "./load-jobs.ts";
import type { Options } from "./options.ts";
import { PART_RULES, WRITER_FILES } from "./part-rules.ts";
import { writeBetween } from "./report.ts";
import { plainJob, startTarget, streamJob } from "./rounds.ts";
import type { Ground, Say } from "./rounds.ts";
import { TARGETS, root } from "./targets.ts";

const SAMPLE_EVERY_MICROS = 250;
const FUNCTIONS_SHOWN = 40;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds on the system's monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Microseconds of samples by part, and by part and function. */
export interface Shares {
  readonly parts: Map<string, number>;
  readonly functions: Map<string, number>;
}

/** The URL without the repository's folder: `src/…`, `node_modules/…`, or `node:…`. */
function shortUrl(url: string): string {
  return url.replace(`file://${root}/`, "");
}

/** @returns the part whose rule fits the frame itself */
export function ruledPart(functionName: string, url: string): string | undefined {
  return PART_RULES.find((rule) => (rule.file === undefined || rule.file.test(url)) && (rule.name === undefined || rule.name.test(functionName)))?.part;
}

function partOfNodes(profile: CpuProfile, thread: string | undefined): Map<number, string> {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parts = new Map<number, string>();
  const walk = (node: ProfileNode, inherited: string): void => {
    const { functionName, url } = node.callFrame;
    const own =
      functionName === "(idle)" ? "idle"
        : thread ?? (functionName === "(garbage collector)" ? "garbage collection"
          : functionName === "(program)" ? "runtime, outside JavaScript"
            : ruledPart(functionName, shortUrl(url)) ?? inherited);
    parts.set(node.id, own);
    for (const child of node.children ?? []) {
      const next = byId.get(child);
      if (next !== undefined) walk(next, own);
    }
  };
  const [first] = profile.nodes;
  if (first !== undefined) walk(first, "sockets and event loop");
  return parts;
}

/** Adds one thread's samples between the two instants. @param thread its name, unless it is the main thread */
export function addProfile(shares: Shares, profile: CpuProfile, window: readonly [number, number], thread: string | undefined): void {
  const parts = partOfNodes(profile, thread);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  let at = profile.startTime;
  profile.samples.forEach((id, index) => {
    at += profile.timeDeltas[index] ?? 0;
    const part = parts.get(id);
    if (at < window[0] || at > window[1] || part === undefined || part === "idle") return;
    // A sample stands for the time until the next one.
    const micros = Math.min(profile.timeDeltas[index + 1] ?? 0, 20 * SAMPLE_EVERY_MICROS);
    const frame = byId.get(id)?.callFrame;
    const place = frame === undefined ? "?" : `${frame.functionName || "(anonymous)"} ${shortUrl(frame.url)}${frame.lineNumber < 0 ? "" : `:${frame.lineNumber + 1}`}`;
    shares.parts.set(part, (shares.parts.get(part) ?? 0) + micros);
    const key = `${part}: ${place}`;
    shares.functions.set(key, (shares.functions.get(key) ?? 0) + micros);
  });
}

function threadName(profile: CpuProfile): string {
  return profile.nodes.some((node) => node.callFrame.url.includes("/src/") && WRITER_FILES.test(shortUrl(node.callFrame.url))) ? "writer thread" : "other threads";
}

function readProfiles(folder: string, window: readonly [number, number]): Shares {
  const shares: Shares = { parts: new Map(), functions: new Map() };
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  if (files.length === 0) throw new Error("The profiler left no file: the process must end by itself on SIGTERM.");
  for (const file of files) {
    const profile = JSON.parse(readFileSync(join(folder, file), "utf8")) as CpuProfile;
    // CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile; thread 0 is the main thread.
    addProfile(shares, profile, window, file.split(".")[4] === "0" ? undefined : threadName(profile));
  }
  return shares;
}

function lines(title: string, values: Map<string, number>, result: JobResult, atMost: number): string {
  const total = [...values.values()].reduce((sum, micros) => sum + micros, 0);
  const sorted = [...values].sort((a, b) => b[1] - a[1]).slice(0, atMost);
  return [title, ...sorted.map(([name, micros]) => {
    const share = micros / total;
    return `${(share * result.cpuMicrosPerRequest).toFixed(1).padStart(8)} µs ${(share * 100).toFixed(1).padStart(6)} %  ${name}`;
  })].join("\n");
}

export async function profileParts(ground: Ground, options: Options, say: Say): Promise<void> {
  const found = new Map<string, { shares: Shares; result: JobResult }>();
  const wanted = options.only ?? ["floor", "tollgate"];
  for (const target of TARGETS.filter((each) => wanted.includes(each.name))) {
    const missing = target.missing();
    if (missing !== undefined) {
      say(`!!! ${target.title} is left out: ${missing}.`);
      continue;
    }
    const folder = join(ground.folder, "profiles", target.name);
    mkdirSync(folder, { recursive: true });
    const running = await startTarget(ground, target, ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${SAMPLE_EVERY_MICROS}`]);
    say(`profiling ${target.title}`);
    const job = options.streams ? streamJob : plainJob;
    const result = await ground.work(job(running, options.warmUpMs, options.plainMs));
    await stopChild(running.child, 40_000);
    const shares = readProfiles(folder, result.windowMicros);
    const heading = `\n${target.title}: ${result.cpuMicrosPerRequest.toFixed(0)} µs CPU per ${options.streams ? "stream" : "request"} under the profiler, ${result.completed} requests, ${result.failed} failed`;
    process.stdout.write(`${lines(`${heading}\n`, shares.parts, result, 99)}\n\n${threadLines(target.title, result)}\n\n${lines(`${target.title}, functions by their own time\n`, shares.functions, result, FUNCTIONS_SHOWN)}\n`);
    found.set(target.title, { shares, result });
  }
  if (options.write && !options.streams) writeBetween(join(root, "bench/README.md"), "parts", partsTable(found));
}

/** What the kernel accounts to each thread, the profiler's own left out: time that is waited for is in no thread. */
function threadLines(title: string, result: JobResult): string {
  const own = result.threads.filter(({ name, cpuMicrosPerRequest }) => !name.includes("ProfEvntProc") && cpuMicrosPerRequest >= 0.05);
  return [`${title}, CPU by thread\n`, ...own.map(({ name, cpuMicrosPerRequest }) => `${cpuMicrosPerRequest.toFixed(1).padStart(8)} µs  ${name.slice(name.indexOf(" ") + 1)}`)].join("\n");
}

function partsTable(found: ReadonlyMap<string, { readonly shares: Shares; readonly result: JobResult }>): string {
  const columns = [...found].map(([title, { shares, result }]) => {
    const total = [...shares.parts.values()].reduce((sum, micros) => sum + micros, 0);
    return { title, share: (part: string): string => (((shares.parts.get(part) ?? 0) / total) * result.cpuMicrosPerRequest).toFixed(1), sum: result.cpuMicrosPerRequest.toFixed(0) };
  });
  const parts = new Set([...found.values()].reverse().flatMap(({ shares }) => [...shares.parts].sort((a, b) => b[1] - a[1]).map(([part]) => part)));
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    row(["µs per request, under the profiler", ...columns.map(({ title }) => title)]), row(["---", ...columns.map(() => "---:")]),
    ...[...parts].map((part) => row([part, ...columns.map(({ share }) => share(part))])), row(["sum", ...columns.map(({ sum }) => sum)]),
  ].join("\n");
}
