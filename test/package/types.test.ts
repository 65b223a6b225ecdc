import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packedTollgate, ROOT } from "../support/packed.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "tollgate-types-"));
const TYPES = join(ROOT, "test/types");

beforeAll(async () => {
  const { project } = await packedTollgate();
  const installed = join(project, "node_modules/tollgate");
  makeProject("alone", installed, undefined, { types: [], lib: ["es2022", "dom", "dom.iterable", "esnext.disposable"] });
  for (const openai of ["openai", "openai-6"] as const) makeProject(openai, installed, openai, { types: ["node"], lib: ["es2024", "esnext.disposable"] });
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sources of `test/types` that need a version of `openai`; the others need nothing. */
const SOURCES = { "openai": /^with-openai-[67]\.ts$/, "openai-6": /^with-openai-6\.ts$/ };

/** A project with a copy of the packed package, `openai` and the types of Node beside it, and the sources that can be compiled there. */
function makeProject(name: string, installed: string, openai: keyof typeof SOURCES | undefined, options: object): void {
  const modules = join(folder, name, "node_modules");
  mkdirSync(modules, { recursive: true });
  cpSync(installed, join(modules, "tollgate"), { recursive: true, filter: (path) => !path.endsWith(".js") });
  if (openai !== undefined) {
    symlinkSync(join(ROOT, "node_modules", openai), join(modules, "openai"));
    symlinkSync(join(ROOT, "node_modules/@types"), join(modules, "@types"));
  }
  for (const source of readdirSync(TYPES)) if (!source.startsWith("with-") || (openai !== undefined && SOURCES[openai].test(source))) cpSync(join(TYPES, source), join(folder, name, source));
  writeFileSync(join(folder, name, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, name, "tsconfig.json"), JSON.stringify({
    compilerOptions: { target: "es2022", module: "nodenext", moduleResolution: "nodenext", strict: true, exactOptionalPropertyTypes: name === "alone", noUncheckedIndexedAccess: true, noEmit: true, skipLibCheck: false, ...options },
    include: ["*.ts"],
  }));
}

/** What a compiler complains about. */
async function complaints(compiler: string, name: string): Promise<string> {
  const found = ["bin/tsc", "bin/tsc.js", "lib/tsc.js"].map((path) => join(ROOT, "node_modules", compiler, path)).find(existsSync);
  if (found === undefined) throw new Error(`${compiler} has no tsc`);
  try {
    await run(process.execPath, [found, "-p", join(folder, name), "--pretty", "false"], { maxBuffer: 16 * 1024 * 1024 });
    return "";
  } catch (error) {
    const { stdout = "", message } = error as Error & { stdout?: string };
    return (stdout || message).slice(0, 4_000);
  }
}

const COMPILERS = ["typescript-5.9", "typescript-6", "typescript"];

test.each(COMPILERS)("%s: the packed types say what they should, with libraries checked, without openai and @types/node", async (compiler) => {
  expect(await complaints(compiler, "alone")).toBe("");
});

test.each(COMPILERS)("%s: the same beside openai 7 and @types/node; wire types are OpenAI's, both ways", async (compiler) => {
  expect(await complaints(compiler, "openai")).toBe("");
});

test("the same beside openai 6, whose values are taken", async () => {
  expect(await complaints("typescript", "openai-6")).toBe("");
});

test("a wrong line is found: the sources are really compiled", async () => {
  const path = join(folder, "alone", "wrong.ts");
  writeFileSync(path, 'import { completion } from "tollgate";\nexport const wrong: number = completion;\n');
  try {
    expect(await complaints("typescript", "alone")).toContain("wrong.ts(2,14): error TS2322");
  } finally {
    rmSync(path);
  }
});
