import type { Upstream, UpstreamEvents, UpstreamExchange, UpstreamRequest } from "../../domain/upstream/upstream.ts";

/** An answer given in place of a provider's. */
export interface MockAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** A deployment of this origin is answered here, by the id in its only header; nothing is ever sent to it. */
export const MOCK_ORIGIN = "mock://tollgate";
export const MOCK_HEADER = "mock-id";

/**
 * The port `Upstream` in front of another: calls with a `mockResponse` are answered from memory, all others pass. So a
 * mocked call goes the whole way of a real one: estimate, admission, hold, meter and settlement.
 */
export class MockAnswers implements Upstream {
  private readonly behind: Upstream;
  private readonly answers = new Map<string, (body: Uint8Array) => MockAnswer>();

  constructor(behind: Upstream) {
    this.behind = behind;
  }

  /** Answers requests with this id until `remove`. */
  add(id: string, answer: (body: Uint8Array) => MockAnswer): void {
    this.answers.set(id, answer);
  }

  remove(id: string): void {
    this.answers.delete(id);
  }

  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamExchange {
    if (request.origin !== MOCK_ORIGIN) return this.behind.send(request, events);
    const answer = this.answers.get(request.headers[1] ?? "");
    let cancelled = false;
    queueMicrotask(() => {
      if (cancelled) return;
      if (answer === undefined) {
        events.fail({ phase: "connect", timedOut: false, message: "no mock answer" });
        return;
      }
      const { status, contentType, body } = answer(request.body);
      events.head(status, { "content-type": contentType });
      if (!cancelled) events.bytes(new TextEncoder().encode(body));
      if (!cancelled) events.end();
    });
    return {
      pause() {},
      resume() {},
      cancel() {
        cancelled = true;
      },
    };
  }
}
