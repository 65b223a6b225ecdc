import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TollgateError } from "../../base/errors.ts";
import { checkMasterKey } from "../config/master-key.ts";

/**
 * The master key: environment, then configuration, then the file of an earlier start, else a new one; always written
 * to `DIR/master-key` (0600), where printed commands read it from (GATE 10.4).
 * @throws TollgateError `weak_master_key`, `data_folder_unwritable`
 */
export function masterKeyFor(options: { readonly env: Readonly<Record<string, string | undefined>>; readonly configured: string | undefined; readonly folder: string; readonly host: string }): { key: string; path: string } {
  const path = join(options.folder, "master-key");
  const given = (options.env["TOLLGATE_MASTER_KEY"] || options.env["LITELLM_MASTER_KEY"])?.trim() || options.configured;
  try {
    const kept = keptKey(path);
    // An empty file is no key: it would let everybody in who sends none.
    const key = given || kept || `sk-${randomBytes(24).toString("base64url")}`;
    checkMasterKey(key, options.host);
    if (key !== kept) keep(path, key);
    chmodSync(path, 0o600);
    return { key, path };
  } catch (error) {
    if (error instanceof TollgateError) throw error;
    throw new TollgateError("data_folder_unwritable", `The master key cannot be kept in ${path} (${(error as Error).message}). Make room, give this user the right to write there, or name another folder with --data.`, { cause: error });
  }
}

function keptKey(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whole or not at all: a start that is killed here must not lose the key. */
function keep(path: string, key: string): void {
  writeFileSync(`${path}.new`, `${key}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
