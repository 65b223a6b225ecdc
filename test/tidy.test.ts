import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SRC = join(ROOT, "src");
const LINES_MAX = 400;

/** ARCHITECTURE.md, section 3: what a layer may import of the others. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: ["base"],
  domain: ["base", "domain"],
  engine: ["base", "domain", "engine"],
  adapters: ["base", "domain"],
  surfaces: ["base", "domain", "engine", "surfaces"],
  app: ["base", "domain", "engine", "adapters", "surfaces", "app"],
  entry: ["base", "domain", "engine", "adapters", "surfaces", "app", "entry"],
};

interface SourceFile {
  /** Relative to `src`, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly code: string;
  /** What it imports of `src`, relative to `src`. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
}

const FROM = /\b(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g;

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => readSource(path.split(sep).join("/")));

function readSource(path: string): SourceFile {
  const text = readFileSync(join(SRC, path), "utf8");
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  const names = [...code.matchAll(FROM)].map((match) => match[1] ?? match[2] ?? "");
  const imports = names.filter((name) => name.startsWith(".")).map((name) => relative(SRC, join(SRC, dirname(path), name)).split(sep).join("/"));
  return { path, text, code, imports, packages: names.filter((name) => !name.startsWith(".")) };
}

const layerOf = (path: string): string => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "entry");
/** The port that an adapter implements: `stores` of `adapters/stores/sqlite/schema.ts`. */
const portOf = (path: string): string | undefined => path.split("/")[1];
/** What it implements it with: `sqlite`. */
const driverOf = (path: string): string | undefined => path.split("/")[2];

const offenders = (of: (file: SourceFile) => readonly string[] | boolean): string[] =>
  files.flatMap((file) => {
    const found = of(file);
    return typeof found === "boolean" ? (found ? [file.path] : []) : found.map((what) => `${file.path}: ${what}`);
  });

test("the reader of imports sees them: every relative import leads to a file", () => {
  expect(files.length).toBeGreaterThan(100);
  expect(files.find((file) => file.path === "cli.ts")?.imports).toContain("app/cli.ts");
  expect(offenders((file) => file.imports.filter((path) => !existsSync(join(SRC, path))))).toEqual([]);
  expect(offenders((file) => file.imports.filter((path) => !/\.(ts|json)$/.test(path)))).toEqual([]);
});

test("every folder of src is a layer of ARCHITECTURE.md", () => {
  expect(files.map((file) => layerOf(file.path)).filter((layer) => !(layer in MAY_IMPORT))).toEqual([]);
});

test("imports go down the layers only", () => {
  expect(offenders((file) => {
    const layer = layerOf(file.path);
    const allowed = MAY_IMPORT[layer] ?? [];
    return file.imports.filter((path) => {
      const other = layerOf(path);
      // An adapter knows its own port's folder, and of other ports only what shares its driver: one ledger file, one schema.
      if (layer === "adapters" && other === "adapters") return portOf(path) !== portOf(file.path) && driverOf(path) !== driverOf(file.path);
      return !allowed.includes(other);
    });
  })).toEqual([]);
});

test("base, domain and engine import no package and nothing of Node", () => {
  expect(offenders((file) => (["base", "domain", "engine"].includes(layerOf(file.path)) ? file.packages : []))).toEqual([]);
});

test("there is no circle of imports that are needed at run time", () => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  // Types leave no trace at run time, and may refer to each other (an attempt and its engine do).
  const needs = (file: SourceFile): string[] => {
    const code = file.code.replaceAll(/\b(?:import|export) type\b[^;]*;/g, "");
    return [...code.matchAll(FROM)].map((match) => match[1] ?? "").filter((name) => name.startsWith(".")).map((name) => relative(SRC, join(SRC, dirname(file.path), name)).split(sep).join("/"));
  };
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(" > "));
    const file = byPath.get(path);
    if (file === undefined || done.has(path) || trail.includes(path)) return;
    for (const next of needs(file)) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const file of files) visit(file.path, []);
  expect(circles).toEqual([]);
});

