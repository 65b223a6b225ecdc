import type { ResponseCache } from "../../../domain/cache/response-cache.ts";
import type { StoredAnswer } from "../../../domain/cache/stored-answer.ts";

/**
 * How a call ended for those who wait for its answer: with one; `failed`, as theirs would probably have, so each goes on
 * by itself; or `left` for a reason of its caller's own (given up, refused by a budget, out of time), so one of them takes over.
 */
export type Landing = { readonly answer: StoredAnswer } | "failed" | "left";

/** A call under way whose answer others wait for. */
export class Flight {
  readonly landed: Promise<Landing>;
  private resolve!: (landing: Landing) => void;

  constructor() {
    this.landed = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  /** The first word counts. */
  land(landing: Landing): void {
    this.resolve(landing);
  }
}

const flightsOf = new WeakMap<ResponseCache, Map<string, Flight>>();

/** The calls under way over one cache, by key: also those of other instances that use it. */
export function flightsOver(cache: ResponseCache): Map<string, Flight> {
  let flights = flightsOf.get(cache);
  if (flights === undefined) flightsOf.set(cache, (flights = new Map()));
  return flights;
}
