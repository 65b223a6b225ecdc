import { performance } from "node:perf_hooks";
import { expect, test } from "vitest";
import { World } from "./world.ts";

const STEPS = 400;
const ENOUGH_MS = 9_000;

/** `TOLLGATE_SEED=7` replays one world; `TOLLGATE_WORLDS=1000` runs so many. */
const replayed = process.env["TOLLGATE_SEED"];
const wanted = process.env["TOLLGATE_WORLDS"];

test("promises 1 to 5, GATE 3, 5, 7, 8: whatever traffic, clock, disk and crashes do, no budget is passed, nothing that fits is refused, every attempt is charged once, and all sums agree", { timeout: 86_400_000 }, async () => {
  const first = replayed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(replayed);
  const worlds = replayed !== undefined ? 1 : wanted === undefined ? Infinity : Number(wanted);
  const started = performance.now();
  let world: World | undefined;
  let done = 0;
  let crashes = 0;
  for (let seed = first; done < worlds && (wanted !== undefined || replayed !== undefined || performance.now() - started < ENOUGH_MS); seed += 1) {
    world = new World(seed);
    try {
      await world.run(STEPS);
    } catch (error) {
      throw new Error(`World ${seed} (replay it with TOLLGATE_SEED=${seed}): ${(error as Error).message}\nIts last steps: ${world.steps.slice(-40).join(", ")}`, { cause: error });
    }
    crashes += world.crashes;
    done += 1;
  }
  console.info(`${done} worlds from TOLLGATE_SEED=${first}, ${crashes} crashes`);
  expect(done).toBeGreaterThan(0);
});
