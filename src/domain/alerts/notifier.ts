import type { Message } from "./message.ts";

/** What became of one attempt. `detail` is a sentence without secrets. */
export type SendResult =
  | { readonly outcome: "sent"; readonly status: number | null; readonly detail?: string | undefined }
  /** Worth another attempt, not before `retryAfterMs` where the other side said so. */
  | { readonly outcome: "failed"; readonly status: number | null; readonly detail: string; readonly retryAfterMs?: number | undefined }
  /** The other side will never take it: a wrong address, a wrong password. */
  | { readonly outcome: "refused"; readonly status: number | null; readonly detail: string };

/** A place that messages go to. */
export interface Notifier {
  /** How the outbox and its log call it: the same after a restart, and no secret. */
  readonly name: string;
  /** Ends within its own time-out, and never throws what holds a secret. */
  send(message: Message, signal: AbortSignalLike): Promise<SendResult>;
}

/** The part of an `AbortSignal` that is needed here. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
