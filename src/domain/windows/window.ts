/** The span over which a counter counts. */
export type WindowSpec =
  /** For ever; with `since`, only what was admitted at or after it (epoch milliseconds). */
  | { readonly kind: "lifetime"; readonly since?: number }
  /** Calendar or epoch-aligned spans of a LiteLLM `budget_duration`. */
  | { readonly kind: "aligned"; readonly duration: Duration; readonly zone: string; readonly weekStart: WeekDay; readonly since?: number }
  /** The last `spanMs` milliseconds of the monotonic clock. */
  | { readonly kind: "sliding"; readonly spanMs: number }
  /** This instant: parallel slots. */
  | { readonly kind: "now" };

/** 0 is Sunday. */
export type WeekDay = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export interface Duration {
  readonly count: number;
  readonly unit: "s" | "m" | "h" | "d" | "w" | "mo";
}

export interface WindowSpan {
  /** Epoch milliseconds, inclusive. */
  readonly start: number;
  /** Epoch milliseconds, exclusive; `Infinity` for a lifetime. */
  readonly end: number;
}

export const MINUTE_SLIDING: WindowSpec = { kind: "sliding", spanMs: 60_000 };
export const LIFETIME: WindowSpec = { kind: "lifetime" };
export const NOW: WindowSpec = { kind: "now" };
