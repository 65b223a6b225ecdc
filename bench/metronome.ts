// A worker that beats evenly. A timer of the main thread is a whole millisecond coarse and waits behind its work; this
// thread sleeps to a fraction of a millisecond and costs next to nothing.
import { parentPort, workerData } from "node:worker_threads";

const { intervalMs, startAt, origin, beats } = workerData as { intervalMs: number; startAt: number; origin: number; beats: number };
const never = new Int32Array(new SharedArrayBuffer(4));
const now = (): number => performance.timeOrigin + performance.now() - origin;

for (let beat = 0; beat < beats; beat += 1) {
  const waitMs = startAt + beat * intervalMs - now();
  if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs);
  parentPort?.postMessage(beat);
}
