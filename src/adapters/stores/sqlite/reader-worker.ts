import { parentPort, workerData } from "node:worker_threads";
import type { Balance } from "../../../domain/ledger/ports.ts";
import { auditLedger } from "./audit.ts";
import { LedgerReader } from "./ledger-reader.ts";
import { errorText, type ReaderRequest, type WorkerAnswer } from "./messages.ts";
import { openForReading } from "./schema.ts";

const send = (message: WorkerAnswer): void => parentPort?.postMessage(message);

let reader: LedgerReader | undefined;

function call({ method, parameters }: ReaderRequest): unknown {
  reader ??= new LedgerReader(openForReading((workerData as { path: string }).path));
  if (method === "audit") return auditLedger(reader.database, parameters[0] as readonly Balance[] | undefined, () => send({ type: "begun" }));
  const work = reader[method] as (...values: readonly unknown[]) => unknown;
  return work.apply(reader, [...parameters]);
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
