import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli, startCli } from "../support/run-cli.ts";

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-careless-")); });
afterEach(() => {
  for (const path of [folder, `${folder}-copy`]) rmSync(path, { recursive: true, force: true });
});

const cli = async (...argv: readonly string[]) => {
  const run = await runCli(argv);
  expect([run.stderr.includes("defect"), run.code]).toEqual([false, 0]);
  return run.stdout.trim();
};
const spend = (key: string, data: string) => cli("spend", "--data", data, "--key", key, "--requests", "2", "--model", "gpt-4o-mini");

test.each([["the file alone", ["ledger.db"]], ["everything of SQLite's", ["ledger.db", "ledger.db-wal", "ledger.db-shm"]]])("a ledger that is deleted under a running gateway is put back whole, and said in the log: %s", async (_what, names) => {
  const first = await startCli(folder);
  const key = await cli("keys", "create", "--data", folder, "--key-only");
  await spend(key, folder);
  await cli("audit", "--data", folder);
  for (const name of names) rmSync(join(folder, name), { force: true });
  await spend(key, folder);
  expect(JSON.parse(await cli("audit", "--data", folder))).toMatchObject({ agree: true, entries: 4 });
  expect(existsSync(join(folder, "ledger.db"))).toBe(true);
  await spend(key, folder);
  const { code, stderr } = await first.stop();
  expect([code, stderr.split("\n").filter((line) => line.includes("was deleted while it was in use")).length]).toEqual([0, 1]);
  const again = await startCli(folder);
  await spend(key, folder);
  expect(JSON.parse(await cli("audit", "--data", folder))).toMatchObject({ agree: true, entries: 8 });
  await again.stop();
  const database = new DatabaseSync(join(folder, "ledger.db"), { readOnly: true });
  expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  database.close();
});

test("a ledger that is deleted and never written again is put back at the stop", async () => {
  const first = await startCli(folder);
  const key = await cli("keys", "create", "--data", folder, "--key-only");
  await spend(key, folder);
  await cli("audit", "--data", folder);
  rmSync(join(folder, "ledger.db"));
  await first.stop();
  const again = await startCli(folder);
  expect(JSON.parse(await cli("audit", "--data", folder))).toMatchObject({ agree: true, entries: 2 });
  await again.stop();
});

test("GATE 8.5: a copy of a running gateway's folder is taken for what it is: it stands alone, and no command on it reaches the original", async () => {
  const first = await startCli(folder);
  const key = await cli("keys", "create", "--data", folder, "--key-only");
  await spend(key, folder);
  const copy = `${folder}-copy`;
  cpSync(folder, copy, { recursive: true });
  expect(readFileSync(join(copy, "gateway.json"), "utf8")).toContain(first.url);
  const lost = await runCli(["keys", "create", "--data", copy]);
  expect([lost.code, lost.stderr]).toEqual([1, expect.stringMatching(/^gateway_unreachable: No gateway runs on the data folder/)]);
  expect(JSON.parse(await cli("audit", "--data", copy))).toMatchObject({ agree: true, counters: "offline" });
  const second = await startCli(copy);
  expect(JSON.parse(await cli("audit", "--data", copy))).toMatchObject({ agree: true, entries: 2, counters: "live" });
  await spend(key, copy);
  expect(JSON.parse(await cli("audit", "--data", folder))).toMatchObject({ agree: true, entries: 2, counters: "live" });
  await second.stop();
  await first.stop();
});

test("the backup command of docs/operating.md makes a ledger, beside a running gateway, that another can start on", async () => {
  const data = join(folder, ".tollgate");
  const first = await startCli(data, { cwd: folder });
  const key = await cli("keys", "create", "--data", data, "--key-only");
  await spend(key, data);
  await cli("audit", "--data", data);
  const command = /^node_modules\/.bin\/node (-e '.*VACUUM INTO.*')$/m.exec(readFileSync("docs/operating.md", "utf8"))?.[1];
  execFileSync("sh", ["-c", `"${process.execPath}" ${command}`], { cwd: folder, stdio: "pipe" });
  await spend(key, data);
  await first.stop();
  const copy = `${folder}-copy`;
  mkdirSync(copy);
  cpSync(join(folder, "backup.db"), join(copy, "ledger.db"));
  cpSync(join(data, "master-key"), join(copy, "master-key"));
  const second = await startCli(copy);
  expect(JSON.parse(await cli("audit", "--data", copy))).toMatchObject({ agree: true, entries: 2 });
  await spend(key, copy);
  await second.stop();
});
