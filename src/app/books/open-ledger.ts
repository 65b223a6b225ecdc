import { statSync } from "node:fs";
import { join } from "node:path";
import { openSqliteBooks } from "../../adapters/books/sqlite/open-sqlite-books.ts";
import type { SteadyClock } from "../../base/clock.ts";
import type { CostSource } from "../../domain/analytics/source.ts";
import type { OpenedBooks } from "../sdk.ts";
import { openCosts } from "./open-costs.ts";

/**
 * Opens a ledger to write, beside other programs.
 * @param path a file, made if there is none, or a folder with a ledger
 * @throws TollgateError `data_folder_in_use`, `data_folder_unwritable`, `ledger_unreadable`, `ledger_newer`, `clock_behind`
 */
export async function openLedger(path: string, clock: SteadyClock): Promise<OpenedBooks> {
  const file = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, "ledger.db") : path;
  const { books, close } = await openSqliteBooks({ path: file, clock });
  let costs: CostSource | undefined;
  return {
    books,
    costs: () => (costs ??= openCosts(file)),
    close: async () => {
      try {
        await close();
      } finally {
        await costs?.close();
      }
    },
  };
}
