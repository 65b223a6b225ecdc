// Medians, ratios and the table.
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { JobResult } from "./load-jobs.ts";
import { FIXED_RATE, PLAIN_CONNECTIONS, STREAM_CONNECTIONS } from "./rounds.ts";
import type { Findings } from "./rounds.ts";
import { CHUNK_INTERVAL_MS, STREAM_CHUNKS } from "./traffic.ts";

export interface Results {
  readonly findings: readonly Findings[];
  /** The fixed rate straight to the upstream, nothing in between. */
  readonly direct: readonly JobResult[];
  readonly rounds: number;
  readonly quick: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

const MISSING = "–";
const MEBIBYTE = 1_048_576;

function shown(value: number, digits: number, unit = ""): string {
  return Number.isFinite(value) ? `${value.toFixed(digits)}${unit}` : MISSING;
}

/** Every request failed: the target does not serve this kind. */
function refused(results: readonly JobResult[]): boolean {
  return results.length > 0 && results.every((result) => result.completed === 0 && result.failed > 0);
}

const cpu = (results: readonly JobResult[]): number => (refused(results) ? Number.NaN : median(results.map((result) => result.cpuMicrosPerRequest)));

/** Less than what was asked for was answered in time: the latencies mean nothing then. */
function heldRate(results: readonly JobResult[]): boolean {
  return results.every((result) => result.completed >= 0.97 * (result.completed + result.failed) && result.p50Ms < 200);
}

type Row = readonly string[];

const HEADER: Row = [
  "", "CPU µs/request", "× floor", "requests/s", "CPU µs per streamed chunk", "× bare pipe", "streams/s",
  `added p50 / p99 at ${FIXED_RATE.toLocaleString("en")} req/s`, "CPU µs/request at that rate", "MB fresh → with idle streams", "KB per stream", "ready: first / second start",
];

function row(findings: Findings, floor: Findings | undefined, direct: readonly JobResult[]): Row {
  const plain = cpu(findings.plain);
  const chunk = cpu(findings.stream) / STREAM_CHUNKS;
  const paired = (pick: (result: JobResult) => number): number => median(findings.fixedRate.map((result, index) => {
    const base = direct[index];
    return base === undefined ? Number.NaN : pick(result) - pick(base);
  }));
  const latency = !heldRate(findings.fixedRate) ? "cannot keep up" : `${shown(paired((r) => r.p50Ms), 2)} / ${shown(paired((r) => r.p99Ms), 2)} ms`;
  const memory = `${shown(findings.freshBytes / MEBIBYTE, 0)} → ${findings.idleStreams === 0 ? "refused" : `${shown(findings.idleStreamBytes / MEBIBYTE, 0)} (${findings.idleStreams.toLocaleString("en")})`}`;
  return [
    findings.target.title, shown(plain, 0), shown(plain / (floor === undefined ? Number.NaN : cpu(floor.plain)), 2),
    shown(median(findings.plain.map((result) => result.completed / result.seconds)), 0),
    refused(findings.stream) ? "refused" : shown(chunk, 1), shown(chunk / (floor === undefined ? Number.NaN : cpu(floor.stream) / STREAM_CHUNKS), 2),
    refused(findings.stream) ? MISSING : shown(median(findings.stream.map((result) => result.completed / result.seconds)), 0),
    latency, shown(cpu(findings.fixedRate), 0), memory,
    findings.idleStreams === 0 ? MISSING : shown((findings.idleStreamBytes - findings.freshBytes) / 1_024 / findings.idleStreams, 0),
    `${shown(findings.firstReadyMs / 1_000, 2)} / ${shown(findings.secondReadyMs / 1_000, 2)} s`,
  ];
}

function transposed(rows: readonly Row[]): Row[] {
  return HEADER.map((_, column) => rows.map((each) => each[column] ?? ""));
}

/** The table turned, one line per figure: it stays readable in a terminal. */
export function table(results: Results): string {
  const floor = results.findings.find((each) => each.target.name === "floor");
  const rows = transposed([HEADER, ...results.findings.map((each) => row(each, floor, results.direct))]);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((each) => (each[column] ?? "").length)));
  const line = (cells: Row): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [first = [], ...rest] = rows;
  return [line(first), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rest.map(line)].join("\n");
}

export function notes(results: Results): string {
  const lag = median(results.direct.map((result) => result.sendLagP99Ms));
  return [
    ...results.findings.map((each) => `- ${each.target.title}: ${each.target.setUp}${each.booked === undefined ? "" : `; ${each.booked}`}.`),
    `- Straight to the upstream at the fixed rate: p50 ${shown(median(results.direct.map((r) => r.p50Ms)), 2)} ms, p99 ${shown(median(results.direct.map((r) => r.p99Ms)), 2)} ms; 99 % of sends left within ${shown(lag, 2)} ms of their planned instant.`,
    `- ${results.rounds} interleaved rounds, medians. Plain: ${PLAIN_CONNECTIONS} connections without pause. Streams: ${STREAM_CONNECTIONS} at a time, ${STREAM_CHUNKS} events ${CHUNK_INTERVAL_MS} ms apart.`,
    `- Machine: ${availableParallelism()} cores, shared by upstream, load and target; Linux, Node ${process.versions.node}; ${new Date().toISOString().slice(0, 10)}.`,
  ].join("\n");
}

/** Requests that did not end well: said loudly, since they make every other figure doubtful. */
export function failures(results: Results): string[] {
  return results.findings.flatMap((each) => (["plain", "fixedRate", "stream"] as const).flatMap((kind) => {
    const failed = each[kind].reduce((sum, result) => sum + result.failed, 0);
    const problem = each[kind].find((result) => result.problem !== undefined)?.problem;
    return failed === 0 ? [] : [`${each.target.title}, ${kind}: ${failed} requests failed, the first with: ${problem ?? "?"}`];
  }));
}

/** Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`. */
export function writeBetween(file: string, name: string, text: string): void {
  const before = readFileSync(file, "utf8");
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [before.indexOf(open), before.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`${file} has no ${open} … ${close}.`);
  writeFileSync(file, `${before.slice(0, from + open.length)}\n${text}\n${before.slice(to)}`);
}
