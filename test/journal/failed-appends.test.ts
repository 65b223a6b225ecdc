import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FileJournal, readJournal } from "../../src/adapters/journal/journal.ts";

const disk = vi.hoisted(() => ({ full: false, stuck: false }));
vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  const refuse = (code: string): never => { throw Object.assign(new Error(`${code}: the test's disk`), { code }); };
  return {
    ...fs,
    // A full disk takes a part of the write and refuses the rest.
    writeSync: (descriptor: number, bytes: Buffer, offset: number, length: number) => {
      if (!disk.full) return fs.writeSync(descriptor, bytes, offset, length);
      if (offset > 0) return refuse("ENOSPC");
      return fs.writeSync(descriptor, bytes, 0, Math.min(length, 7));
    },
    ftruncateSync: (descriptor: number, length: number) => (disk.stuck ? refuse("EIO") : fs.ftruncateSync(descriptor, length)),
  };
});

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-journal-")); });
afterEach(() => {
  disk.full = false;
  disk.stuck = false;
  rmSync(folder, { recursive: true, force: true });
});

function journal(segmentBytes?: number): FileJournal {
  const contents = readJournal(folder);
  return new FileJournal({ folder, nextSequence: contents.nextSequence, finished: contents.segments, onHealth: () => {}, ...(segmentBytes === undefined ? {} : { segmentBytes }) });
}

const written = (target: FileJournal, record: string): Promise<number> => new Promise((resolve, reject) => target.append(record, (error, sequence) => (error === undefined ? resolve(sequence) : reject(error))));
const records = (): string[] => readJournal(folder).lines.map((line) => line.record);
const sequences = (): number[] => readJournal(folder).lines.map((line) => line.sequence);

/** Appends a cost; resolves with the sequence number under which it landed in the end. */
function cost(target: FileJournal, record: string, failed?: () => void): Promise<number> {
  return new Promise((resolve) => target.append(record, (error, sequence) => (error === undefined ? resolve(sequence) : failed?.()), true));
}

test.each([[false], [true]])("GATE 8.4: settles that failed land later, before what came after them, by sequence (truncation refused too: %s)", async (stuck) => {
  const target = journal();
  await written(target, "hold A");
  Object.assign(disk, { full: true, stuck });
  const later: Promise<number>[] = [];
  const first = cost(target, "settle A", () => { if (later.length === 0) later.push(cost(target, "settle C")); });
  const second = cost(target, "settle B");
  const refused = written(target, "hold D");
  await expect(refused).rejects.toThrow();
  Object.assign(disk, { full: false, stuck: false });
  const numbers = await Promise.all([first, second, ...later]);
  expect(numbers).toEqual([2, 3, 4]);
  expect(await written(target, "hold E")).toBe(5);
  target.close();
  expect(records()).toEqual(["hold A", "settle A", "settle B", "settle C", "hold E"]);
  expect(sequences()).toEqual([1, 2, 3, 4, 5]);
});

test("GATE 8.4: a journal that nobody writes to, because it said that it cannot be written, finds out by itself when it can", async () => {
  const told: boolean[] = [];
  const contents = readJournal(folder);
  const target = new FileJournal({ folder, nextSequence: contents.nextSequence, finished: contents.segments, onHealth: (healthy) => told.push(healthy) });
  await written(target, "hold A");
  disk.full = true;
  await expect(written(target, "hold B")).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(told).toEqual([false]);
  disk.full = false;
  await expect.poll(() => told, { timeout: 2_000 }).toEqual([false, true]);
  expect(records()).toEqual(["hold A"]);
  expect(await written(target, "hold C")).toBe(2);
  target.close();
  expect(records()).toEqual(["hold A", "hold C"]);
});

test("GATE 8.4: the process dies while settles wait: what had landed is recovered whole, and the part of the failed write is cut", async () => {
  const target = journal();
  await written(target, "hold A");
  Object.assign(disk, { full: true, stuck: true });
  await new Promise<void>((resolve) => void cost(target, "settle A", resolve));
  const bytes = readFileSync(join(folder, readdirSync(folder)[0] as string));
  expect(bytes.at(-1)).not.toBe(10);
  Object.assign(disk, { full: false, stuck: false });
  expect(records()).toEqual(["hold A"]);
  expect(records()).toEqual(["hold A"]);
  target.close();
});

test("GATE 8.3: a batch that fails just after a new segment began gives no sequence number a second time", async () => {
  const target = journal(10);
  const hold = { record: "hold A", place: -1 };
  target.opened(hold);
  await written(target, "hold A");
  // The copy of the open hold fits; the batch behind it does not.
  const original = (target as unknown as { write(bytes: Buffer): void }).write.bind(target);
  let writes = 0;
  (target as unknown as { write(bytes: Buffer): void }).write = (bytes) => {
    writes += 1;
    disk.full = writes === 2;
    original(bytes);
  };
  await new Promise<void>((resolve) => void cost(target, "settle A", resolve));
  disk.full = false;
  target.flush();
  target.close();
  const numbers = sequences();
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
  expect(records().at(-1)).toBe("settle A");
});

test("GATE 8.4: recovery twice, with new records between, reads the same; damage in any byte before the last record stops the start", async () => {
  const target = journal();
  await Promise.all(["one", "two", "three"].map((record) => written(target, record)));
  target.close();
  const path = join(folder, readdirSync(folder)[0] as string);
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 2));
  expect(records()).toEqual(["one", "two"]);
  const again = journal();
  expect(await written(again, "four")).toBe(3);
  again.close();
  expect(records()).toEqual(["one", "two", "four"]);
  expect(records()).toEqual(["one", "two", "four"]);
  writeFileSync(path, whole);
  const lastRecord = whole.lastIndexOf(10, whole.length - 2) + 1;
  for (let offset = 0; offset < lastRecord; offset += 1) {
    const damaged = Buffer.from(whole);
    damaged[offset] = (damaged[offset] as number) ^ 0x11;
    writeFileSync(path, damaged);
    expect(() => readJournal(folder), `byte ${offset}`).toThrowError(expect.objectContaining({ code: "journal_corrupt" }));
    expect(readFileSync(path).equals(damaged), "the damaged file is left as it is").toBe(true);
  }
});
