import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CLI, ended, plainEnvironment, runCli, startCli, type Run } from "../support/run-cli.ts";

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-full-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A start that may make no file larger than so many KiB: writes fail as on a full disk. */
function startWithin(kib: number): Promise<Run> {
  return ended(spawn("bash", ["-c", `ulimit -f ${kib}; exec "$0" "$@"`, process.execPath, CLI, "start", "--port", "0", "--data", folder], { env: plainEnvironment(), cwd: folder, stdio: ["ignore", "pipe", "pipe"] }));
}

/** Exit 1 and one sentence behind its code. */
function expectError(run: Run, code: string, ...parts: readonly (string | RegExp)[]): void {
  expect(run.stderr).toMatch(new RegExp(`^${code}: [^\\n]+\\n$`));
  for (const part of parts) expect(run.stderr).toMatch(part);
  expect([run.stdout, run.code]).toEqual(["", 1]);
}

test("data_folder_unwritable: no room for anything on a first start", async () => {
  expectError(await startWithin(0), "data_folder_unwritable", "Make room", "--data");
});

test.each([1, 8, 64])("ledger_unwritable: room for %i KiB is none for a ledger; with room the next start makes it whole", async (kib) => {
  expectError(await startWithin(kib), "ledger_unwritable", "ledger.db", "Make room");
  const gateway = await startCli(folder, { cwd: folder });
  expect((await gateway.stop()).code).toBe(0);
  expect((await runCli(["audit", "--data", folder, "--json"])).code).toBe(0);
});

test("ledger_unwritable: a disk that is full when a gateway starts again takes nothing away, not even from after a kill", async () => {
  const first = await startCli(folder, { cwd: folder });
  const key = (await runCli(["keys", "create", "--data", folder, "--key-only"])).stdout.trim();
  await runCli(["spend", "--data", folder, "--key", key, "--requests", "3", "--model", "gpt-4o-mini"]);
  first.child.kill("SIGKILL");
  await first.run;
  expectError(await startWithin(1), "ledger_unwritable", "ledger.db", "Make room");
  const second = await startCli(folder, { cwd: folder });
  const master = readFileSync(join(folder, "master-key"), "utf8").trim();
  const rows = (await (await fetch(`${second.url}/spend/logs`, { headers: { authorization: `Bearer ${master}` } })).json()) as unknown[];
  expect(rows).toHaveLength(3);
  await second.stop();
  expect((await runCli(["audit", "--data", folder])).code).toBe(0);
});

test("data_folder_unwritable: a data folder that is read-only, with its books in it", async () => {
  await (await startCli(folder, { cwd: folder })).stop();
  chmodSync(folder, 0o555);
  try {
    // Root writes everywhere, unless that right is taken away.
    const [command, ...before] = process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override", process.execPath] : [process.execPath];
    const run = await ended(spawn(command as string, [...before, CLI, "start", "--port", "0", "--data", folder], { env: plainEnvironment(), cwd: folder, stdio: ["ignore", "pipe", "pipe"] }));
    expectError(run, "data_folder_unwritable", folder, "right to write");
  } finally {
    chmodSync(folder, 0o755);
  }
  expect((await (await startCli(folder, { cwd: folder })).stop()).code).toBe(0);
});
