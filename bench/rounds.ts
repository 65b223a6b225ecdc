// The measurements, interleaved: every round visits every target, so that a noisy minute hits all of them alike.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { firstMessage, freePort, readyAfter, startChild, stopChild } from "./child.ts";
import type { Started } from "./child.ts";
import type { Job, JobResult } from "./load-jobs.ts";
import type { Lengths } from "./options.ts";
import { residentBytes } from "./process-tree.ts";
import type { Place, Target } from "./targets.ts";
import { root } from "./targets.ts";
import { CHUNK_INTERVAL_MS, requestBody } from "./traffic.ts";

export const PLAIN_CONNECTIONS = 32;
export const STREAM_CONNECTIONS = 50;
export const FIXED_RATE = 1_000;
const READY_WITHIN_MS = 30_000;

export interface Running {
  readonly target: Target;
  readonly place: Place;
  readonly child: Started;
  readonly headers: Readonly<Record<string, string>>;
  readonly readyMs: number;
}

/** What one target showed; the arrays have one element per round. */
export interface Findings {
  readonly target: Target;
  readonly plain: JobResult[];
  readonly fixedRate: JobResult[];
  readonly stream: JobResult[];
  firstReadyMs: number;
  secondReadyMs: number;
  freshBytes: number;
  idleStreamBytes: number;
  idleStreams: number;
  /** What the target's own books say afterwards. */
  booked: string | undefined;
}

/** Upstream and load generator, and how to give the latter work. */
export class Ground {
  readonly folder: string;
  readonly upstreamPort: number;
  private readonly upstream: Started;
  private readonly load: Started;

  private constructor(folder: string, upstream: Started, load: Started, upstreamPort: number) {
    this.folder = folder;
    this.upstream = upstream;
    this.load = load;
    this.upstreamPort = upstreamPort;
  }

  static async prepare(folder: string): Promise<Ground> {
    const child = (file: string): Started => startChild({
      command: [process.execPath, join(root, "bench", file)], folder, logFile: join(folder, `${file}.log`), channel: true,
    });
    const upstream = child("upstream.ts");
    const { port } = await firstMessage<{ port: number }>(upstream);
    return new Ground(folder, upstream, child("load.ts"), port);
  }

  async work(job: Job): Promise<JobResult> {
    const answer = firstMessage<{ result: JobResult }>(this.load);
    this.load.process.send(job);
    return (await answer).result;
  }

  async close(): Promise<void> {
    await Promise.all([stopChild(this.load), stopChild(this.upstream)]);
  }
}

export async function startTarget(ground: Ground, target: Target, nodeFlags: readonly string[] = []): Promise<Running> {
  const folder = join(ground.folder, target.name);
  mkdirSync(folder, { recursive: true });
  const place = { port: await freePort(), upstream: `http://127.0.0.1:${ground.upstreamPort}`, folder };
  const { command, environment } = target.command(place);
  const [program = "", ...rest] = command;
  const since = performance.now();
  const child = startChild({ command: [program, ...nodeFlags, ...rest], folder, logFile: join(folder, "output.log"), ...(environment === undefined ? {} : { environment }) });
  try {
    const readyMs = await readyAfter(child, `http://127.0.0.1:${place.port}${target.readyPath}`, since, READY_WITHIN_MS);
    return { target, place, child, readyMs, headers: await target.prepare(place) };
  } catch (error) {
    await stopChild(child);
    throw error;
  }
}

/** The bytes of a whole request, in base64. */
export function requestText(port: number, headers: Readonly<Record<string, string>>, body: Buffer): string {
  const lines = Object.entries({ host: `127.0.0.1:${port}`, "content-type": "application/json", accept: "application/json", "content-length": body.length, ...headers });
  const head = `POST /v1/chat/completions HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), body]).toString("base64");
}

export function plainJob(running: Running, warmUpMs: number, durationMs: number): Job {
  const { port } = running.place;
  const request = requestText(port, running.headers, requestBody({ stream: false }));
  return { kind: "closed", port, pid: running.child.pid, request, connections: PLAIN_CONNECTIONS, warmUpMs, durationMs, stream: false };
}

export function streamJob(running: Running, warmUpMs: number, durationMs: number): Job {
  const { port } = running.place;
  const request = requestText(port, running.headers, requestBody({ stream: true }));
  return { kind: "closed", port, pid: running.child.pid, request, connections: STREAM_CONNECTIONS, warmUpMs, durationMs, stream: true };
}

export function fixedRateJob(port: number, pid: number, headers: Readonly<Record<string, string>>, warmUpMs: number, durationMs: number): Job {
  const request = requestText(port, headers, requestBody({ stream: false }));
  return { kind: "open", port, pid, request, requestsPerSecond: FIXED_RATE, warmUpMs, durationMs };
}

export type Say = (text: string) => void;

/** Memory and second start, on a fresh process: streams that have begun and say nothing more. */
export async function measureMemory(ground: Ground, findings: Findings, lengths: Lengths): Promise<void> {
  const running = await startTarget(ground, findings.target);
  try {
    findings.secondReadyMs = running.readyMs;
    await ground.work(plainJob(running, 0, Math.min(1_000, lengths.warmUpMs)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    findings.freshBytes = residentBytes(running.child.pid);
    const { port } = running.place;
    const request = requestText(port, running.headers, requestBody({ stream: true, mode: "idle" }));
    const held = await ground.work({ kind: "hold", port, pid: 0, request, connections: lengths.idleStreams });
    await new Promise((resolve) => setTimeout(resolve, 500));
    findings.idleStreamBytes = residentBytes(running.child.pid);
    findings.idleStreams = held.completed;
    await ground.work({ kind: "release" });
  } finally {
    // Not asked to drain: two thousand streams that never end would make every gateway wait.
    await stopChild(running.child, 0);
  }
}

/** Rounds of one kind over all targets that run. */
export async function playRounds(
  kind: string, lengths: Lengths, targets: readonly Running[], play: (running: Running) => Promise<void>, say: Say,
): Promise<void> {
  for (let round = 1; round <= lengths.rounds; round += 1) {
    for (const running of targets) {
      say(`${kind}: round ${round} of ${lengths.rounds}, ${running.target.title}`);
      await play(running);
    }
  }
}

export const STREAM_WARM_UP_MS = 2 * CHUNK_INTERVAL_MS * 10;
