import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteBooks } from "../../src/adapters/books/sqlite/open-sqlite-books.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { booksConformance, TestClock } from "./conformance.ts";

booksConformance("SqliteBooks", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-books-"));
  const path = join(folder, "ledger.db");
  const clock = new TestClock();
  const shared = await openSqliteBooks({ path, clock });
  const reading = <Result>(read: (reader: ReturnType<typeof openSqliteReader>) => Result): Result => {
    const reader = openSqliteReader(path);
    try {
      return read(reader);
    } finally {
      reader.close();
    }
  };
  return {
    books: shared.books, clock,
    entries: async () => reading((reader) => reader.entries({ limit: 10_000, ascending: true })),
    audit: async () => reading((reader) => reader.audit().firstDifference),
    end: async () => {
      await shared.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
