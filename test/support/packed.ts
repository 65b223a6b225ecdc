import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache/tollgate-packed");
/** Everything that decides what is in the package. */
const SOURCES = ["src", "scripts/build.ts", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json", "README.md", "LICENSE", "tollgate.example.yaml"];

/** The package as `npm pack` makes it, and an empty project in which npm installed it. */
export interface Packed {
  readonly tarball: string;
  /** The paths in the tarball, without the leading `package/`, with their sizes in bytes. */
  readonly files: readonly { readonly path: string; readonly size: number; readonly mode: number }[];
  readonly packedBytes: number;
  /** The project; programs in it import "tollgate". */
  readonly project: string;
}

/** Made once for each content of the sources, however many test files ask for it at the same time. */
export async function packedTollgate(): Promise<Packed> {
  const folder = join(CACHE, hashOfSources());
  mkdirSync(CACHE, { recursive: true });
  while (!existsSync(join(folder, "packed.json"))) {
    if (takeLock()) {
      try {
        if (!existsSync(join(folder, "packed.json"))) await make(folder);
      } finally {
        rmSync(LOCK, { force: true });
      }
    } else {
      await delay(100);
    }
  }
  return JSON.parse(readFileSync(join(folder, "packed.json"), "utf8")) as Packed;
}

const LOCK = join(CACHE, "lock");

/** Whether this process may build now; a builder that died is no obstacle. */
function takeLock(): boolean {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    try {
      process.kill(Number(readFileSync(LOCK, "utf8")), 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") rmSync(LOCK, { force: true });
    }
    return false;
  }
}

async function make(folder: string): Promise<void> {
  // What other contents left is not needed any more.
  for (const old of readdirSync(CACHE)) if (join(CACHE, old) !== LOCK) rmSync(join(CACHE, old), { recursive: true, force: true });
  const project = join(folder, "project");
  mkdirSync(project, { recursive: true });
  // `npm pack` runs `prepack`, which builds: what is tested is what would be published.
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
  const [packed] = JSON.parse(stdout.slice(stdout.search(/^[[{]/m))) as { filename: string; size: number; files: Packed["files"] }[];
  if (packed === undefined) throw new Error(`npm pack said: ${stdout}`);
  const tarball = join(folder, "tollgate.tgz");
  renameSync(join(folder, packed.filename), tarball);
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "private": true, "type": "module" }\n');
  await run("npm", ["install", tarball, "--prefer-offline", "--no-audit", "--no-fund"], { cwd: project });
  writeFileSync(join(folder, "packed.json"), JSON.stringify({ tarball, files: packed.files, packedBytes: packed.size, project } satisfies Packed));
}

function hashOfSources(): string {
  const hash = createHash("sha256");
  for (const source of SOURCES) {
    const path = join(ROOT, source);
    const files = source === "src" ? readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).toSorted() : [path];
    for (const file of files) hash.update(file.slice(ROOT.length)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}
