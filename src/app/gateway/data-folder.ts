import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockDataFolder } from "../../adapters/stores/sqlite/lock.ts";
import { TollgateError } from "../../base/errors.ts";
import type { Closers } from "./closers.ts";

/**
 * Makes the data folder if there is none, and takes it for this process (GATE 8.5).
 * @throws TollgateError `data_folder_unwritable`, `data_folder_in_use`
 */
export function takeDataFolder(folder: string, closers: Closers): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new TollgateError("data_folder_unwritable", `The data folder ${folder} cannot be made: ${(error as Error).message}. Choose another with --data.`, { cause: error });
  }
  const lock = lockDataFolder(folder);
  closers.add(() => lock.release());
}

/**
 * Says in `DIR/gateway.json` who serves this folder, until the gateway stops: commands find it there. A copy of the
 * folder says the same, so the lock's own number stands with it.
 */
export function announce(folder: string, url: string, closers: Closers): void {
  const path = join(folder, "gateway.json");
  writeFileSync(path, `${JSON.stringify({ url, pid: process.pid, lock: statSync(join(folder, "lock")).ino })}\n`);
  closers.add(() => rmSync(path, { force: true }));
}

/** An error of the file system inside the data folder, as a user can repair it; every other error as it is. */
export function explainedFileError(error: unknown, folder: string): unknown {
  const { syscall, path, message } = error as NodeJS.ErrnoException;
  if (error instanceof TollgateError || typeof syscall !== "string" || typeof path !== "string" || !path.startsWith(folder)) return error;
  return new TollgateError("data_folder_unwritable", `${path} cannot be written (${message}). Make room, give this user the right to write there, or name another folder with --data.`, { cause: error });
}
