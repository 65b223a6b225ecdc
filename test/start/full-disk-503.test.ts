import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLI, ended, plainEnvironment } from "../support/run-cli.ts";

const MASTER = "sk-master-of-the-full-disk-1234";
/** No file may grow beyond this, in units of 1,024 bytes: what a full disk is to whoever writes. */
const LARGEST_FILE = 1_000;

let folder: string;
let gateway: ChildProcess;
let url: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-full-"));
  gateway = spawn("bash", ["-c", `ulimit -f ${LARGEST_FILE}; exec "$0" "$@"`, process.execPath, CLI, "start", "--port", "0", "--data", folder], { env: plainEnvironment({ TOLLGATE_MASTER_KEY: MASTER }), stdio: ["ignore", "pipe", "pipe"] });
  url = await new Promise<string>((resolve, reject) => {
    let text = "";
    gateway.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = /Tollgate is ready: (\S+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    gateway.on("exit", (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}, 30_000);
afterAll(() => {
  gateway.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; code: unknown; body: Record<string, any> }> {
  const response = await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${MASTER}` }, signal: AbortSignal.timeout(10_000), ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const json = (await response.json()) as Record<string, any>;
  return { status: response.status, code: json["error"]?.tollgate_code, body: json };
}

test("GATE 8.4: on a full disk every kind of call is told 503 and what to do, nothing waits without end, and a stop is clean", async () => {
  const chat = { model: "gpt-4o-mini", max_tokens: 20, messages: [{ role: "user", content: "Hi" }], metadata: { padding: "x".repeat(15_000) } };
  let refused = await call("POST", "/v1/chat/completions", chat);
  for (let sent = 1; refused.status === 200 && sent < 500; sent += 1) refused = await call("POST", "/v1/chat/completions", chat);
  expect(refused).toMatchObject({ status: 503, code: "journal_unavailable" });
  expect((await call("GET", "/health/readiness")).status).toBe(503);
  let change = await call("POST", "/key/generate", { metadata: { padding: "x".repeat(15_000) } });
  for (let made = 1; change.status === 200 && made < 500; made += 1) change = await call("POST", "/key/generate", { metadata: { padding: "x".repeat(15_000) } });
  expect(change).toMatchObject({ status: 503, code: "ledger_unwritable", body: { error: { message: expect.stringMatching(/Free space/), type: "service_unavailable" } } });
  // What is in memory is told all the same.
  expect((await call("GET", "/global/spend")).status).toBe(200);
  const run = ended(gateway);
  gateway.kill("SIGTERM");
  expect((await run).code).toBe(0);
}, 60_000);
