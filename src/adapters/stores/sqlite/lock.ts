import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TollgateError } from "../../../base/errors.ts";
import { isBusy } from "./schema.ts";

/** A connection that nobody refers to is closed by the garbage collector, and its lock with it. */
const HELD = new Set<DatabaseSync>();

/**
 * Takes the data folder for this process (GATE 8.5). The lock ends with the process, however it ends.
 * Nothing else may open `DIR/lock`: closing any descriptor of it would drop the lock.
 *
 * @param folder made if there is none
 * @throws TollgateError `data_folder_in_use` with the other gateway's address, `data_folder_unwritable`
 * @example const lock = lockDataFolder("data"); // ... lock.release()
 */
export function lockDataFolder(folder: string): { release(): void } {
  return lockedBy(folder, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
}

function lockedBy(folder: string, statements: string): { release(): void } {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    database = new DatabaseSync(join(folder, "lock"));
    database.exec(`PRAGMA busy_timeout = 0; ${statements}`);
  } catch (error) {
    database?.close();
    throw isBusy(error) ? inUse(folder) : unwritable(folder, error);
  }
  const held = database;
  HELD.add(held);
  return {
    release: () => {
      HELD.delete(held);
      if (held.isOpen) held.close();
    },
  };
}

/**
 * Takes the data folder for a program that shares it with other programs, never with a gateway (GATE 8.5). Any number
 * of programs hold it at a time; a gateway cannot start while one does.
 *
 * @param folder made if there is none
 * @throws TollgateError `data_folder_in_use` with the gateway's address, `data_folder_unwritable`
 * @example const lock = shareDataFolder("data"); // ... lock.release()
 */
export function shareDataFolder(folder: string): { release(): void } {
  const lock = lockedBy(folder, "BEGIN; SELECT count(*) FROM sqlite_schema");
  // While this is held no gateway lives, so what one left behind must not be named as the owner.
  rmSync(join(folder, "gateway.json"), { force: true });
  return lock;
}

function inUse(folder: string): TollgateError {
  const owner = readOwner(folder);
  if (owner === undefined) {
    return new TollgateError("data_folder_in_use", `Another process uses the data folder ${folder}. Stop it, or name another data folder.`);
  }
  return new TollgateError("data_folder_in_use", `A gateway (${owner}) uses the data folder ${folder}. Stop it, or name another data folder; a program can also send its requests to that gateway.`);
}

function unwritable(folder: string, error: unknown): TollgateError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TollgateError("data_folder_unwritable", `The data folder ${folder} cannot be written (${reason}). Make room, give this user the right to write there, or name another folder with --data.`, { cause: error });
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
