import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { packedTollgate, ROOT, type Packed } from "../support/packed.ts";

const run = promisify(execFile);
const KIB = 1_024;

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
  readonly scripts: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
const entries = Object.entries(manifest.exports).flatMap(([name, target]) => (typeof target === "string" ? [] : [[name, target] as const]));
let packed: Packed;
let installed: string;

beforeAll(async () => {
  packed = await packedTollgate();
  installed = join(packed.project, "node_modules/tollgate");
}, 240_000);

const IMPORTS = /^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"/gm;
const WITH_DYNAMIC = new RegExp(`${IMPORTS.source}|\\bimport\\(\\s*"([^"]+)"\\s*\\)`, "gm");

/** Files and packages that a module of the installed package loads when it is imported. */
function reachedFrom(path: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const code = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
    for (const [, name = ""] of code.matchAll(IMPORTS)) {
      if (name.startsWith(".")) visit(join(dirname(file), name));
      else packages.add(name);
    }
  };
  visit(path);
  return { files, packages };
}

test("the tarball holds what runs, its types and what must be said, and nothing else", () => {
  const strange = packed.files.map(({ path }) => path).filter((path) => !/^dist\/(?:[\w-]+\/)*[\w.-]+(?:\.js|\.d\.ts|\.wasm|\.ttf|\.otf|\.woff2?)$/.test(path));
  expect(strange.toSorted()).toEqual(["LICENSE", "README.md", "dist/THIRD-PARTY-NOTICES.txt", "package.json", "tollgate.example.yaml"]);
  expect(packed.files.filter(({ path }) => /\.test\.|\.map$|(?:^|\/)(?:test|bench|scripts|examples|src)\//.test(path))).toEqual([]);
  expect(packed.files.length).toBeGreaterThan(200);
});

test("it is small: at most 3 MiB to download, most of it the tokenizer's two tables; no module of our own is over 300 KiB", () => {
  expect(packed.packedBytes).toBeLessThan(3 * KIB * KIB);
  expect(packed.files.filter(({ path, size }) => size > 300 * KIB && !/^dist\/(?:vendor|adapters\/charts)\//.test(path))).toEqual([]);
});

test("no path of the machine that built it, no registry and no source in TypeScript is left in it", () => {
  const suspicious = packed.files.map(({ path }) => path).filter((path) => /\.(?:js|ts|json|md|txt|yaml)$/.test(path)).filter((path) => {
    const text = readFileSync(join(installed, path), "utf8");
    // The tokenizer's tables hold every text there is.
    if (path.startsWith("dist/vendor/")) return text.includes(ROOT);
    return text.includes(ROOT) || /https?:\/\/[^/"'\s]*registry|"workspace:|sourceMappingURL/.test(text) || /(?:from|import\()\s*"\.[^"]*\.ts"/.test(text);
  });
  expect(suspicious).toEqual([]);
});

test("every entry in src is a subpath of the package, and every subpath an entry", () => {
  const sources = readdirSync(join(ROOT, "src")).filter((name) => name.endsWith(".ts") && name !== "cli.ts").map((name) => name.slice(0, -".ts".length));
  const expected = sources.map((name) => [name === "index" ? "." : `./${name}`, { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }]);
  expect(Object.fromEntries(entries)).toEqual(Object.fromEntries(expected));
});

test("types are there for every subpath, all that they refer to is there, and none without an entry", () => {
  const reached = new Set<string>();
  const missing: string[] = [];
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const [, from, dynamic] of readFileSync(path, "utf8").matchAll(WITH_DYNAMIC)) {
      const name = from ?? dynamic ?? "";
      if (!name.startsWith(".")) continue;
      const target = join(dirname(path), name.replace(/\.js$/, ".d.ts"));
      if (existsSync(target)) visit(target);
      else missing.push(`${path}: ${name}`);
    }
  };
  for (const [, { types }] of entries) visit(join(installed, types));
  expect(missing).toEqual([]);
  expect(packed.files.filter(({ path }) => path.endsWith(".d.ts") && !reached.has(join(installed, path))).map(({ path }) => path)).toEqual([]);
});

test("what runs imports only what is installed with it: dependencies, optional peers, Node", () => {
  const known = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
  const unknown = packed.files.filter(({ path }) => path.endsWith(".js") && !path.startsWith("dist/vendor/")).flatMap(({ path }) => {
    const code = readFileSync(join(installed, path), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
    const names = [...code.matchAll(WITH_DYNAMIC)].map((match) => match[1] ?? match[2] ?? "");
    return names.filter((name) => !name.startsWith(".") && !name.startsWith("node:") && !known.some((dependency) => name === dependency || name.startsWith(`${dependency}/`))).map((name) => `${path}: ${name}`);
  });
  expect(unknown).toEqual([]);
  expect(Object.keys(manifest.peerDependencies).filter((name) => manifest.peerDependenciesMeta[name]?.optional !== true)).toEqual([]);
});

test.each(["index.js", "money.js"])("dist/%s reaches no package, no node:sqlite and no thread when it is imported", (entry) => {
  const harmless = ["node:async_hooks", "node:buffer", "node:crypto", "node:perf_hooks"];
  const { files, packages } = reachedFrom(join(installed, "dist", entry));
  expect([...packages].filter((name) => !harmless.includes(name))).toEqual([]);
  expect(files.size).toBeGreaterThan(2);
});

test("publint and attw find nothing (npm run check:package does the same)", async () => {
  expect(manifest.scripts["check:package"]).toBe("publint --strict && attw --pack --profile esm-only");
  const bin = (name: string): string => join(ROOT, "node_modules/.bin", name);
  const lint = await run(bin("publint"), [packed.tarball, "--strict"], { cwd: packed.project });
  expect(lint.stdout).toContain("All good!");
  const types = await run(bin("attw"), [packed.tarball, "--profile", "esm-only", "--format", "json"], { cwd: packed.project });
  const { analysis } = JSON.parse(types.stdout) as { analysis: { entrypoints: Record<string, { resolutions: Record<string, { resolution?: { fileName: string } }> }> } };
  for (const [name] of entries) {
    const { node16, bundler } = { node16: analysis.entrypoints[name]?.resolutions["node16-esm"], bundler: analysis.entrypoints[name]?.resolutions["bundler"] };
    expect([name, node16?.resolution?.fileName.endsWith(".d.ts"), bundler?.resolution?.fileName.endsWith(".d.ts")]).toEqual([name, true, true]);
  }
}, 60_000);
