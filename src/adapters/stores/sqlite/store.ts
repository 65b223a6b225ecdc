import { Worker } from "node:worker_threads";
import { TollgateError } from "../../../base/errors.ts";
import type { LedgerStore } from "../../../domain/ledger/store.ts";
import type { WriterRequest } from "./writer-worker.ts";

type Call = { [M in keyof ReaderCalls]: { id: number; method: M; args: ReaderCalls[M] } }[keyof ReaderCalls];
interface ReaderCalls {
  entries: Parameters<LedgerStore["entries"]>;
  spent: Parameters<LedgerStore["spent"]>;
  totals: Parameters<LedgerStore["totals"]>;
  totalsByScope: Parameters<LedgerStore["totalsByScope"]>;
  audit: Parameters<LedgerStore["audit"]>;
}

interface Answer {
  readonly type: string;
  readonly id?: number;
  readonly lost?: string;
  readonly error?: string;
  readonly result?: unknown;
  readonly message?: string;
  readonly lastSequence?: number;
  readonly state?: Awaited<ReturnType<LedgerStore["load"]>>;
}

/** The extension of this file, so that workers start from source and from the build alike. */
const EXTENSION = import.meta.url.endsWith(".ts") ? "ts" : "js";

/**
 * The ledger in one SQLite file: a worker thread holds the one connection that writes, another one reads.
 * @throws TollgateError `ledger_unreadable`, `ledger_newer`
 */
export async function openSqliteStore(options: { readonly path: string; readonly onProblem: (error: Error) => void }): Promise<LedgerStore> {
  const writer = startWorker("writer-worker", options.path);
  const pending = new Map<number, (answer: Answer) => void>();
  const listeners: ((lastSequence: number) => void)[] = [];
  let nextId = 1;
  const state = await new Promise<NonNullable<Answer["state"]>>((resolve, reject) => {
    writer.once("error", reject);
    writer.on("message", (answer: Answer) => {
      if (answer.type === "loaded") resolve(answer.state as NonNullable<Answer["state"]>);
      else if (answer.type === "committed") for (const listener of listeners) listener(answer.lastSequence as number);
      else if (answer.type === "problem") options.onProblem(new Error(answer.message));
      else settle(pending, answer);
    });
  }).catch((error: Error & { code?: string }) => {
    throw asTollgateError(error, options.path);
  });
  writer.on("error", options.onProblem);
  const ask = async (request: { [K in WriterRequest as K["type"]]: Omit<K, "id"> }["commit" | "change" | "close"]): Promise<Answer> => {
    const id = nextId++;
    const answer = new Promise<Answer>((resolve) => pending.set(id, resolve));
    writer.postMessage({ ...request, id });
    const result = await answer;
    if (result.error !== undefined) throw new TollgateError("ledger_unreadable", `The ledger could not be written: ${result.error}.`);
    return result;
  };
  const reader = lazyReader(options.path, options.onProblem);
  const read = async <M extends keyof ReaderCalls>(method: M, ...args: ReaderCalls[M]): Promise<never> => {
    await ask({ type: "commit" });
    return (await reader.call(method, args)) as never;
  };
  return {
    load: () => Promise.resolve(state),
    write: (batch) => writer.postMessage({ type: "batch", batch } satisfies WriterRequest),
    onCommitted: (listener) => { listeners.push(listener); },
    commit: async () => { await ask({ type: "commit" }); },
    change: async (changes, balancesToDelete = []) => {
      const { lost } = await ask({ type: "change", changes, balancesToDelete });
      if (lost !== undefined) throw new TollgateError("conflict", `The ${lost} was changed by somebody else at the same time. Read it again and repeat the change.`);
    },
    entries: (...args) => read("entries", ...args),
    spent: (...args) => read("spent", ...args),
    totals: (...args) => read("totals", ...args),
    totalsByScope: (...args) => read("totalsByScope", ...args),
    audit: (...args) => read("audit", ...args),
    close: async () => {
      await ask({ type: "close" });
      await Promise.all([writer.terminate(), reader.close()]);
    },
  };
}

function lazyReader(path: string, onProblem: (error: Error) => void) {
  const pending = new Map<number, (answer: Answer) => void>();
  let worker: Worker | undefined;
  let nextId = 1;
  const start = (): Worker => {
    const started = startWorker("reader-worker", path);
    started.on("message", (answer: Answer) => settle(pending, answer));
    started.on("error", onProblem);
    return started;
  };
  return {
    async call<M extends keyof ReaderCalls>(method: M, args: ReaderCalls[M]): Promise<unknown> {
      worker ??= start();
      const id = nextId++;
      const answer = new Promise<Answer>((resolve) => pending.set(id, resolve));
      worker.postMessage({ id, method, args } as Call);
      const { result, error } = await answer;
      if (error !== undefined) throw new TollgateError("ledger_unreadable", `The ledger could not be read: ${error}.`);
      return result;
    },
    close: async () => { await worker?.terminate(); },
  };
}

function startWorker(name: string, path: string): Worker {
  return new Worker(new URL(`./${name}.${EXTENSION}`, import.meta.url), { workerData: { path } });
}

function settle(pending: Map<number, (answer: Answer) => void>, answer: Answer): void {
  const resolve = pending.get(answer.id as number);
  pending.delete(answer.id as number);
  resolve?.(answer);
}

function asTollgateError(error: Error & { code?: string }, path: string): TollgateError {
  const code = error.code === "ledger_newer" ? "ledger_newer" : "ledger_unreadable";
  return new TollgateError(code, error.message || `${path} cannot be opened.`, { cause: error });
}
