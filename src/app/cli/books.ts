import { existsSync } from "node:fs";
import { join } from "node:path";
import { openSqliteReader, type SqliteReader } from "../../adapters/stores/sqlite/store.ts";
import { TollgateError } from "../../base/errors.ts";
import type { AuditReport } from "../../domain/ledger/store.ts";
import { ask } from "../../surfaces/cli/gateway-client.ts";
import type { Place } from "../../surfaces/cli/program.ts";
import { startCommand } from "./command-prefix.ts";
import { findGateway, runningOn } from "./find-gateway.ts";

/** Through the gateway that runs on the folder, with its live counters, or on the file alone. */
export async function auditOf(place: Place): Promise<{ readonly report: AuditReport; readonly against: "live" | "offline" }> {
  const gateway = place.url === undefined ? runningOn(place.data) : findGateway(place);
  if (gateway !== undefined) return { report: (await ask(gateway, "/v1/tollgate/audit")) as AuditReport, against: "live" };
  const reader = openLedger(place.data);
  try {
    return { report: reader.audit(), against: "offline" };
  } catch (error) {
    throw explained(error, place.data);
  } finally {
    reader.close();
  }
}

/** What SQLite says of a file that is damaged inside. */
function explained(error: unknown, folder: string): unknown {
  if ((error as { code?: unknown }).code !== "ERR_SQLITE_ERROR") return error;
  return new TollgateError("ledger_unreadable", `The ledger in ${folder} cannot be read to its end (${(error as Error).message}). Restore it from a copy.`, { cause: error });
}

function openLedger(folder: string): SqliteReader {
  const path = join(folder, "ledger.db");
  if (!existsSync(path)) throw new TollgateError("ledger_unreadable", `There is no ledger in the data folder ${folder}. Start a gateway with \`${startCommand(folder)}\`, or name another folder with --data.`);
  return openSqliteReader(path);
}
