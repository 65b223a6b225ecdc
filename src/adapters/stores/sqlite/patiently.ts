import { TollgateError } from "../../../base/errors.ts";
import { isBusy } from "./schema.ts";

const PATIENCE_MS = 10_000;

/** Tries again while another program has the file; the thread never waits for it. @throws TollgateError `ledger_unreadable` after ten seconds */
export async function patiently<Result>(work: () => Result): Promise<Result> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (Date.now() > until) throw new TollgateError("ledger_unreadable", "Another program has locked the ledger for ten seconds. End it and try again.", { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 10));
  }
}
