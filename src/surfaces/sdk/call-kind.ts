import type { CallType } from "./call-record.ts";
import type { Fold } from "./metered-stream.ts";
import type { MockAnswer } from "./mock-answers.ts";

/** What differs between completion, embedding and responses; everything else is one path (`perform.ts`). */
export interface CallKind<Answer, Event> {
  readonly type: CallType;
  /** The route's name in the books. */
  readonly route: string;
  /** What callbacks see as `messages`. */
  readonly input: (params: Readonly<Record<string, unknown>>) => unknown;
  /** What a client adds to an answer. */
  readonly finish?: (answer: Answer) => Answer;
  readonly fold: () => Fold<Event, Answer>;
  /** A plain answer as the events of a stream. */
  readonly eventsOf: (answer: Answer) => readonly Event[];
  readonly mock: (mockResponse: unknown, body: Readonly<Record<string, unknown>>, id: string, now: number) => MockAnswer;
}
