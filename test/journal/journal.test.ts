import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FileJournal, readJournal } from "../../src/adapters/journal/journal.ts";

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-journal-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function journal(): FileJournal {
  const contents = readJournal(folder);
  return new FileJournal({ folder, nextSequence: contents.nextSequence, finished: contents.segments, onHealth: () => {} });
}

function append(target: FileJournal, record: string): Promise<number> {
  return new Promise((resolve, reject) => target.append(record, (error, sequence) => (error === undefined ? resolve(sequence) : reject(error))));
}

const only = (): string => join(folder, readdirSync(folder)[0] as string);

test("8.1 records of one turn come back in order with their sequence numbers, over restarts", async () => {
  const first = journal();
  expect(await Promise.all(["a", "b", "ü €"].map((record) => append(first, record)))).toEqual([1, 2, 3]);
  first.close();
  const second = journal();
  expect(await append(second, "d")).toBe(4);
  second.close();
  expect(readJournal(folder).lines.map((line) => line.record)).toEqual(["a", "b", "ü €", "d"]);
});

test("8.4 a torn last record is cut off at any byte, and what follows is readable again", async () => {
  const first = journal();
  await Promise.all(["one", "two"].map((record) => append(first, record)));
  first.close();
  const whole = readFileSync(only());
  const firstLine = whole.indexOf(10) + 1;
  for (let length = firstLine; length < whole.length; length += 1) {
    writeFileSync(only(), whole.subarray(0, length));
    expect(readJournal(folder).lines.map((line) => line.record)).toEqual(["one"]);
    expect(readFileSync(only()).length).toBe(firstLine);
  }
});

test("8.4 damage elsewhere stops the start and names file and offset", async () => {
  const first = journal();
  await Promise.all(["one", "two", "three"].map((record) => append(first, record)));
  first.close();
  const bytes = readFileSync(only());
  const offset = bytes.indexOf(10) + 1;
  bytes[offset + 12] = (bytes[offset + 12] as number) ^ 1;
  writeFileSync(only(), bytes);
  expect(() => readJournal(folder)).toThrowError(expect.objectContaining({ code: "journal_corrupt", details: { file: only(), offset } }));
});

test("8.4 garbage after the last record in the newest segment is a torn record, in an older one it is damage", async () => {
  const first = journal();
  await append(first, "one");
  first.close();
  const older = only();
  const second = journal();
  await append(second, "two");
  second.close();
  appendFileSync(older, "torn");
  expect(() => readJournal(folder)).toThrowError(expect.objectContaining({ code: "journal_corrupt" }));
});

test("8.3 a segment goes only once its records are in the ledger, and open holds live on in a newer one", async () => {
  const first = journal();
  first.opened({ record: '{"type":"hold","facts":{"attemptId":"A"}}', place: -1 });
  await append(first, "x".repeat(17 * 1024 * 1024));
  await append(first, "next");
  expect(readdirSync(folder)).toHaveLength(2);
  first.committed(0);
  expect(readdirSync(folder)).toHaveLength(2);
  first.committed(2);
  expect(readdirSync(folder)).toHaveLength(1);
  first.close();
  expect(readJournal(folder).lines.map((line) => line.record.slice(0, 20))).toEqual(['{"type":"hold","fact', "next"]);
});

test("8.4 a record that cannot be written says so, and a cost is retried until it is", async () => {
  const health: boolean[] = [];
  const target = new FileJournal({ folder: join(folder, "missing"), nextSequence: 1, finished: [], onHealth: (healthy) => health.push(healthy) });
  await expect(append(target, "hold")).rejects.toThrow();
  const outcomes: (string | number)[] = [];
  await new Promise<void>((resolve) => {
    target.append("cost", (error, sequence) => {
      outcomes.push(error === undefined ? sequence : "failed");
      if (error === undefined) resolve();
      else import("node:fs").then(({ mkdirSync }) => mkdirSync(join(folder, "missing")));
    }, true);
  });
  expect(outcomes.slice(0, 1)).toEqual(["failed"]);
  expect(outcomes.at(-1)).toBe(1);
  expect(health).toEqual([false, true]);
  target.close();
  expect(readJournal(join(folder, "missing")).lines.map((line) => line.record)).toEqual(["cost"]);
});
