import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { TollgateError } from "../../base/errors.ts";
import type { GatewayAddress } from "../../surfaces/cli/gateway-client.ts";
import type { Place } from "../../surfaces/cli/program.ts";
import { startCommand } from "./command-prefix.ts";

/**
 * The gateway that runs on a data folder, as it says in `gateway.json` (GATE 8.5), or the one that was named.
 * @throws TollgateError `gateway_unreachable` with the command that starts one, `usage`
 */
export function findGateway(place: Place): GatewayAddress {
  if (place.url !== undefined) return named(place.url, place.key ?? process.env["TOLLGATE_MASTER_KEY"]);
  const running = runningOn(place.data);
  if (running === undefined) throw noGateway(place.data);
  return place.key === undefined ? running : { url: running.url, key: place.key };
}

/** What `gateway.json` says, unless that gateway has died without a word, or this folder is a copy of the one that it serves. */
export function runningOn(folder: string): GatewayAddress | undefined {
  try {
    const { url, pid, lock } = JSON.parse(readFileSync(join(folder, "gateway.json"), "utf8")) as { url: string; pid: number; lock?: number };
    // The lock is asked for its number only: to open it could take it from its owner.
    const own = lock === undefined || statSync(join(folder, "lock")).ino === lock;
    return own && isAlive(pid) ? { url, key: readFileSync(join(folder, "master-key"), "utf8").trim() } : undefined;
  } catch {
    return undefined;
  }
}

export function noGateway(folder: string): TollgateError {
  return new TollgateError("gateway_unreachable", `No gateway runs on the data folder ${folder}. Start one with \`${startCommand(folder)}\`, or name a gateway's folder with --data.`);
}

function named(url: string, key: string | undefined): GatewayAddress {
  if (!URL.canParse(url) || !/^https?:/i.test(url)) throw new TollgateError("usage", `--url must be an address such as http://127.0.0.1:4000, not "${url}".`);
  if (key === undefined || key === "") throw new TollgateError("usage", "--url needs --key, or the master key in TOLLGATE_MASTER_KEY.");
  return { url, key };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process is somebody else's, and alive.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
