import type { Upstream, UpstreamEvents, UpstreamExchange, UpstreamRequest } from "../../../domain/upstream/upstream.ts";

/** A deployment of this origin is sent by the program's own `fetch`, found by the id in its only header. */
export const TRACKED_ORIGIN = "tracked://tollgate";
export const TRACKED_HEADER = "tracked-id";

interface Sender {
  readonly origin: string;
  readonly upstream: Upstream;
}

/** The port `Upstream` in front of another: calls of a tracked `fetch` go out through that `fetch`, with its own address and headers. */
export class TrackedSends implements Upstream {
  private readonly behind: Upstream;
  private readonly senders = new Map<string, Sender>();

  constructor(behind: Upstream) {
    this.behind = behind;
  }

  add(id: string, sender: Sender): void {
    this.senders.set(id, sender);
  }

  remove(id: string): void {
    this.senders.delete(id);
  }

  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamExchange {
    const sender = request.origin === TRACKED_ORIGIN ? this.senders.get(request.headers[1] ?? "") : undefined;
    return sender === undefined ? this.behind.send(request, events) : sender.upstream.send({ ...request, origin: sender.origin, headers: [] }, events);
  }
}
