import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { runProgram, type Application } from "../surfaces/cli/program.ts";
import { findGateway } from "./cli/find-gateway.ts";
import { processTerminal } from "./cli/process-terminal.ts";

/** The command line: modules that only one command needs are loaded by it, so that the others start at once. */
export async function runCli(argv: readonly string[]): Promise<void> {
  if (import.meta.url.endsWith(".ts")) compileOnce();
  const terminal = processTerminal();
  const application: Application = {
    version: (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version,
    debug: (process.env["TOLLGATE_DEBUG"] ?? "") !== "",
    dataFolder: ".tollgate",
    demoFolder: ".tollgate-demo",
    start: async (options) => (await import("./cli/start.ts")).start(options, terminal),
    demo: async (options) => (await import("./cli/demo.ts")).demo(options, terminal),
    export: async (options) => (await import("./cli/export.ts")).exportCommand(options, terminal),
    monitor: async (options) => (await import("./cli/monitor.ts")).monitorCosts(options, terminal),
    forecast: async (options) => (await import("./cli/forecast.ts")).forecastCosts(options, terminal),
    top: async (options) => (await import("./cli/top.ts")).topCosts(options, terminal),
    optimizing: async () => (await import("./cli/optimize.ts")).optimizing(terminal),
    gateway: findGateway,
    report: async (options) => (await import("./cli/report.ts")).reportCosts(options, terminal),
    audit: async (place) => (await import("./cli/books.ts")).auditOf(place),
  };
  const code = await runProgram(argv.slice(2), application, terminal);
  // A failed start may leave threads behind; they must not keep the process.
  process.exit(code);
}

/** From a checkout half of a start is reading TypeScript. A folder that cannot be written leaves that as it is. */
function compileOnce(): void {
  const folder = fileURLToPath(new URL("../../node_modules/.cache/compiled", import.meta.url));
  enableCompileCache(folder);
  // Threads learn it from here.
  process.env["NODE_COMPILE_CACHE"] ??= folder;
}
