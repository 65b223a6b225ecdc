// Processes of the bench: started quietly, watched, and ended by their own handle.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

export interface Started {
  readonly process: ChildProcess;
  readonly pid: number;
  /** What it wrote, for a message when something goes wrong. */
  output(): string;
}

export interface StartOptions {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly logFile: string;
  /** Messages to and from the parent. */
  readonly channel?: boolean;
}

const living = new Set<ChildProcess>();
// Nothing outlives the bench, not even when it is interrupted.
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

export function startChild(options: StartOptions): Started {
  const log = openSync(options.logFile, "a");
  const [program, ...rest] = options.command;
  if (program === undefined) throw new Error("A command must name a program.");
  const child = spawn(program, rest, {
    cwd: options.folder,
    env: { ...process.env, NODE_OPTIONS: "", ...options.environment },
    stdio: ["ignore", log, log, ...(options.channel === true ? (["ipc"] as const) : [])],
  });
  closeSync(log);
  if (child.pid === undefined) throw new Error(`Cannot start ${program}.`);
  living.add(child);
  child.once("exit", () => living.delete(child));
  return { process: child, pid: child.pid, output: () => readFileSync(options.logFile, "utf8").slice(-2_000) };
}

/** Asks the process to end; kills it only if it does not within `withinMs`, at once if that is 0. */
export async function stopChild(started: Started, withinMs = 5_000): Promise<void> {
  if (started.process.exitCode !== null || started.process.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => started.process.once("exit", () => resolve()));
  if (withinMs > 0) started.process.kill("SIGTERM");
  const timer = setTimeout(() => started.process.kill("SIGKILL"), withinMs);
  await ended;
  clearTimeout(timer);
}

/** The first message that the process sends. */
export function firstMessage<T>(started: Started): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`The process ended early:\n${started.output()}`));
    started.process.once("exit", ended);
    started.process.once("message", (message) => {
      started.process.off("exit", ended);
      resolve(message as T);
    });
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Polls until `url` answers 200. @returns milliseconds since `since` */
export async function readyAfter(started: Started, url: string, since: number, withinMs: number): Promise<number> {
  for (;;) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
      await response.arrayBuffer();
      if (response.ok) return performance.now() - since;
    } catch {
      // not listening yet
    }
    if (started.process.exitCode !== null) throw new Error(`It ended with ${started.process.exitCode}:\n${started.output()}`);
    if (performance.now() - since > withinMs) throw new Error(`Not ready after ${withinMs} ms:\n${started.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
