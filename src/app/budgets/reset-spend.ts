import type { RecordFile } from "../../adapters/stores/sqlite/record-file.ts";
import { ulidEpochMs } from "../../base/ids.ts";
import { counterId } from "../../domain/ledger/counter-id.ts";
import { adjustmentEntry } from "../../domain/ledger/entry.ts";
import type { CounterStanding } from "../../domain/limits/books.ts";
import { scopeText } from "../../domain/scopes/scope.ts";
import { spanAt } from "../../domain/windows/span.ts";
import { namedScope } from "../../surfaces/sdk/charges.ts";
import type { SdkPlane } from "../../surfaces/sdk/plane.ts";
import { limitSet, noBudget, windowOf, type BudgetRecord, type PendingReset } from "./budget-record.ts";

/**
 * Sets a user's spend to zero, once, however many processes ask at the same time: taken off twice, it would be money to spend again. The amount is
 * written down with the record, on condition that nobody has reset since the spend was read; then it is posted under an id that all of them know.
 */
export async function resetSpend(plane: SdkPlane, records: RecordFile, user: string): Promise<void> {
  const scope = namedScope("customer", user, "user");
  for (;;) {
    const record = read(records, scope.id, user);
    const { spent } = await standingOf(plane, record);
    const pending = record.stored.resetting ?? (spent === 0n ? undefined : await decided(plane, records, record, spent));
    // Somebody else was first: what is left now is for another look.
    if (pending === "lost") continue;
    if (pending === undefined) return;
    await post(plane, record, pending);
    await records.change("customer", scope.id, (before) => {
      const now = parsed(before, user);
      const { resetting, ...stored } = now.stored;
      return JSON.stringify(resetting?.id === pending.id ? { ...now, stored: { ...stored, resets: (stored.resets ?? 0) + 1 } } : now);
    });
    // An earlier reset that its process did not finish is not the one that was asked for.
    if (record.stored.resetting === undefined) return;
  }
}

async function decided(plane: SdkPlane, records: RecordFile, record: BudgetRecord, spent: bigint): Promise<PendingReset | "lost"> {
  const { id: scopeId, customerId: user, stored: { resets } } = record;
  const id = plane.ids.next(plane.clock.now());
  const window = windowOf(record);
  const counter = counterId(namedScope("customer", user, "user"), undefined, window, spanAt(window, ulidEpochMs(id)).start);
  const mine: PendingReset = { id, counter, spent: spent.toString() };
  let lost = false;
  await records.change("customer", scopeId, (before) => {
    const now = parsed(before, user);
    lost = now.stored.resets !== resets || now.stored.resetting !== undefined;
    return JSON.stringify(lost ? now : { ...now, stored: { ...now.stored, resetting: mine } });
  });
  return lost ? "lost" : mine;
}

function post(plane: SdkPlane, record: BudgetRecord, { id, counter, spent }: PendingReset): Promise<void> {
  const scope = namedScope("customer", record.customerId, "user");
  const entry = adjustmentEntry({ id, at: ulidEpochMs(id), scope: scopeText(scope), counter, by: -BigInt(spent), metadata: JSON.stringify({ reason: "resetCost" }) });
  return new Promise((resolve, reject) => plane.engine.books.post(entry, [{ scopes: [scope], limits: limitSet(record).limits }], (error) => (error === undefined ? resolve() : reject(error))));
}

export function standingOf(plane: SdkPlane, record: BudgetRecord): Promise<CounterStanding> {
  const scope = namedScope("customer", record.customerId, "user");
  return new Promise((resolve, reject) => plane.engine.books.standing(scope, undefined, windowOf(record), (error, standing) => (error === undefined ? resolve(standing) : reject(error))));
}

function read(records: RecordFile, id: string, user: string): BudgetRecord {
  return parsed(records.read("customer", id), user);
}

function parsed(document: string | undefined, user: string): BudgetRecord {
  if (document === undefined) throw noBudget(user);
  return JSON.parse(document) as BudgetRecord;
}
