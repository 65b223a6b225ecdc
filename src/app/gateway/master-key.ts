import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkMasterKey } from "../config/master-key.ts";

/**
 * The master key: environment, then configuration, then the file of an earlier start, else a new one; always written
 * to `DIR/master-key` (0600), where printed commands read it from (GATE 10.4).
 * @throws TollgateError `weak_master_key`
 */
export function masterKeyFor(options: { readonly env: Readonly<Record<string, string | undefined>>; readonly configured: string | undefined; readonly folder: string; readonly host: string }): { key: string; path: string } {
  const path = join(options.folder, "master-key");
  const given = options.env["TOLLGATE_MASTER_KEY"] || options.env["LITELLM_MASTER_KEY"] || options.configured;
  const key = given ?? (existsSync(path) ? readFileSync(path, "utf8").trim() : `sk-${randomBytes(24).toString("base64url")}`);
  checkMasterKey(key, options.host);
  writeFileSync(path, `${key}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
  return { key, path };
}
