import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

export const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of a newcomer: no provider keys, no master key. */
export function plainEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/_API_KEY$|_API_BASE$|_BASE_URL$|MASTER_KEY$|^TOLLGATE_|^NO_COLOR$|^FORCE_COLOR$/.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

/** Runs the real command line in a process of its own, to its end. */
export function runCli(argv: readonly string[], options: { env?: Readonly<Record<string, string>>; cwd?: string } = {}): Promise<Run> {
  const child = spawn(process.execPath, [CLI, ...argv], { env: plainEnvironment(options.env), ...(options.cwd === undefined ? {} : { cwd: options.cwd }), stdio: ["ignore", "pipe", "pipe"] });
  return ended(child);
}

export function ended(child: ChildProcess): Promise<Run> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => { stdout += chunk.toString(); });
  child.stderr?.on("data", (chunk: Buffer) => { stderr += chunk.toString(); });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

export interface StartedGateway {
  readonly child: ChildProcess;
  readonly url: string;
  readonly run: Promise<Run>;
  /** Milliseconds from the start of the process to the line that says it is ready. */
  readonly readyMs: number;
  /** What it has written to stdout so far. */
  printed(): string;
  /** SIGTERM, and what the process left. */
  stop(): Promise<Run>;
}

/** `tollgate start` on a free port, in a process of its own. */
export async function startCli(folder: string, options: { argv?: readonly string[]; env?: Readonly<Record<string, string>>; cwd?: string } = {}): Promise<StartedGateway> {
  const beganMs = performance.now();
  const child = spawn(process.execPath, [CLI, "start", "--port", "0", "--data", folder, ...(options.argv ?? [])], { env: plainEnvironment(options.env), ...(options.cwd === undefined ? {} : { cwd: options.cwd }), stdio: ["ignore", "pipe", "pipe"] });
  const run = ended(child);
  let text = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = /Tollgate is ready: (\S+)/.exec(text)?.[1];
      // The whole welcome is written at once.
      if (found !== undefined) resolve(found);
    });
    void run.then(({ code, stderr }) => reject(new Error(`ended with ${code}: ${stderr}`)));
  });
  return {
    child, url, run, readyMs: performance.now() - beganMs, printed: () => text,
    stop: () => {
      child.kill("SIGTERM");
      return run;
    },
  };
}
