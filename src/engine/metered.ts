import { TollgateError } from "../base/errors.ts";
import type { NanoUsd } from "../base/money.ts";
import { entryOf, type AttemptFacts, type Charge } from "../domain/ledger/entry.ts";
import type { Books } from "../domain/limits/books.ts";
import type { ChargeSet } from "../domain/limits/limit.ts";
import { scopeText } from "../domain/scopes/scope.ts";

/** A call that was made and metered elsewhere. */
export interface MeteredCall {
  /** A ULID: the call's identity, and its time. */
  readonly callId: string;
  readonly at: number;
  readonly route: string;
  readonly model: string;
  readonly provider: string;
  readonly upstreamModel: string;
  readonly charges: readonly ChargeSet[];
  readonly keyId: string | null;
  readonly teamId: string | null;
  readonly userId: string | null;
  readonly customer: string | null;
  readonly tags: readonly string[];
  /** JSON text. */
  readonly metadata: string | null;
}

/**
 * Charges a call that no hold preceded, exactly once by its id. It counts against every budget of its scopes, but comes
 * too late to be refused by one.
 * @param then told whether it was new; a replay changes nothing
 */
export function postMetered(books: Books, call: MeteredCall, charge: Charge, then: (error: TollgateError | undefined, posted: boolean) => void): void {
  const facts: AttemptFacts = {
    requestId: call.callId, attemptId: `${call.callId}.01`, at: call.at, scopes: call.charges.flatMap((set) => set.scopes.map(scopeText)),
    keyId: call.keyId, teamId: call.teamId, userId: call.userId, customer: call.customer, model: call.model, provider: call.provider,
    upstreamModel: call.upstreamModel, deployment: "", route: call.route, stream: false, tags: call.tags, metadata: call.metadata,
  };
  // Nothing was held, and nothing is overage: the cost was known before anybody asked.
  const held: NanoUsd = charge.cost;
  books.post(entryOf(facts, held, charge), call.charges, (error, posted) => {
    then(error === undefined ? undefined : new TollgateError("journal_unavailable", "The journal cannot be written. The cost is counted and its record is retried.", { cause: error }), posted);
  });
}
