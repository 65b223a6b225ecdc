import { TollgateError, type ErrorCode } from "../../../base/errors.ts";
import type { Batch, RecordChange } from "../../../domain/ledger/store.ts";

/** What the store asks of its writer. Requests with an `id` are answered. */
export type WriterRequest =
  | { readonly type: "write"; readonly batch: Batch }
  | { readonly type: "load" | "hold"; readonly id: number }
  | { readonly type: "commit"; readonly id: number; /** Answered once it is done, however long the disk refuses. */ readonly patient?: true }
  | { readonly type: "close"; readonly id: number }
  | { readonly type: "release" }
  | { readonly type: "change"; readonly id: number; /** It was asked of a thread that ended, and may be made already. */ readonly again?: true; readonly changes: readonly RecordChange[]; readonly balancesToDelete: readonly string[] };

/** What cost reports ask. */
export type CostMethod = "sums" | "costEntries" | "arrivals" | "names";

/** A call of one method of the reader. */
export interface ReaderRequest {
  readonly id: number;
  readonly method: "entries" | "spent" | "history" | "has" | "totals" | "totalsByScope" | "records" | "audit" | CostMethod;
  readonly parameters: readonly unknown[];
}

/** Errors cross a thread as data: a clone would lose their class and code. */
export interface ErrorText {
  readonly message: string;
  readonly code: ErrorCode | undefined;
  readonly param?: string | undefined;
}

export type WorkerAnswer =
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  | { readonly type: "failure"; readonly id: number; readonly error: ErrorText }
  | { readonly type: "committed"; readonly lastSequence: number; /** How many, in the order they came. */ readonly batches: number }
  /** The reader sees one state from now on. */
  | { readonly type: "begun" }
  | { readonly type: "problem"; readonly error: ErrorText };

export function errorText(error: unknown): ErrorText {
  if (error instanceof TollgateError) return { message: error.message, code: error.code, param: error.param };
  return { message: error instanceof Error ? error.message : String(error), code: undefined };
}

export function errorOf({ message, code, param }: ErrorText): Error {
  return code === undefined ? new Error(message) : new TollgateError(code, message, param === undefined ? {} : { param });
}
