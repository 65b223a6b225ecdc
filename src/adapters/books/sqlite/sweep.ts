import type { Attempts } from "./attempts.ts";
import type { LedgerFile } from "./ledger-file.ts";
import type { Owners } from "./owners.ts";

/**
 * Charges what dead processes held (GATE 5.6), inside a transaction that writes: whoever comes second finds no hold.
 * @returns how many attempts were charged
 */
export function sweepDead(ledger: LedgerFile, attempts: Attempts, owners: Owners): number {
  let charged = 0;
  for (const owner of holders(ledger)) if (owners.isDead(owner)) charged += attempts.chargeCrashed(owner);
  return charged;
}

/** Everyone with an open attempt, living or dead. */
export function holders(ledger: LedgerFile): Set<string> {
  const rows = ledger.database.prepare("SELECT DISTINCT owner FROM holds").all() as unknown as { owner: string }[];
  return new Set(rows.map((row) => row.owner));
}
