import { isoTime } from "./alert.ts";
import type { AbortSignalLike, Notifier, SendResult } from "./notifier.ts";
import type { ClaimedDelivery, DeliveryRecord, Outbox } from "./outbox.ts";

export interface RetryRules {
  /** Attempts in all, over restarts. */
  readonly attemptsMax: number;
  readonly firstPauseMs: number;
  readonly pauseMaxMs: number;
  /** A pause up to this is waited for; a longer one is left to a later run. */
  readonly waitMaxMs: number;
}

export const RETRIES: RetryRules = { attemptsMax: 8, firstPauseMs: 1_000, pauseMaxMs: 3_600_000, waitMaxMs: 10_000 };

/** Longer than any channel's own time-out: who holds a claim that long has died. */
export const CLAIM_MS = 120_000;

export interface DeliveryParts {
  readonly outbox: Outbox;
  readonly notifiers: readonly Notifier[];
  readonly now: () => number;
  /** Resolves early when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignalLike) => Promise<void>;
  /** In [0, 1): spreads retries of many processes. */
  readonly random: () => number;
  readonly retries: RetryRules;
  readonly signal: AbortSignalLike;
}

export interface DeliveryCount {
  readonly sent: number;
  /** Failed, and to be tried again later. */
  readonly postponed: number;
  readonly givenUp: number;
}

/** Sends all that is due. Channels work beside each other, each one message after another. */
export async function deliverDue(parts: DeliveryParts): Promise<DeliveryCount> {
  const counts = await Promise.all(parts.notifiers.map((notifier) => drain(notifier, parts)));
  const sum = (name: keyof DeliveryCount): number => counts.reduce((total, count) => total + count[name], 0);
  return { sent: sum("sent"), postponed: sum("postponed"), givenUp: sum("givenUp") };
}

async function drain(notifier: Notifier, parts: DeliveryParts): Promise<DeliveryCount> {
  const { outbox, now, retries, signal } = parts;
  let sent = 0;
  let givenUp = 0;
  const postponed = new Set<string>();
  while (!signal.aborted) {
    const delivery = outbox.claim([notifier.name], now(), CLAIM_MS);
    if (delivery === undefined) break;
    const pauseMs = await attempt(notifier, delivery, parts);
    if (typeof pauseMs !== "number") {
      postponed.delete(delivery.message.id);
      if (pauseMs === "sent") sent += 1;
      else givenUp += 1;
      continue;
    }
    postponed.add(delivery.message.id);
    // What fails now likely fails for the next message too: the channel rests as a whole.
    if (pauseMs > retries.waitMaxMs) break;
    // Timers may fire a moment early, and then nothing would be due.
    await parts.sleep(pauseMs + 5, signal);
  }
  return { sent, postponed: postponed.size, givenUp };
}

/** @returns how long to wait before the next attempt, or how it ended */
async function attempt(notifier: Notifier, delivery: ClaimedDelivery, { outbox, now, random, retries, signal }: DeliveryParts): Promise<number | "sent" | "given_up"> {
  const result = await notifier.send(delivery.message, signal);
  const count = delivery.attempts + 1;
  const again = result.outcome === "failed" && count < retries.attemptsMax;
  const pauseMs = again ? pauseBefore(count, result, retries, random) : 0;
  const at = now();
  const record: DeliveryRecord = {
    at: isoTime(at), messageId: delivery.message.id, channel: delivery.channel, attempt: count, outcome: result.outcome === "failed" && !again ? "given_up" : result.outcome,
    status: result.status, detail: result.detail ?? "", nextAttempt: again ? isoTime(at + pauseMs) : null,
  };
  outbox.record(delivery, record, again ? at + pauseMs : undefined);
  if (again) return pauseMs;
  return result.outcome === "sent" ? "sent" : "given_up";
}

/** Doubles each time, between half and all of it, and never sooner than the other side asked for. */
function pauseBefore(attempts: number, result: SendResult, { firstPauseMs, pauseMaxMs }: RetryRules, random: () => number): number {
  const full = Math.min(firstPauseMs * 2 ** (attempts - 1), pauseMaxMs);
  const asked = result.outcome === "failed" ? (result.retryAfterMs ?? 0) : 0;
  return Math.ceil(Math.max(full / 2 + (full / 2) * random(), Math.min(asked, 24 * 3_600_000)));
}
