import type { NanoUsd, PicoUsd } from "../../base/money.ts";

/**
 * What a request asks for, linear in its output cap: `fixed + perToken x cap` for each measure.
 * Money is in pico-dollars here and rounded up to nano-dollars once the cap is known.
 */
export interface Ask {
  readonly money: { readonly fixed: PicoUsd; readonly perToken: PicoUsd };
  readonly tokens: { readonly fixed: bigint; readonly perToken: bigint };
  readonly inputTokens: bigint;
  readonly outputPerToken: bigint;
  /** The cap the client declared, `undefined` if it did not. */
  readonly declaredCap: number | undefined;
  /** The most the model can answer, `undefined` if unknown. */
  readonly maximumOutput: number | undefined;
  /** The request is sent as it is or not at all: its whole output is held, and no cap is lowered or added. */
  readonly wholeOutput?: boolean;
}

/** What was granted and is now held. */
export interface Hold {
  readonly cap: number;
  readonly nanoUsd: NanoUsd;
}
