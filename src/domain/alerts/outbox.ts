import type { Message } from "./message.ts";
import type { SendResult } from "./notifier.ts";

/** A message that this process alone may send now, until the claim runs out. */
export interface ClaimedDelivery {
  readonly message: Message;
  readonly channel: string;
  /** Attempts that were made before. */
  readonly attempts: number;
}

/** One line of the log: an attempt and what became of it. */
export interface DeliveryRecord {
  readonly at: string;
  readonly messageId: string;
  readonly channel: string;
  /** From 1. */
  readonly attempt: number;
  readonly outcome: SendResult["outcome"] | "given_up";
  readonly status: number | null;
  readonly detail: string;
  /** When it is tried again, ISO; `null`: never. */
  readonly nextAttempt: string | null;
}

/** Messages that are to be sent, once for each channel, kept over restarts and shared by processes. */
export interface Outbox {
  /** @returns how many were new: a known id is not put in again, sent or not */
  add(message: Message, channels: readonly string[], now: number): number;
  /** The oldest message that is due on one of the channels and claimed by nobody. */
  claim(channels: readonly string[], now: number, forMs: number): ClaimedDelivery | undefined;
  /** Writes the log and the new state in one step. Without `next` the delivery is over. */
  record(delivery: ClaimedDelivery, record: DeliveryRecord, next: number | undefined): void;
  /** Forgets what is over and was last said before, and what was logged before; what waits, and what is still said, stays. */
  prune(before: number): void;
  /** Newest first. */
  log(limit: number): DeliveryRecord[];
  /** How many wait on these channels, claimed ones too. */
  waiting(channels: readonly string[]): number;
  close(): void;
}
