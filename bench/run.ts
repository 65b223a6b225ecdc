// `npm run bench`: Tollgate, the floor and a peer, side by side against one simulated upstream, in one go on one machine.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stopChild } from "./child.ts";
import type { JobResult } from "./load-jobs.ts";
import { HELP, KINDS, readOptions } from "./options.ts";
import type { Options } from "./options.ts";
import { profileParts } from "./profile.ts";
import { failures, notes, table, writeBetween } from "./report.ts";
import type { Results } from "./report.ts";
import { Ground, STREAM_WARM_UP_MS, fixedRateJob, measureMemory, plainJob, playRounds, startTarget, streamJob } from "./rounds.ts";
import type { Findings, Running } from "./rounds.ts";
import { TARGETS, root } from "./targets.ts";
import type { Target } from "./targets.ts";

const began = performance.now();

function say(text: string): void {
  process.stderr.write(`[${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s] ${text}\n`);
}

function loudly(text: string): void {
  process.stderr.write(`\n!!! ${text}\n\n`);
}

function wording(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function chosenTargets(only: readonly string[] | undefined): Target[] {
  const unknown = only?.find((name) => !TARGETS.some((target) => target.name === name));
  if (unknown !== undefined) throw new Error(`--only does not know "${unknown}"; there are: ${TARGETS.map((target) => target.name).join(", ")}.`);
  return TARGETS.filter((target) => only === undefined || only.includes(target.name)).filter((target) => {
    const missing = target.missing();
    if (missing !== undefined) loudly(`${target.title} is left out: ${missing}.`);
    return missing === undefined;
  });
}

async function startAll(ground: Ground, targets: readonly Target[]): Promise<Running[]> {
  const running: Running[] = [];
  for (const target of targets) {
    try {
      running.push(await startTarget(ground, target));
      say(`${target.title} is ready`);
    } catch (error) {
      loudly(`${target.title} is left out: ${wording(error)}`);
    }
  }
  return running;
}

async function measure(ground: Ground, options: Options): Promise<Results> {
  const running = await startAll(ground, chosenTargets(options.only));
  const findings = new Map(running.map((each): [Running, Findings] => [each, {
    target: each.target, plain: [], fixedRate: [], stream: [], firstReadyMs: each.readyMs, secondReadyMs: Number.NaN,
    freshBytes: Number.NaN, idleStreamBytes: Number.NaN, idleStreams: 0, booked: undefined,
  }]));
  const direct: JobResult[] = [];
  const of = (each: Running): Findings => findings.get(each) as Findings;
  try {
    for (const each of running) {
      say(`warm-up: ${each.target.title}`);
      await ground.work(plainJob(each, options.warmUpMs, 100));
    }
    if (options.kinds.includes("plain")) await playRounds("plain", options, running, async (each) => {
      of(each).plain.push(await ground.work(plainJob(each, 150, options.plainMs)));
    }, say);
    if (options.kinds.includes("rate")) await playRounds("fixed rate", options, running, async (each) => {
      // Straight to the upstream once per round, before the first target.
      if (each === running[0]) direct.push(await ground.work(fixedRateJob(ground.upstreamPort, 0, {}, 200, options.fixedRateMs)));
      of(each).fixedRate.push(await ground.work(fixedRateJob(each.place.port, each.child.pid, each.headers, 200, options.fixedRateMs)));
    }, say);
    if (options.kinds.includes("streams")) await playRounds("streams", options, running, async (each) => {
      of(each).stream.push(await ground.work(streamJob(each, STREAM_WARM_UP_MS, options.streamMs)));
    }, say);
    for (const each of running) of(each).booked = await each.target.booked?.(each.place, each.headers).catch((error: unknown) => {
      loudly(`${each.target.title}: ${wording(error)}`);
      return "CHARGED NOTHING, so its figures do not count";
    });
  } finally {
    await Promise.all(running.map((each) => stopChild(each.child, 30_000)));
  }
  for (const each of options.kinds.includes("memory") ? findings.values() : []) {
    say(`memory with ${options.idleStreams} idle streams: ${each.target.title}`);
    await measureMemory(ground, each, options).catch((error: unknown) => loudly(`${each.target.title}, memory: ${wording(error)}`));
  }
  return { findings: [...findings.values()], direct, rounds: options.rounds, quick: options.plainMs < 2_000 };
}

function publish(results: Results, options: Options): void {
  const text = `${table(results)}\n\n${notes(results)}`;
  process.stdout.write(`\n${text}\n`);
  for (const failure of failures(results)) loudly(failure);
  if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${JSON.stringify(results, undefined, 2)}\n`);
  if (options.write && results.quick) loudly("--write is ignored with --quick: short rounds are no result.");
  else if (options.write && options.kinds.length < KINDS.length) loudly("--write is ignored with --kinds: a part is no result.");
  else if (options.write) writeBetween(join(root, "bench/README.md"), "results", text);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(HELP);
    return;
  }
  if (process.platform !== "linux") throw new Error("The bench reads the CPU accounts of Linux (/proc) and runs only there.");
  const folder = mkdtempSync(join(tmpdir(), "tollgate-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const ground = await Ground.prepare(folder);
  try {
    if (options.parts) await profileParts(ground, options, say);
    else publish(await measure(ground, options), options);
  } finally {
    await ground.close();
  }
}

await main();
