import type { StoredAnswer } from "../../../domain/cache/stored-answer.ts";
import type { Settled } from "../../../engine/call.ts";
import { settleCached, type CachedOutcome } from "../../../engine/cached.ts";
import { AttemptClient } from "../attempt-client.ts";
import { errorOfRefusal } from "../errors.ts";
import type { SdkPlane } from "../plane.ts";
import { engineCall, type PreparedCall } from "../run-call.ts";

/**
 * Puts a hit into the books and plays its answer as a provider's attempt would: what reads attempts reads this one, too.
 * @throws BudgetExceededError, TollgateError where a limit on requests refuses it, or the books cannot be written
 */
export async function clientOfCached(plane: SdkPlane, call: PreparedCall, stored: StoredAnswer, attempts: Settled[]): Promise<AttemptClient> {
  call.signal?.throwIfAborted();
  const outcome = await new Promise<CachedOutcome>((resolve) => settleCached(plane.engine, engineCall(plane, call, 0), stored, resolve));
  if (outcome.kind === "failed") throw outcome.error;
  if (outcome.kind === "refused") throw errorOfRefusal(outcome.refusal);
  const { settled } = outcome;
  attempts.push(settled);
  call.onSettled?.(settled);
  const client = new AttemptClient(() => {});
  client.settledAs(settled);
  client.bytes(stored.body);
  client.end(undefined);
  return client;
}
