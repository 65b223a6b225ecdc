/**
 * `npm run build`: `src` as JavaScript with types in `dist`, as it is published.
 *
 * Two things that `tsc` alone does not do: a package that is only needed to build (the charts' and the tokenizer's, `BUNDLED`) is bundled
 * into the modules that import it, and types that no entry of the package reaches are left out.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SRC = join(ROOT, "src");
const DIST = join(ROOT, "dist");

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
/** Packages whose used parts are copied into `dist`, because the whole would be many times larger. */
const BUNDLED = ["echarts", "gpt-tokenizer"];
/** Packages whose content is in `src` already, as data: their licences go with it. */
const COPIED = ["@fontsource/inter", "@pydantic/genai-prices"];
/** What modules read beside themselves at run time. */
const ASSET = /\.(?:wasm|ttf|otf|woff2?)$/;
const IMPORTS = /^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;

/** Every file of a folder, as paths from there. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function importsOf(path: string): string[] {
  return [...readFileSync(path, "utf8").matchAll(IMPORTS)].map((match) => match[1] ?? match[2] ?? "");
}

const packageOf = (specifier: string): string => specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
const isRelative = (specifier: string): boolean => specifier.startsWith(".");

function compile(): void {
  rmSync(DIST, { recursive: true, force: true });
  execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"], { cwd: ROOT, stdio: ["ignore", 2, 2] });
  // What TypeScript sees of `tollgate/openai` is the package's own: a subclass would lose the namespaces that its users write.
  writeFileSync(join(DIST, "openai.d.ts"), 'export * from "openai";\nexport { default } from "openai";\n');
  for (const path of filesOf(SRC).filter((name) => ASSET.test(name))) {
    mkdirSync(dirname(join(DIST, path)), { recursive: true });
    copyFileSync(join(SRC, path), join(DIST, path));
  }
}

/**
 * Modules that import a bundled package get the parts that they use; what two of them use becomes a chunk in `dist/vendor`.
 * @returns the packages that were bundled
 */
async function bundle(): Promise<readonly string[]> {
  const importers = filesOf(DIST).filter((path) => path.endsWith(".js") && importsOf(join(DIST, path)).some((name) => BUNDLED.includes(packageOf(name))));
  if (importers.length === 0) return [];
  const inputs = new Set(importers.map((path) => join(DIST, path)));
  const bundled = new Set<string>();
  const build = await rolldown({
    cwd: ROOT,
    input: Object.fromEntries(importers.map((path) => [path.slice(0, -".js".length), join(DIST, path)])),
    platform: "node",
    // Our own modules stay modules; so does what is installed beside us.
    external: (name, importer, resolved) => {
      if (resolved || importer === undefined || inputs.has(name)) return false;
      if (!inputs.has(importer)) return name.startsWith("node:");
      if (isRelative(name)) return !inputs.has(join(dirname(importer), name));
      if (BUNDLED.includes(packageOf(name))) bundled.add(packageOf(name));
      return !BUNDLED.includes(packageOf(name));
    },
    // Relative imports are meant from where the module stands, which does not change.
    makeAbsoluteExternalsRelative: false,
    treeshake: true,
  });
  await build.write({ dir: DIST, format: "esm", entryFileNames: "[name].js", chunkFileNames: "vendor/[name]-[hash].js", minify: "dce-only", comments: { legal: true, annotation: true, jsdoc: false } });
  await build.close();
  return [...bundled].toSorted();
}

/** What runs must be installed with us. A package that is not is only on the machine of whoever built. */
function refuseMissingPackages(): void {
  const known = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies ?? {})]);
  const missing = filesOf(DIST)
    .filter((path) => path.endsWith(".js") && !path.startsWith("vendor"))
    .flatMap((path) => importsOf(join(DIST, path)).filter((name) => !isRelative(name) && !name.startsWith("node:") && !known.has(packageOf(name))).map((name) => `${path} imports ${name}`));
  if (missing.length > 0) throw new Error(`Not a dependency, and not bundled:\n${missing.join("\n")}`);
}

/** Keeps the types that an entry reaches, and names in them what is there: `tsc` leaves the sources' `.ts` in declarations. */
function pruneTypes(): void {
  for (const path of filesOf(DIST).filter((name) => name.endsWith(".d.ts"))) {
    const text = readFileSync(join(DIST, path), "utf8");
    writeFileSync(join(DIST, path), text.replaceAll(/((?:\bfrom|\bimport\(|\bimport)\s*"\.[^"]*)\.ts"/g, '$1.js"'));
  }
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path) || !existsSync(path)) return;
    reached.add(path);
    for (const name of importsOf(path)) if (isRelative(name)) visit(join(dirname(path), name.replace(/\.js$/, ".d.ts")));
  };
  for (const entry of Object.values(manifest.exports)) if (typeof entry !== "string") visit(join(ROOT, entry.types));
  for (const path of filesOf(DIST)) if (path.endsWith(".d.ts") && !reached.has(join(DIST, path))) rmSync(join(DIST, path));
}

function writeNotices(packages: readonly string[]): void {
  const notices = packages.map((name) => {
    const folder = join(ROOT, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string; license: string };
    const texts = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice)(?:\.\w+)?$/i.test(file)).toSorted().map((file) => readFileSync(join(folder, file), "utf8").trim());
    return [`${name} ${version} (${license})`, ...texts].join("\n\n");
  });
  writeFileSync(join(DIST, "THIRD-PARTY-NOTICES.txt"), `${["Parts of these packages are contained in this one.", ...notices].join("\n\n----\n\n")}\n`);
}

compile();
const bundled = await bundle();
refuseMissingPackages();
pruneTypes();
writeNotices([...bundled, ...COPIED]);
for (const path of Object.values(manifest.bin)) chmodSync(join(ROOT, path), 0o755);