test("parameters of SQL have no numbers: node:sqlite of Node 22 takes those for names and binds nothing to them", () => {
  const sql = /`[^`]*\b(?:SELECT|INSERT|UPDATE|DELETE|VALUES)\b[^`]*`|"[^"\n]*\b(?:SELECT|INSERT|UPDATE|DELETE|VALUES)\b[^"\n]*"/g;
  expect(offenders((file) => [...file.code.matchAll(sql)].map(([text]) => text).filter((text) => /\?\d/.test(text)))).toEqual([]);
});

test("only src/app reads process.env", () => {
  expect(offenders((file) => layerOf(file.path) !== "app" && /\bprocess\.env\b/.test(file.code))).toEqual([]);
});

test("entries of the package only re-export, or start the command line", () => {
  expect(offenders((file) => layerOf(file.path) === "entry" && /\b(?:function|class|const|let)\b/.test(file.code))).toEqual([]);
});

test(`no file is over ${LINES_MAX} lines`, () => {
  // Price lists: one model a line, so that a changed price is a changed line.
  const lists = ["adapters/prices/book.ts", "adapters/prices/supplement-rows.ts"];
  expect(offenders((file) => !lists.includes(file.path) && file.text.split("\n").length - 1 > LINES_MAX)).toEqual([]);
});

test("no console, debugger, to-do, suppressed check or untyped value", () => {
  expect(offenders((file) => /\bconsole\.|\bdebugger\b/.test(file.code))).toEqual([]);
  expect(offenders((file) => /\b(?:TODO|FIXME|XXX|HACK)\b/.test(file.text))).toEqual([]);
  expect(offenders((file) => /@ts-(?:ignore|nocheck|expect-error)|\bas any\b|: any\b|eslint-disable/.test(file.text))).toEqual([]);
});

test("only the command line writes to stdout and ends the process", () => {
  const mayWrite = (path: string): boolean => /^(?:app\/cli|surfaces\/cli)\b/.test(path);
  expect(offenders((file) => !mayWrite(file.path) && /\bprocess\.(?:stdout|exit\b)/.test(file.code))).toEqual([]);
});

test("no folder or file is a drawer: utils, helpers, common, misc", () => {
  expect(offenders((file) => /(?:^|[/-])(?:utils?|helpers?|common|misc|shared)(?:[/.-]|$)/.test(file.path))).toEqual([]);
});

const README_PARTS = [/owns/i, /does not own/i, /invariants|rules/i, /failure behaviour/i];

function readmeProblems(folder: string): string[] {
  const path = join(SRC, folder, "README.md");
  if (!existsSync(path)) return [`${folder} has no README.md`];
  const text = readFileSync(path, "utf8");
  return README_PARTS.filter((part) => !part.test(text)).map((part) => `${folder}/README.md does not say ${part.source}`);
}

test("every domain folder opens with what it owns, does not own, its invariants and its failure behaviour", () => {
  const folders = readdirSync(join(SRC, "domain"), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => `domain/${entry.name}`);
  expect(folders.length).toBeGreaterThan(6);
  expect(folders.flatMap(readmeProblems)).toEqual([]);
  expect(readdirSync(join(SRC, "domain"), { withFileTypes: true }).filter((entry) => entry.isFile())).toEqual([]);
});

test("every adapter has a README of the same four parts, in its folder or its port's", () => {
  const folders = [...new Set(files.filter((file) => layerOf(file.path) === "adapters").map((file) => file.path.split("/").slice(0, -1).slice(0, 3).join("/")))];
  const has = (folder: string): boolean => existsSync(join(SRC, folder, "README.md"));
  expect(folders.filter((folder) => !has(folder) && !has(dirname(folder)))).toEqual([]);
  expect(folders.filter(has).flatMap(readmeProblems)).toEqual([]);
});
