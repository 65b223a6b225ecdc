import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockDataFolder } from "../../src/adapters/stores/sqlite/lock.ts";

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-lock-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

// The lock lives as long as somebody refers to it: a garbage collection would free one that nobody keeps.
test("8.5 a second process is refused by the first one's address, and kill -9 frees the folder", async () => {
  const module = new URL("../../src/adapters/stores/sqlite/lock.ts", import.meta.url).href;
  const script = `import { lockDataFolder } from ${JSON.stringify(module)}; globalThis.lock = lockDataFolder(${JSON.stringify(folder)}); console.log("locked"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  writeFileSync(join(folder, "gateway.json"), JSON.stringify({ url: "http://127.0.0.1:4000", pid: child.pid }));
  expect(() => lockDataFolder(folder)).toThrowError(expect.objectContaining({ code: "data_folder_in_use", message: expect.stringContaining(`http://127.0.0.1:4000, process ${child.pid}`) }));
  child.kill("SIGKILL");
  await once(child, "exit");
  lockDataFolder(folder).release();
});

test("8.5 a released folder can be taken again", () => {
  lockDataFolder(folder).release();
  const lock = lockDataFolder(folder);
  expect(() => lockDataFolder(folder)).toThrowError(expect.objectContaining({ code: "data_folder_in_use" }));
  lock.release();
});

test("a data folder that cannot be made is refused with the repair", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => lockDataFolder(join(folder, "file", "data"))).toThrowError(expect.objectContaining({ code: "data_folder_unwritable" }));
});
