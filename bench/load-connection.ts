// One client connection of the load generator: sends prepared bytes, finds the end of each answer, and reconnects if the
// server closes. Raw sockets, because the load shares the machine with what is measured.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { MessageReader } from "./http-framing.ts";

export interface Exchange {
  /** Milliseconds on the process's monotonic clock when the last byte came. */
  readonly at: number;
  readonly ok: boolean;
  /** Why not, in a few words. */
  readonly problem: string | undefined;
}

export class LoadConnection {
  busy = false;
  private socket: Socket | undefined;
  private connected = false;
  private status = 0;
  private head = "";
  private tail = "";
  private done: ((exchange: Exchange) => void) | undefined;
  private readonly port: number;
  private readonly wantsDone: boolean;
  private readonly onFirstBody: (() => void) | undefined;

  /** @param wantsDone a stream is well only if it ends with `[DONE]` */
  constructor(port: number, wantsDone: boolean, onFirstBody?: () => void) {
    this.port = port;
    this.wantsDone = wantsDone;
    this.onFirstBody = onFirstBody;
  }

  /** Sends one request; `done` is called exactly once. */
  send(bytes: Buffer, done: (exchange: Exchange) => void): void {
    this.busy = true;
    this.done = done;
    this.status = 0;
    this.tail = "";
    (this.connected && this.socket !== undefined ? this.socket : this.open()).write(bytes);
  }

  close(): void {
    this.done = undefined;
    this.socket?.destroy();
  }

  /** Connects ahead of the first request. */
  open(): Socket {
    const socket = connect({ port: this.port, host: "127.0.0.1", noDelay: true });
    const reader = new MessageReader({
      head: (text) => {
        this.head = text;
        this.status = Number(text.slice(9, 12));
      },
      body: (piece) => {
        if (this.onFirstBody !== undefined && this.tail === "" && this.status === 200) this.onFirstBody();
        if (this.wantsDone || this.status !== 200) this.tail = (this.tail + piece.toString("latin1", Math.max(0, piece.length - 300))).slice(-300);
      },
      end: () => {
        if (this.status !== 100) this.finish();
      },
    });
    socket.on("data", (chunk: Buffer) => reader.push(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.socket !== socket) return;
      this.connected = false;
      this.socket = undefined;
      this.fail("connection closed before the answer ended");
    });
    this.socket = socket;
    this.connected = true;
    return socket;
  }

  private finish(): void {
    if (/\r\nconnection: *close/i.test(this.head)) {
      this.connected = false;
      this.socket?.destroy();
      this.socket = undefined;
    }
    if (this.status !== 200) this.fail(`status ${this.status} ${this.tail}`);
    else if (this.wantsDone && !this.tail.includes("[DONE]")) this.fail("stream without [DONE]");
    else this.report({ at: performance.now(), ok: true, problem: undefined });
  }

  private fail(problem: string): void {
    this.report({ at: performance.now(), ok: false, problem });
  }

  private report(exchange: Exchange): void {
    const done = this.done;
    this.done = undefined;
    this.busy = false;
    done?.(exchange);
  }
}
