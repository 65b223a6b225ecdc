import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";

/**
 * Takes the data folder for this process (GATE 8.5). The lock ends with the process, however it ends.
 * Nothing else may open `DIR/lock`: closing any descriptor of it would drop the lock.
 *
 * @param folder made if there is none
 * @throws TollgateError `data_folder_in_use` with the other gateway's address, `data_folder_unwritable`
 * @example const lock = lockDataFolder("data"); // ... lock.release()
 */
export function lockDataFolder(folder: string): { release(): void } {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    database = new DatabaseSync(join(folder, "lock"));
    database.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    throw isBusy(error) ? inUse(folder) : unwritable(folder, error);
  }
  const held = database;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}

/** SQLITE_BUSY and SQLITE_LOCKED, without their extended part. */
function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && ((code & 0xff) === 5 || (code & 0xff) === 6);
}

function inUse(folder: string): TollgateError {
  const owner = readOwner(folder);
  const who = owner === undefined ? "Another process" : `A gateway (${owner})`;
  return new TollgateError("data_folder_in_use", `${who} uses the data folder ${folder}. Stop it, or name another data folder.`);
}

function unwritable(folder: string, error: unknown): TollgateError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TollgateError("data_folder_unwritable", `The data folder ${folder} cannot be written (${reason}). Give this user the right to write there, or name another folder.`, { cause: error });
}

/** What the owner says of itself; it may not have written it yet. */
function readOwner(folder: string): string | undefined {
  try {
    const { url, pid } = JSON.parse(readFileSync(join(folder, "gateway.json"), "utf8")) as { url?: unknown; pid?: unknown };
    const parts = [typeof url === "string" ? url : undefined, typeof pid === "number" ? `process ${pid}` : undefined].filter((part) => part !== undefined);
    return parts.length === 0 ? undefined : parts.join(", ");
  } catch {
    return undefined;
  }
}
