import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startMockProvider } from "../support/mock-provider.ts";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));
const MASTER = "sk-crash-test-master-key-1234567890";

function start(config: string, folder: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [CLI, "start", "--config", config, "--port", "0", "--data", folder], { env: { ...process.env, TOLLGATE_MASTER_KEY: MASTER }, stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const url = /Tollgate is ready: (\S+)/.exec(text)?.[1];
      if (url !== undefined) resolve({ child, url });
    });
    child.stderr?.on("data", (chunk: Buffer) => { text += chunk.toString(); });
    child.on("exit", (code) => reject(new Error(`exited with ${code}: ${text}`)));
  });
}

const post = async (url: string, path: string, body: unknown, key = MASTER): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await fetch(`${url}${path}`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

test("promise 3: after 20 kills at random instants under load the books agree, no cost is lost and no budget passed", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-crash-"));
  const mock = await startMockProvider({});
  try {
    const config = join(folder, "config.yaml");
    writeFileSync(config, `model_list:\n  - model_name: gpt-4o-mini\n    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 }\ntollgate: { log_level: error }\n`);
    let key: string | undefined;
    let answered = 0;
    for (let round = 0; round < 20; round += 1) {
      const { child, url } = await start(config, join(folder, "data"));
      key ??= (await post(url, "/key/generate", { max_budget: 0.05 })).body["key"] as string;
      const exited = new Promise((resolve) => child.on("exit", resolve));
      let killed = false;
      const workers = Array.from({ length: 8 }, async () => {
        while (!killed) {
          const outcome = await post(url, "/v1/chat/completions", { model: "gpt-4o-mini", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] }, key).catch(() => undefined);
          if (outcome?.status === 200) answered += 1;
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 150));
      killed = true;
      child.kill("SIGKILL");
      await exited;
      await Promise.all(workers);
    }
    expect(answered).toBeGreaterThan(100);
    const { child, url } = await start(config, join(folder, "data"));
    const read = async (path: string): Promise<Record<string, unknown>> => (await (await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${MASTER}` } })).json()) as Record<string, unknown>;
    const audit = await read("/v1/tollgate/audit");
    expect(audit).toMatchObject({ agree: true, firstDifference: null });
    // Crashed attempts are charged at their holds, so the ledger is the bill or more, never less.
    expect(BigInt(audit["totalNanoUsd"] as string)).toBeGreaterThanOrEqual(mock.bill().totalNanoUsd);
    expect(audit["entries"] as number).toBeGreaterThanOrEqual(answered);
    const info = (await read(`/key/info?key=${key}`))["info"] as { spend: number; tollgate: { held: number } };
    expect(info.spend).toBeLessThanOrEqual(0.05);
    expect(info.tollgate.held).toBe(0);
    const exited = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  } finally {
    await mock.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
