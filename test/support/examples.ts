import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startSimulatedProvider, type SimulatedProvider } from "../../src/surfaces/simulated/simulated-provider.ts";
import { packedTollgate, ROOT } from "./packed.ts";
import { plainEnvironment } from "./run-cli.ts";

const run = promisify(execFile);

/** An empty project with the packed package installed, a copy of `examples/`, and a simulated provider as OpenAI. */
export interface ExampleProject {
  readonly folder: string;
  readonly provider: SimulatedProvider;
  readonly environment: NodeJS.ProcessEnv;
  /** Runs a file in the project (under `examples/`, or one written there) to its end. */
  node(path: string, environment?: Readonly<Record<string, string>>): Promise<{ readonly stdout: string; readonly stderr: string }>;
  close(): Promise<void>;
}

export async function openExampleProject(): Promise<ExampleProject> {
  const packed = await packedTollgate();
  // Outside of node_modules, where Node strips no types.
  const folder = mkdtempSync(join(tmpdir(), "tollgate-example-"));
  symlinkSync(join(packed.project, "node_modules"), join(folder, "node_modules"));
  cpSync(join(ROOT, "examples"), join(folder, "examples"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  const provider = await startSimulatedProvider({ speed: Infinity });
  const environment = plainEnvironment({ OPENAI_API_KEY: "sk-simulated", OPENAI_BASE_URL: `${provider.url}/v1` });
  return {
    folder, provider, environment,
    node: (path, more = {}) => run(process.execPath, [join(folder, path)], { cwd: folder, env: { ...environment, ...more } }),
    async close() {
      await provider.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
