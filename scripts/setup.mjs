// Runs before start, test, check and bench, possibly on an older Node: installs what package-lock.json names,
// the repository's own Node included, when node_modules is missing or older than the lock file.
import { execSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const installed = `${root}/node_modules/.package-lock.json`;
const lock = `${root}/package-lock.json`;

const fresh = existsSync(installed) && existsSync(`${root}/node_modules/.bin/node`) &&
  statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
if (!fresh) {
  process.stderr.write("Installing dependencies (once, about half a minute) ...\n");
  execSync("npm ci --no-audit --no-fund --loglevel=error", { cwd: root, stdio: ["ignore", 2, 2] });
}
