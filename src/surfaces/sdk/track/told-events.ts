import type { Settled } from "../../../engine/call.ts";
import type { CallKind } from "../call-kind.ts";
import type { CallLog } from "../call-log.ts";
import { ServerEvents } from "../server-events.ts";

/**
 * Tells callbacks the events of a stream and the answer they make. Whatever a provider sends, nothing here may break the stream itself: what
 * cannot be read is left to the program's own client.
 */
export class ToldEvents<Answer extends object, Event> {
  private readonly log: CallLog;
  private readonly fold: ReturnType<CallKind<Answer, Event>["fold"]>;
  private events: ServerEvents | undefined = new ServerEvents();

  constructor(kind: CallKind<Answer, Event>, log: CallLog) {
    this.fold = kind.fold();
    this.log = log;
  }

  push(chunk: Uint8Array): void {
    this.take((events) => events.push(chunk));
  }

  end(settled: Settled, error: unknown): void {
    this.take((events) => events.end());
    if (error !== undefined) {
      this.log.failed([settled], error);
      return;
    }
    let answer: Answer;
    try {
      const { rawUsage } = settled.charge;
      answer = this.fold.answer(rawUsage === null ? undefined : (JSON.parse(rawUsage) as unknown));
    } catch (reason) {
      this.log.failed([settled], reason);
      return;
    }
    this.log.succeeded([settled], answer);
  }

  private take(read: (events: ServerEvents) => readonly string[]): void {
    if (this.events === undefined) return;
    let texts: readonly string[];
    try {
      texts = read(this.events);
    } catch {
      // An event that is too large: what follows it has no beginning.
      this.events = undefined;
      return;
    }
    for (const text of texts) if (text.trim() !== "[DONE]") this.tell(text);
  }

  private tell(text: string): void {
    try {
      const event = JSON.parse(text) as Event;
      this.fold.add(event);
      this.log.event(event);
    } catch {
      // No JSON, or none of the API's.
    }
  }
}
