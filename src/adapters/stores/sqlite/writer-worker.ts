import { existsSync, renameSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { TollgateError } from "../../../base/errors.ts";
import type { Batch } from "../../../domain/ledger/store.ts";
import { LedgerWriter } from "./ledger-writer.ts";
import { errorText, type WorkerAnswer, type WriterRequest } from "./messages.ts";
import { isBusy, isDiskTrouble, openForWriting } from "./schema.ts";

const COMMIT_ROWS = 1_000;
const COMMIT_AFTER_MS = 200;
const LONGEST_RETRY_MS = 5_000;

const answer = (message: WorkerAnswer): void => parentPort?.postMessage(message);

let connection: { readonly writer: LedgerWriter; readonly database: DatabaseSync; close(): void } | undefined;
const { path } = workerData as { path: string };
let pending: Batch[] = [];
let pendingRows = 0;
let timer: NodeJS.Timeout | undefined;
let retryMs = COMMIT_AFTER_MS;
let failing = false;
let waiting: { readonly id: number; readonly patient: boolean }[] = [];
/** An audit waits for its view of the ledger: until it has it, every request waits in its order. */
let held = false;
let deferred: WriterRequest[] = [];

function writer(): LedgerWriter {
  if (connection === undefined) {
    const database = openForWriting(path);
    connection = { writer: new LedgerWriter(database), database, close: () => database.close() };
  }
  return connection.writer;
}

/**
 * Somebody deleted the file under a running gateway. Until this connection closes all of it is still there, so it is
 * written anew in its place; else everything would be gone with the process.
 */
function putBack(): void {
  const { database } = connection as NonNullable<typeof connection>;
  const rescued = `${path}.rescued`;
  rmSync(rescued, { force: true });
  database.prepare("VACUUM INTO ?").run(rescued);
  database.close();
  connection = undefined;
  // What belongs to the deleted file must not be read as part of the new one.
  for (const ending of ["-wal", "-shm"]) rmSync(`${path}${ending}`, { force: true });
  renameSync(rescued, path);
  answer({ type: "problem", error: errorText(new Error(`${path} was deleted while it was in use. It is put back with everything that was in it; a gateway must be stopped before its files are moved.`)) });
}

/** Commits what is pending. What failed stays pending and is tried again: nothing is dropped. */
function commit(): boolean {
  clearTimeout(timer);
  timer = undefined;
  const deleted = connection !== undefined && !existsSync(path);
  if (pending.length > 0 || deleted) {
    try {
      if (deleted) putBack();
      if (pending.length > 0) writer().write(pending);
    } catch (error) {
      failing = true;
      answer({ type: "problem", error: errorText(error) });
      if (!isBusy(error)) refuseImpatient();
      timer = setTimeout(commit, retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      return false;
    }
    const lastSequence = pending.reduce((last, batch) => Math.max(last, batch.lastSequence), 0);
    const batches = pending.length;
    pending = [];
    pendingRows = 0;
    failing = false;
    retryMs = COMMIT_AFTER_MS;
    answer({ type: "committed", lastSequence, batches });
  }
  for (const { id } of waiting) answer({ type: "answer", id, value: undefined });
  waiting = [];
  return true;
}

/** A full disk may take hours, and worse for ever: who only wants to read what was settled last is told, instead of left waiting. */
function refuseImpatient(): void {
  for (const { id, patient } of waiting) if (!patient) answer({ type: "failure", id, error: errorText(unwritable("what was settled last cannot be read")) });
  waiting = waiting.filter(({ patient }) => patient);
}

function release(): void {
  held = false;
  const requests = deferred;
  deferred = [];
  for (const request of requests) receive(request);
}

function receive(request: WriterRequest): void {
  if (held && request.type !== "release" && request.type !== "close") {
    deferred.push(request);
    return;
  }
  switch (request.type) {
    case "write":
      pending.push(request.batch);
      pendingRows += request.batch.entries.length + (request.batch.lines?.count ?? 0);
      // While the disk is full the back-off decides, not the next batch.
      if (failing) return;
      if (pendingRows >= COMMIT_ROWS) commit();
      else timer ??= setTimeout(commit, COMMIT_AFTER_MS);
      return;
    case "commit":
      waiting.push({ id: request.id, patient: request.patient === true });
      commit();
      return;
    case "hold":
      // Exactly what was sent before is committed, so that live counters sent along can be compared with it.
      respond(request.id, () => {
        if (!commit()) throw unwritable("it cannot be compared with the live counters");
        held = true;
      });
      return;
    case "release":
      release();
      return;
    case "load":
      respond(request.id, () => writer().load());
      return;
    case "change":
      respond(request.id, () => {
        // A balance that waits to be written must not come back after it was deleted.
        if (!commit()) throw unwritable("the change was not made");
        if (request.again === true && writer().isMade(request.changes)) return;
        makeChange(request.changes, request.balancesToDelete);
      });
      return;
    case "close":
      // A second audit may be among the deferred requests.
      while (deferred.length > 0) release();
      // What cannot be written now is still in the journal, and is replayed at the next start.
      commit();
      clearTimeout(timer);
      respond(request.id, () => connection?.close());
      parentPort?.close();
  }
}

function makeChange(...[changes, balancesToDelete]: Parameters<LedgerWriter["change"]>): void {
  try {
    writer().change(changes, balancesToDelete);
  } catch (error) {
    throw isDiskTrouble(error) ? unwritable("the change was not made") : error;
  }
}

function unwritable(consequence: string): TollgateError {
  return new TollgateError("ledger_unwritable", `The ledger cannot be written (is the disk full?), so ${consequence}. Free space on the data folder's disk and try again.`);
}

function respond(id: number, work: () => unknown): void {
  try {
    answer({ type: "answer", id, value: work() });
  } catch (error) {
    answer({ type: "failure", id, error: errorText(error) });
  }
}

parentPort?.on("message", receive);
