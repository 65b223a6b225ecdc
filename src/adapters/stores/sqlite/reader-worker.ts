import { statSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Dimension } from "../../../domain/analytics/dimension.ts";
import type { EntriesQuery, SumsQuery } from "../../../domain/analytics/source.ts";
import type { Balance } from "../../../domain/ledger/ports.ts";
import { auditLedger } from "./audit.ts";
import { CostReader } from "./cost-reader.ts";
import { LedgerReader } from "./ledger-reader.ts";
import { errorText, type ReaderRequest, type WorkerAnswer } from "./messages.ts";
import { openForReading } from "./schema.ts";

const send = (message: WorkerAnswer): void => parentPort?.postMessage(message);

let reader: LedgerReader | undefined;
let costs: CostReader | undefined;

const { path } = workerData as { path: string };
/** Which file was opened: one that was deleted is put back as another. */
let inode: number | undefined;

function ledger(): LedgerReader {
  const now = statSync(path, { throwIfNoEntry: false })?.ino;
  if (reader !== undefined && now !== undefined && now !== inode) {
    reader.database.close();
    reader = undefined;
    costs = undefined;
  }
  inode = now ?? inode;
  reader ??= new LedgerReader(openForReading(path));
  return reader;
}

function call({ method, parameters }: ReaderRequest): unknown {
  const reader = ledger();
  if (method === "audit") return auditLedger(reader.database, parameters[0] as readonly Balance[] | undefined, () => send({ type: "begun" }));
  switch (method) {
    case "sums":
      return costReader(reader).sums(parameters[0] as SumsQuery);
    case "costEntries":
      return costReader(reader).entries(parameters[0] as EntriesQuery);
    case "arrivals":
      return costReader(reader).arrivals(parameters[0] as number | undefined);
    case "names":
      return costReader(reader).names(parameters[0] as Dimension);
    default: {
      const work = reader[method] as (...values: readonly unknown[]) => unknown;
      return work.apply(reader, [...parameters]);
    }
  }
}

function costReader({ database }: LedgerReader): CostReader {
  costs ??= new CostReader(database);
  return costs;
}

parentPort?.on("message", (request: ReaderRequest) => {
  let message: WorkerAnswer;
  try {
    message = { type: "answer", id: request.id, value: call(request) };
  } catch (error) {
    message = { type: "failure", id: request.id, error: errorText(error) };
  }
  send(message);
});
