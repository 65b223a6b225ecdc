import { connect, type Socket } from "node:net";

/** One TCP connection on which a test says exactly what it wants. */
export class RawClient {
  readonly socket: Socket;
  private text = "";
  private wake: (() => void)[] = [];
  closed = false;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect(Number(port), hostname);
    this.socket.setNoDelay(true);
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.tell();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      this.tell();
    });
  }

  get received(): string {
    return this.text;
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Resolves once what came satisfies `enough`, or the connection is closed; fails after `patienceMs`. */
  async until(enough: (text: string) => boolean, patienceMs = 8_000): Promise<string> {
    const deadline = performance.now() + patienceMs;
    while (!enough(this.text) && !this.closed) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`Waited in vain; so far came: ${this.text.slice(0, 500)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.text;
  }

  /** Everything until the gateway closes. */
  end(patienceMs?: number): Promise<string> {
    return this.until(() => false, patienceMs);
  }

  /** Status lines of the answers so far. */
  statuses(): number[] {
    return [...this.text.matchAll(/(?:^|\r\n|[}\n])HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1])).filter((status) => status !== 100);
  }

  destroy(): void {
    this.socket.destroy();
  }

  private tell(): void {
    for (const wake of this.wake.splice(0)) wake();
  }
}

/** A POST as text. */
export function rawPost(path: string, key: string, body: string, headers: readonly string[] = ["content-type: application/json"]): string {
  return [`POST ${path} HTTP/1.1`, "host: gate", `authorization: Bearer ${key}`, ...headers, `content-length: ${Buffer.byteLength(body)}`, "", body].join("\r\n");
}
