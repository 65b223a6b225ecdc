import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How this command line is called from the folder that the user is in: through npm in a checkout, by its name when installed. */
export function commandPrefix(): string {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  // A program's own copy is on no path; npx finds it.
  if (!import.meta.url.endsWith(".ts")) return root === join(process.cwd(), "node_modules/tollgate/") ? "npx tollgate" : "tollgate";
  return `${process.cwd()}/` === root ? "npm run -s tollgate --" : `node ${root}src/cli.ts`;
}

/** What starts a gateway on a data folder. */
export function startCommand(folder: string): string {
  const data = folder === ".tollgate" ? "" : ` --data ${shellWord(folder)}`;
  const prefix = commandPrefix();
  if (prefix.startsWith("npm ")) return `npm start${data === "" ? "" : ` --${data}`}`;
  return `${prefix} start${data}`;
}

/** A word as a shell reads it. */
export function shellWord(text: string): string {
  return /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
