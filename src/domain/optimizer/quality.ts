import { checkShare } from "./candidate.ts";

/** How good a model was at a task, and how that is known. */
export interface Quality {
  /** 0 to 1. */
  readonly score: number;
  readonly from: "own score" | "measured";
  /** Outcomes behind a measured score. */
  readonly samples: number;
}

/** By model, for every task; or by task, then by model. `"*"` is every task. */
export type Scores = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

/** So many outcomes before a measured score counts: fewer say next to nothing. */
const SAMPLES_MIN = 10;
/** 95 % confidence, one side. */
const Z = 1.645;

interface Tally {
  sum: number;
  samples: number;
}

/** Scores that the program gives, and outcomes that it saw. Keys are `Map` keys only: names come from outside. */
export class Qualities {
  private readonly scores = new Map<string, number>();
  private readonly tallies = new Map<string, Tally>();

  /** @throws TollgateError `invalid_request` for a score outside 0 to 1 */
  constructor(scores: Scores = {}) {
    for (const [name, value] of Object.entries(scores)) {
      if (typeof value === "number") this.scores.set(keyOf("*", name), checkShare(value, `scores.${name}`));
      else for (const [model, score] of Object.entries(value)) this.scores.set(keyOf(name, model), checkShare(score, `scores.${name}.${model}`));
    }
  }

  /** @param score 1 for good, 0 for bad, or between */
  record(task: string, model: string, score: number): void {
    const checked = checkShare(score, "score");
    for (const key of new Set([keyOf(task, model), keyOf("*", model)])) {
      const tally = this.tallies.get(key) ?? { sum: 0, samples: 0 };
      tally.sum += checked;
      tally.samples += 1;
      this.tallies.set(key, tally);
    }
  }

  /** The program's score before a measured one, the task's before the general one; `undefined` if nothing is known. */
  of(task: string, model: string): Quality | undefined {
    for (const key of [keyOf(task, model), keyOf("*", model)]) {
      const score = this.scores.get(key);
      if (score !== undefined) return { score, from: "own score", samples: 0 };
      const tally = this.tallies.get(key);
      if (tally !== undefined && tally.samples >= SAMPLES_MIN) return { score: lowerBound(tally), from: "measured", samples: tally.samples };
    }
    return undefined;
  }

  samples(task: string, model: string): number {
    return this.tallies.get(keyOf(task, model))?.samples ?? 0;
  }
}

export { SAMPLES_MIN };

/** Wilson's lower bound: ten good answers of ten are no proof of a perfect model. */
function lowerBound({ sum, samples }: Tally): number {
  const p = sum / samples;
  const z2 = (Z * Z) / samples;
  return (p + z2 / 2 - Z * Math.sqrt((p * (1 - p)) / samples + z2 / (4 * samples))) / (1 + z2);
}

function keyOf(task: string, model: string): string {
  return JSON.stringify([task, model]);
}
