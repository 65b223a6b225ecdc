import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../../src/app/gateway.ts";
import type { Clock } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/app/config/load-config.ts";

/** A real gateway on a free port and a folder of its own. */
export async function testGateway(config: string, folder = mkdtempSync(join(tmpdir(), "tollgate-gate-")), time?: Clock) {
  const gateway = await startGateway({ config: loadConfig({ text: config, env: {} }), env: {}, host: "127.0.0.1", port: 0, folder, ...(time === undefined ? {} : { time }) });
  const master = readFileSync(gateway.masterKeyPath, "utf8").trim();
  const call = async (method: string, path: string, body?: unknown, key = master): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> => {
    const response = await fetch(`${gateway.url}${path}`, { method, headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
  };
  return { ...gateway, master, folder, call, async stop() { await gateway.close(); rmSync(folder, { recursive: true, force: true }); } };
}
