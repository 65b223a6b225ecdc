import { ulidEpochMs } from "../../base/ids.ts";
import { counterId } from "../../domain/ledger/counter-id.ts";
import { adjustmentEntry } from "../../domain/ledger/entry.ts";
import type { Books } from "../../domain/limits/books.ts";
import type { Limit } from "../../domain/limits/limit.ts";
import { scopeText } from "../../domain/scopes/scope.ts";
import { spanAt } from "../../domain/windows/span.ts";
import type { ManagementPorts } from "../../engine/manage/management.ts";

/** Moves the window that a scope was in at the instant of the id (GATE 5.9). */
export function adjuster(books: Pick<Books, "post">): ManagementPorts["adjust"] {
  return (id, scope, window, by, metadata) => {
    const at = ulidEpochMs(id);
    const counter = counterId(scope, undefined, window, spanAt(window, at).start);
    // A window that limits nothing has no counter until somebody looks at it.
    const watched: Limit = { scope, model: undefined, measure: "nanoUsd", window, cap: 0n, hard: false, windowText: undefined };
    return new Promise((resolve, reject) => {
      books.post(adjustmentEntry({ id, at, scope: scopeText(scope), counter, by, metadata }), [{ scopes: [scope], limits: [watched] }], (error) => (error === undefined ? resolve() : reject(error)));
    });
  };
}
