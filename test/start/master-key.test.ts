import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { masterKeyFor } from "../../src/app/gateway/master-key.ts";

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-master-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const keyFor = (env: Record<string, string>, configured?: string) => masterKeyFor({ env, configured, folder, host: "127.0.0.1" });

test("GATE 10.4: the master key comes from the environment, then the configuration, then the file of an earlier start, then chance; whichever it is stands in the file", () => {
  const made = keyFor({}).key;
  const env = { TOLLGATE_MASTER_KEY: "sk-ours-0123456789abcdef", LITELLM_MASTER_KEY: "sk-theirs-0123456789abcdef" };
  for (const [given, configured, expected] of [
    [{}, undefined, made],
    [env, "sk-configured-0123456789", env.TOLLGATE_MASTER_KEY],
    [{ LITELLM_MASTER_KEY: env.LITELLM_MASTER_KEY }, "sk-configured-0123456789", env.LITELLM_MASTER_KEY],
    [{ TOLLGATE_MASTER_KEY: "" }, "sk-configured-0123456789", "sk-configured-0123456789"],
    [{}, undefined, "sk-configured-0123456789"],
  ] as const) {
    const { key, path } = keyFor(given, configured);
    expect(key).toBe(expected);
    expect(readFileSync(path, "utf8")).toBe(`${expected}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  }
  expect(made).toMatch(/^sk-[\w-]{32}$/);
});
