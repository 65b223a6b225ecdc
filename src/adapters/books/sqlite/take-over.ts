import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { openForWriting } from "../../stores/sqlite/schema.ts";
import { Attempts } from "./attempts.ts";
import { LedgerFile } from "./ledger-file.ts";
import { holders } from "./sweep.ts";

/**
 * Before a gateway writes a ledger that programs have shared: whatever they still held is charged (GATE 5.6), since who
 * has the folder to itself knows that all of them are dead. The next program adopts the gateway's counters.
 *
 * @param path of the ledger; the caller holds the lock of its folder
 * @returns how many attempts were charged
 * @throws TollgateError `ledger_newer`, `ledger_unreadable`
 */
export function takeOverFromPrograms(path: string): number {
  if (!existsSync(path)) return 0;
  const database = openForWriting(path);
  try {
    const shared = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'programs'").get() !== undefined;
    if (!shared) return 0;
    const ledger = new LedgerFile(database);
    ledger.begin(true);
    const attempts = new Attempts(ledger);
    let charged = 0;
    for (const owner of holders(ledger)) charged += attempts.chargeCrashed(owner);
    database.exec("UPDATE programs SET adopted = 0");
    ledger.commit();
    rmSync(join(dirname(path), "owners"), { recursive: true, force: true });
    return charged;
  } finally {
    database.close();
  }
}
