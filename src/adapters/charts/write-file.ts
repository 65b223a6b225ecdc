import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { TollgateError } from "../../base/errors.ts";

/** Writes a file whole or not at all: whoever reads the path sees the old one or the new one. @throws TollgateError `file_unwritable` */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new TollgateError("file_unwritable", `${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? "unknown"}). Name a file in a folder that exists and may be written to.`, { param: "path", cause: error });
  }
}
