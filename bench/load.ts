// The load generator, its own process. Takes one job at a time from the parent and answers with its result.
import { Worker } from "node:worker_threads";
import { LoadConnection } from "./load-connection.ts";
import type { Exchange } from "./load-connection.ts";
import type { ClosedJob, HoldJob, Job, JobResult, OpenJob } from "./load-jobs.ts";
import { cpuNanoseconds, threadNanoseconds } from "./process-tree.ts";
import { CHUNK_INTERVAL_MS, STREAM_CHUNKS } from "./traffic.ts";

const CLIENTS_READY_AT_START = 64;
const CLIENTS_AT_MOST = 1_000;
const LAST_ANSWERS_WITHIN_MS = 3_000;

/** Counts what happens between `begin` and `finish`. */
class Tally {
  private readonly pid: number;
  private latencies: number[] = [];
  private lags: number[] = [];
  private failed = 0;
  private problem: string | undefined;
  private cpu = 0;
  private threads = new Map<string, number>();
  private beganAt = 0;
  private beganMicros = 0;
  running = false;

  constructor(pid: number) {
    this.pid = pid;
  }

  begin(): void {
    this.running = true;
    this.cpu = this.pid === 0 ? 0 : cpuNanoseconds(this.pid);
    this.threads = this.pid === 0 ? new Map() : threadNanoseconds(this.pid);
    this.beganAt = performance.now();
    this.beganMicros = monotonicMicros();
  }

  add(exchange: Exchange, sentAt: number): void {
    if (!this.running) return;
    if (exchange.ok) this.latencies.push(exchange.at - sentAt);
    else this.fail(exchange.problem ?? "unknown");
  }

  fail(problem: string): void {
    this.failed += 1;
    this.problem ??= problem;
  }

  lag(ms: number): void {
    if (this.running) this.lags.push(ms);
  }

  finish(): JobResult {
    this.running = false;
    const seconds = (performance.now() - this.beganAt) / 1_000;
    const cpu = this.pid === 0 ? 0 : cpuNanoseconds(this.pid) - this.cpu;
    return {
      completed: this.latencies.length, failed: this.failed, problem: this.problem, seconds,
      cpuMicrosPerRequest: cpu / 1_000 / Math.max(1, this.latencies.length),
      p50Ms: percentile(this.latencies, 0.5), p99Ms: percentile(this.latencies, 0.99), sendLagP99Ms: percentile(this.lags, 0.99),
      threads: this.pid === 0 ? [] : [...threadNanoseconds(this.pid)].map(([name, nanoseconds]) => ({ name, cpuMicrosPerRequest: (nanoseconds - (this.threads.get(name) ?? 0)) / 1_000 / Math.max(1, this.latencies.length) })),
      windowMicros: [this.beganMicros, monotonicMicros()],
    };
  }
}

function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function closed(job: ClosedJob): Promise<JobResult> {
  const bytes = Buffer.from(job.request, "base64");
  const tally = new Tally(job.pid);
  const clients = Array.from({ length: job.connections }, () => new LoadConnection(job.port, job.stream));
  let stopped = false;
  const next = (client: LoadConnection): void => {
    const sentAt = performance.now();
    client.send(bytes, (exchange) => {
      tally.add(exchange, sentAt);
      if (stopped) return;
      // After a failure not at once: a target that refuses must not be hammered.
      if (exchange.ok) next(client);
      else setTimeout(() => stopped || next(client), 50);
    });
  };
  // Streams begin spread over the time that one takes, so that their ends do not come together.
  const spreadMs = job.stream ? STREAM_CHUNKS * CHUNK_INTERVAL_MS : 0;
  clients.forEach((client, index) => setTimeout(() => stopped || next(client), (spreadMs * index) / clients.length));
  await sleep(spreadMs + job.warmUpMs);
  tally.begin();
  await sleep(job.durationMs);
  const result = tally.finish();
  stopped = true;
  for (const client of clients) client.close();
  return result;
}

async function open(job: OpenJob): Promise<JobResult> {
  const bytes = Buffer.from(job.request, "base64");
  const tally = new Tally(job.pid);
  const idle = Array.from({ length: CLIENTS_READY_AT_START }, () => new LoadConnection(job.port, false));
  for (const client of idle) client.open();
  const all = [...idle];
  const waiting: number[] = [];
  let inFlight = 0;
  const send = (client: LoadConnection, planned: number): void => {
    inFlight += 1;
    client.send(bytes, (exchange) => {
      inFlight -= 1;
      if (planned >= measuredFrom && planned < measuredTo) tally.add(exchange, planned);
      const late = waiting.shift();
      if (late === undefined) idle.push(client);
      else send(client, late);
    });
  };
  const intervalMs = 1_000 / job.requestsPerSecond;
  const startAt = performance.now() + 100;
  const measuredFrom = startAt + job.warmUpMs;
  const measuredTo = measuredFrom + job.durationMs;
  const beats = Math.floor((job.warmUpMs + job.durationMs) / intervalMs);
  const metronome = new Worker(new URL("./metronome.ts", import.meta.url), { workerData: { intervalMs, startAt, origin: performance.timeOrigin, beats } });
  const ended = new Promise((resolve) => metronome.once("exit", resolve));
  metronome.on("message", (beat: number) => {
    const planned = startAt + beat * intervalMs;
    if (planned >= measuredFrom && !tally.running) tally.begin();
    tally.lag(performance.now() - planned);
    let client = idle.pop();
    if (client === undefined && all.length < CLIENTS_AT_MOST) {
      client = new LoadConnection(job.port, false);
      all.push(client);
    }
    if (client === undefined) waiting.push(planned);
    else send(client, planned);
  });
  await ended;
  for (const giveUpAt = performance.now() + LAST_ANSWERS_WITHIN_MS; inFlight > 0 && performance.now() < giveUpAt;) await sleep(5);
  for (let unanswered = inFlight + waiting.length; unanswered > 0; unanswered -= 1) tally.fail("not answered in time");
  const result = tally.finish();
  for (const client of all) client.close();
  return result;
}

let held: LoadConnection[] = [];

/** Opens the streams a few at a time and waits for the first event of each. */
async function hold(job: HoldJob): Promise<JobResult> {
  const bytes = Buffer.from(job.request, "base64");
  const tally = new Tally(0);
  tally.begin();
  let begun = 0;
  for (let index = 0; index < job.connections; index += 1) {
    const sentAt = performance.now();
    const client = new LoadConnection(job.port, true, () => {
      begun += 1;
      tally.add({ at: performance.now(), ok: true, problem: undefined }, sentAt);
    });
    held.push(client);
    client.send(bytes, (exchange) => tally.fail(exchange.problem ?? "the stream ended"));
    if (index % 20 === 19) await sleep(5);
  }
  for (const giveUpAt = performance.now() + 20_000; begun < job.connections && performance.now() < giveUpAt;) await sleep(20);
  return tally.finish();
}

function run(job: Job): Promise<JobResult | undefined> {
  if (job.kind === "closed") return closed(job);
  if (job.kind === "open") return open(job);
  if (job.kind === "hold") return hold(job);
  for (const client of held) client.close();
  held = [];
  return Promise.resolve(undefined);
}

process.on("message", (job: Job) => {
  run(job).then((result) => process.send?.({ result }), (error: unknown) => {
    process.stderr.write(`load generator: ${String(error)}\n`);
    process.exit(1);
  });
});
process.on("disconnect", () => process.exit(0));
