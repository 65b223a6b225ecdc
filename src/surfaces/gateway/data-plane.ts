import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { TollgateError } from "../../base/errors.ts";
import type { UlidSource } from "../../base/ids.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Catalogue } from "../../domain/upstream/deployment.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Identity } from "../../engine/manage/directory.ts";

/** What the routes of the data plane share. */
export interface DataPlane {
  readonly clock: Clock;
  readonly ids: UlidSource;
  readonly engine: Engine;
  /** By path: each API that clients may speak. */
  readonly dialects: ReadonlyMap<string, Dialect>;
  readonly catalogue: Catalogue;
  readonly bodyLimitBytes: number;
  readonly budgetExceededStatus: number;
  /** @throws TollgateError `missing_key`, `invalid_key`, `key_blocked`, `key_expired` */
  identify(request: IncomingMessage, now: number): Identity;
  identifyKey(key: string, now: number): Identity;
  /** The charges of a customer that has a budget, `undefined` if it is only a label. @throws TollgateError `key_blocked`, `too_many_new_customers` */
  customer(name: string, keyId: string | null, now: number): ChargeSet | undefined;
  stopping(): boolean;
  onError(error: TollgateError, requestId: string, status: number): void;
  onDefect(error: unknown, requestId: string): void;
}

const KEY_HEADERS = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "ocp-apim-subscription-key", "x-litellm-api-key"] as const;

/** The name of a scheme is the same in any case (RFC 9110, 11.1). */
const SCHEME = /^\s*bearer(?:\s+|$)/i;

/** The key of a request, from any header that LiteLLM's clients use. @throws TollgateError `missing_key` */
export function keyIn(header: (name: string) => string | undefined): string {
  for (const name of KEY_HEADERS) {
    const key = header(name)?.replace(SCHEME, "").trim();
    if (key !== undefined && key !== "") return key;
  }
  throw new TollgateError("missing_key", "Authentication Error, no API key was sent. Send it as `Authorization: Bearer sk-...`.");
}

/** SHA-256 in lower-case hex: the only form in which keys are stored and compared. */
export function hashKey(key: string): string {
  return hash("sha256", key, "hex");
}

/** Compares two hashes in constant time. */
export function sameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, "latin1"), Buffer.from(b, "latin1"));
}
