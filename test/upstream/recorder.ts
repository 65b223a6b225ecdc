import type { AddressInfo, Server } from "node:net";
import type { Upstream, UpstreamEvents, UpstreamExchange, UpstreamFailure } from "../../src/domain/upstream/upstream.ts";

export interface Recorded {
  readonly outcome: "end" | UpstreamFailure["phase"];
  readonly timedOut: boolean;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Collects what an exchange says, and fails the test if anything comes after its end. */
export class Recorder implements UpstreamEvents {
  status = 0;
  headers: Recorded["headers"] = {};
  size = 0;
  over = false;
  readonly chunks: Uint8Array[] = [];
  readonly done: Promise<Recorded>;
  /** Resolves with the first event of each kind. */
  readonly seen: { readonly head: Promise<void>; readonly bytes: Promise<void> };
  private resolve!: (recorded: Recorded) => void;
  private onHead!: () => void;
  private onBytes!: () => void;

  constructor() {
    this.done = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.seen = {
      head: new Promise((resolve) => {
        this.onHead = resolve;
      }),
      bytes: new Promise((resolve) => {
        this.onBytes = resolve;
      }),
    };
  }

  head(status: number, headers: Recorded["headers"]): void {
    this.mustBeOpen();
    this.status = status;
    this.headers = headers;
    this.onHead();
  }

  bytes(chunk: Uint8Array): void {
    this.mustBeOpen();
    this.size += chunk.length;
    this.chunks.push(chunk);
    this.onBytes();
  }

  end(): void {
    this.finish("end", false);
  }

  fail(failure: UpstreamFailure): void {
    this.finish(failure.phase, failure.timedOut);
  }

  private finish(outcome: Recorded["outcome"], timedOut: boolean): void {
    this.mustBeOpen();
    this.over = true;
    this.resolve({ outcome, timedOut, status: this.status, headers: this.headers, body: Buffer.concat(this.chunks).toString() });
  }

  private mustBeOpen(): void {
    if (this.over) throw new Error("An event came after the end.");
  }
}

export function post(upstream: Upstream, origin: string, body = "{}"): Recorder & { exchange: UpstreamExchange } {
  const recorder = new Recorder();
  const exchange = upstream.send({ origin, path: "/v1/chat/completions?a=1", headers: ["content-type", "application/json"], body: Buffer.from(body) }, recorder);
  return Object.assign(recorder, { exchange });
}

export function listen(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}
