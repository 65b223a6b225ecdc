// What is measured. Each target is data and three functions: can it run here, its command, and what it needs before traffic.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setUpTollgate, spendOfKey, tollgateConfig } from "./tollgate-set-up.ts";

export interface Place {
  readonly port: number;
  /** Origin of the simulated upstream. */
  readonly upstream: string;
  /** Folder of this target's own; kept between its first and second start. */
  readonly folder: string;
}

export interface Target {
  readonly name: string;
  readonly title: string;
  /** What is switched on, for the table. */
  readonly setUp: string;
  readonly readyPath: string;
  /** Makes sure that it can run. @returns why it cannot */
  missing(): string | undefined;
  command(place: Place): { readonly command: readonly string[]; readonly environment?: Readonly<Record<string, string>> };
  /** After it is ready. @returns headers that every request carries */
  prepare(place: Place): Promise<Readonly<Record<string, string>>>;
  /** After the traffic: what its books say, as a sentence; proof that it did not cheat. Throws if they are empty. */
  booked?(place: Place, headers: Readonly<Record<string, string>>): Promise<string>;
}

const bench = dirname(fileURLToPath(import.meta.url));
export const root = dirname(bench);
const masterKey = "sk-bench-2f1c9e07b6d84a53";

const floor: Target = {
  name: "floor",
  title: "floor",
  setUp: "bare `node:http` + `undici.Pool`, JSON parsed both ways; streams a bare pipe",
  readyPath: "/",
  missing: () => undefined,
  command: ({ port, upstream }) => ({ command: [process.execPath, join(bench, "floor.ts"), String(port), upstream] }),
  prepare: () => Promise.resolve({}),
};

const tollgate: Target = {
  name: "tollgate",
  title: "Tollgate",
  setUp: "virtual key, hard budgets on global, team, member and key, rpm and tpm limits on key and team, ledger on SQLite",
  readyPath: "/health/readiness",
  missing: () => (existsSync(join(root, "src/cli.ts")) ? undefined : "src/cli.ts does not exist yet"),
  command: (place) => {
    const config = join(place.folder, "tollgate.yaml");
    const data = join(place.folder, "data");
    mkdirSync(data, { recursive: true });
    writeFileSync(config, tollgateConfig(place.upstream));
    return {
      command: [process.execPath, join(root, "src/cli.ts"), "start", "--config", config, "--host", "127.0.0.1", "--port", String(place.port), "--data", data],
      environment: { TOLLGATE_MASTER_KEY: masterKey },
    };
  },
  prepare: async ({ port }) => ({ authorization: `Bearer ${await setUpTollgate(`http://127.0.0.1:${port}`, masterKey)}` }),
  booked: ({ port }, headers) => spendOfKey(`http://127.0.0.1:${port}`, masterKey, (headers["authorization"] ?? "").replace("Bearer ", "")),
};

const peers = join(bench, "peers");
const portkeyServer = join(peers, "node_modules/@portkey-ai/gateway/build/start-server.js");

const portkey: Target = {
  name: "portkey",
  title: "Portkey 1.15.2",
  setUp: "npm package, headless, no keys, no budgets, no log",
  readyPath: "/",
  missing: () => {
    if (existsSync(portkeyServer)) return undefined;
    process.stderr.write("Installing the peers of the bench (once) ...\n");
    try {
      // npm runs on the repository's own Node.
      const path = [dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter);
      execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: peers, stdio: ["ignore", 2, 2], env: { ...process.env, PATH: path } });
    } catch {
      return "`npm ci` in bench/peers failed (no registry?)";
    }
    return existsSync(portkeyServer) ? undefined : "its package has no server";
  },
  command: ({ port }) => ({ command: [process.execPath, portkeyServer, `--port=${port}`, "--headless"], environment: { NODE_ENV: "production" } }),
  prepare: ({ upstream }) => Promise.resolve({
    authorization: "Bearer simulated", "x-portkey-provider": "openai", "x-portkey-custom-host": `${upstream}/v1`,
  }),
};

export const TARGETS: readonly Target[] = [floor, tollgate, portkey];
