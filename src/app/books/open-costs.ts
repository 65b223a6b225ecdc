import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { openSqliteReader } from "../../adapters/stores/sqlite/store.ts";
import { TollgateError } from "../../base/errors.ts";
import type { CostSource } from "../../domain/analytics/source.ts";

/**
 * Opens the costs of a ledger to read, beside whoever writes it.
 * @param path a ledger, or the folder of a gateway that has one
 * @throws TollgateError `not_found`, `ledger_unreadable`, `ledger_newer`
 */
export function openCosts(path: string): CostSource {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, "ledger.db") : path;
  if (!existsSync(file)) throw new TollgateError("not_found", `There is no ledger at ${file}. Name the file of a program's ledger, or the data folder of a gateway.`);
  return openSqliteReader(file).costs;
}
