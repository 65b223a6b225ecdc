import { modelInCounterId } from "../../../domain/ledger/counter-id.ts";
import type { WindowSpec } from "../../../domain/windows/window.ts";
import { familyKey } from "./families.ts";
import type { LedgerFile } from "./ledger-file.ts";

/**
 * After a gateway wrote the ledger: its counters become families, so that programs go on counting in them. Call it
 * inside a transaction that writes.
 */
export function adoptBalances(ledger: LedgerFile): void {
  const { database } = ledger;
  const { adopted } = database.prepare("SELECT adopted FROM programs").get() as { adopted: number };
  if (adopted === 1) return;
  const insert = database.prepare("INSERT OR IGNORE INTO counters (family, scope, model, measure, spec) VALUES (?, ?, ?, 'nanoUsd', ?)");
  const rows = database.prepare("SELECT counter, scope, spec FROM balances").all() as unknown as { counter: string; scope: string; spec: string }[];
  for (const { counter, scope, spec } of rows) {
    const window = JSON.parse(spec) as WindowSpec;
    const model = modelInCounterId(counter);
    // The lifetime of a scope needs no family.
    if (model === undefined && window.kind === "lifetime" && window.since === undefined) continue;
    insert.run(familyKey(scope, model, "nanoUsd", window), scope, model ?? null, spec);
  }
  database.prepare("UPDATE programs SET adopted = 1").run();
  ledger.familiesChanged();
  ledger.families.forget();
}
