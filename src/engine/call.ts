import type { TollgateError } from "../base/errors.ts";
import type { Charge } from "../domain/ledger/entry.ts";
import type { OpenAttempt, Refusal } from "../domain/limits/books.ts";
import type { ChargeSet } from "../domain/limits/limit.ts";
import type { Deployment } from "../domain/upstream/deployment.ts";
import type { Dialect, DialectRequest } from "../domain/upstream/dialect.ts";

/** One client request that has been identified and read. */
export interface Call {
  readonly requestId: string;
  /** Admission time, epoch milliseconds; the time in `requestId`. */
  readonly at: number;
  readonly route: string;
  readonly dialect: Dialect;
  readonly request: DialectRequest;
  readonly body: Uint8Array;
  /** Who pays: the identity's sets, then the customer's; the deployment's is added when one is chosen. */
  readonly charges: readonly ChargeSet[];
  readonly deployments: readonly Deployment[];
  readonly keyId: string | null;
  readonly teamId: string | null;
  readonly userId: string | null;
  readonly customer: string | null;
  readonly tags: readonly string[];
  /** JSON text that goes to the ledger in place of the request's own `metadata`. */
  readonly metadata?: string | null;
  /** Attempts that this request has already made: a retry is an attempt of the same request, with an entry of its own. */
  readonly attemptsBefore?: number;
  /** No budget shortens the answer: what does not fit whole is refused. */
  readonly wholeOutput?: boolean;
}

/** What an admitted and settled attempt came to, for headers. */
export interface Settled {
  readonly attempt: OpenAttempt;
  readonly deployment: Deployment;
  readonly charge: Charge;
  /** Where the provider is a Tollgate itself: the call's id in its ledger. */
  readonly gatewayCallId?: string | undefined;
}

/** How a call answers its client. Exactly one of `refused`, `failed`, `answer`, or `head` and then `end` or `broken`. */
export interface Client {
  /** Held and about to be sent; told before anything else. */
  admitted?(attempt: OpenAttempt): void;
  refused(refusal: Refusal): void;
  failed(error: TollgateError, settled: Settled | undefined): void;
  /** A whole answer, its cost already in the journal. */
  answer(status: number, headers: UpstreamHeaders, body: Uint8Array, settled: Settled): void;
  /** A stream begins. */
  head(status: number, headers: UpstreamHeaders, attempt: OpenAttempt, deployment: Deployment): void;
  bytes(chunk: Uint8Array): void;
  /** The stream's last bytes, its cost already in the journal. */
  end(rest: Uint8Array | undefined, settled: Settled): void;
  /** The stream broke off on the provider's side; its cost is in the journal. */
  broken(error: TollgateError, settled: Settled): void;
}

export type UpstreamHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * What becomes of an attempt whose client is gone (GATE 5.5): read on and charge the real usage; stop and charge what
 * was seen; or stop and charge the hold, where nothing was seen and the provider may have worked on it.
 */
export type LeavePolicy = "drain" | "cancel" | "cancel_at_hold";

export interface EngineSettings {
  readonly onDisconnect: "drain" | "cancel";
  readonly drainMs: number;
  readonly requestTimeoutMs: number;
  /** What happens to models without a price (GATE 2.3). Under a hard budget only an estimate lets them pass. */
  readonly unpriced: "block" | "estimate" | "allow";
  /** The provider's own 401, 403 and 3xx answers reach the client: its caller owns address and credentials. */
  readonly showAuthErrors?: boolean;
}
